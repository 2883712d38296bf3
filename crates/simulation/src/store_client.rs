//! The requests of an instance to the checkpoint store: with delays, errors, unknown outcomes and hangs.

use std::sync::Arc;

use windrow_engine::halt::share_error;
use windrow_engine::{CheckpointStore, ListedObject, StoreFault};

use crate::faults::StoreFaultKind;
use crate::services::SimulatedServices;
use crate::simulation_core::InstanceIndex;
use crate::store::StoreWrite;

/// The store as one instance reaches it.
#[derive(Debug)]
pub(crate) struct SimulatedStore {
    pub(crate) services: Arc<SimulatedServices>,
    pub(crate) instance: InstanceIndex,
}

/// A write that has been sent and not answered. If its caller is killed, it may still take effect.
struct UnansweredWrite<'a> {
    store: &'a SimulatedStore,
    write: Option<StoreWrite>,
}

impl UnansweredWrite<'_> {
    fn apply(&mut self) -> Result<(), StoreFault> {
        let services = &self.store.services;
        self.write.take().map_or(Ok(()), |write| services.apply_store_write(&write))
    }

    fn discard(&mut self) {
        self.write = None;
    }

    /// Lets the write take effect later, after its caller has gone.
    fn delay(&mut self) {
        let services = &self.store.services;
        if let Some(write) = self.write.take() {
            let due_at = services.core.now() + services.core.duration_between_ms(1, 20_000);
            services.objects.delay_write(due_at, write);
        }
    }
}

impl Drop for UnansweredWrite<'_> {
    fn drop(&mut self) {
        if self.store.services.core.happens(500) {
            self.delay();
        }
    }
}

impl SimulatedStore {
    /// Waits for the usual time of a request, and lets it fail if a fault is due. `operation` is for the trace.
    fn run_request<T>(
        &self,
        operation: &str,
        write: Option<StoreWrite>,
        answer: impl FnOnce(&mut UnansweredWrite<'_>) -> Result<T, StoreFault>,
    ) -> Result<T, StoreFault> {
        let core = &self.services.core;
        let mut unanswered = UnansweredWrite { store: self, write };
        let latency = core.duration_between_ms(1, 15);
        core.pause(latency);
        let fault = self.services.faults.choose_store_fault(core, self.instance);
        if let Some(fault) = fault {
            core.record(|| format!("store: {operation} meets {fault:?}"));
        }
        let failed = || Err(StoreFault::Failed(share_error("the store did not answer")));
        match fault {
            None => {
                self.services.pass_failure_point(self.instance);
                let answered = answer(&mut unanswered);
                unanswered.discard();
                self.services.pass_failure_point(self.instance);
                core.pause(latency / 2);
                answered
            }
            Some(StoreFaultKind::FailsWithoutEffect) => {
                unanswered.discard();
                failed()
            }
            Some(StoreFaultKind::FailsWithEffect) => {
                let _unheard = answer(&mut unanswered);
                unanswered.discard();
                core.pause(latency);
                failed()
            }
            Some(StoreFaultKind::TakesEffectLater) => {
                unanswered.delay();
                failed()
            }
            Some(StoreFaultKind::Hangs(duration)) => {
                core.pause(duration);
                if core.happens(500) {
                    let answered = answer(&mut unanswered);
                    unanswered.discard();
                    return answered;
                }
                unanswered.discard();
                failed()
            }
        }
    }
}

impl CheckpointStore for SimulatedStore {
    fn create_object(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        let write = StoreWrite::Create { object_name: name.to_owned(), bytes };
        self.run_request(name, Some(write), |unanswered| unanswered.apply())
    }

    fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        self.run_request(name, None, |_| Ok(self.services.objects.read_object(name)))
    }

    fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        self.run_request(folder, None, |_| Ok(self.services.objects.list_names(folder)))
    }

    fn delete_objects(&self, names: &[String]) -> Result<(), StoreFault> {
        let write = StoreWrite::Delete { object_names: names.to_vec() };
        self.run_request("deletion", Some(write), |unanswered| unanswered.apply())
    }

    fn place(&self) -> &str {
        "simulated"
    }
}
