//! The requests of an instance to the checkpoint store: with delays, errors, unknown outcomes and hangs.

use std::sync::Arc;

use windrow_engine::halt::share_error;
use windrow_engine::{CheckpointStore, ListedObject, StoreFault};

use crate::faults::StoreFaultKind;
use crate::services::SimulatedServices;
use crate::simulation_core::InstanceIndex;
use crate::store::{StoreWrite, WriteTiming};

/// The place of the checkpoints.
pub(crate) const CHECKPOINT_PLACE: &str = "simulated";

/// The store as one instance reaches it: the folder of the checkpoints, or one within it.
#[derive(Debug)]
pub(crate) struct SimulatedStore {
    services: Arc<SimulatedServices>,
    instance: InstanceIndex,
    place: String,
    /// What the names of all objects begin with.
    name_prefix: String,
}

/// A write that has been sent and not answered. If its caller is killed, it may still take effect.
struct UnansweredWrite<'a> {
    store: &'a SimulatedStore,
    write: Option<StoreWrite>,
    timing: WriteTiming,
}

impl UnansweredWrite<'_> {
    fn apply(&mut self) -> Result<(), StoreFault> {
        let services = &self.store.services;
        self.write.take().map_or(Ok(()), |write| services.apply_store_write(&write, self.timing))
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
    pub(crate) fn for_checkpoints(services: Arc<SimulatedServices>, instance: InstanceIndex) -> Self {
        Self { services, instance, place: CHECKPOINT_PLACE.to_owned(), name_prefix: String::new() }
    }

    pub(crate) fn for_folder(services: Arc<SimulatedServices>, instance: InstanceIndex, folder: &str) -> Self {
        Self { services, instance, place: format!("{CHECKPOINT_PLACE}/{folder}"), name_prefix: format!("{folder}/") }
    }

    fn full_name(&self, name: &str) -> String {
        format!("{}{name}", self.name_prefix)
    }

    /// Waits for the usual time of a request, and lets it fail if a fault is due. `operation` is for the trace.
    fn run_request<T>(
        &self,
        operation: &str,
        write: Option<StoreWrite>,
        answer: impl FnOnce(&mut UnansweredWrite<'_>) -> Result<T, StoreFault>,
    ) -> Result<T, StoreFault> {
        let core = &self.services.core;
        let mut unanswered = UnansweredWrite { store: self, write, timing: WriteTiming::InTime };
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
                unanswered.timing = WriteTiming::Unanswered;
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
        if name.contains("/checkpoint/")
            && let Some(suspension) = self.services.faults.take_suspension_before_manifest(self.instance)
        {
            self.services.begin_fault_now(suspension);
        }
        let write = StoreWrite::Create { object_name: self.full_name(name), bytes };
        self.run_request(name, Some(write), |unanswered| unanswered.apply())
    }

    fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        self.run_request(name, None, |_| Ok(self.services.objects.read_object(&self.full_name(name))))
    }

    fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        self.run_request(folder, None, |_| {
            let mut listed = self.services.objects.list_names(&self.full_name(folder));
            listed.iter_mut().for_each(|object| drop(object.object_name.drain(..self.name_prefix.len())));
            Ok(listed)
        })
    }

    fn delete_objects(&self, names: &[String]) -> Result<(), StoreFault> {
        let write = StoreWrite::Delete { object_names: names.iter().map(|name| self.full_name(name)).collect() };
        self.run_request("deletion", Some(write), |unanswered| unanswered.apply())
    }

    fn place(&self) -> &str {
        &self.place
    }
}
