//! The dead letters of a simulated worker. They are stored at a flush, and a kill before it loses them.

use std::sync::Arc;
use std::time::Duration;

use windrow_engine::{DeadLetter, DeadLetterSink, Halt, LateRecord, Offset, Partition, RefusedRow};

use crate::services::SimulatedServices;
use crate::simulation_core::InstanceIndex;

/// The longest time of a flush.
const LONGEST_FLUSH: Duration = Duration::from_millis(10);

/// The dead-letter sink of one worker.
pub(crate) struct SimulatedDeadLetters {
    services: Arc<SimulatedServices>,
    instance: InstanceIndex,
    unstored_records: Vec<(Partition, Offset)>,
    unstored_row_count: u64,
}

impl SimulatedDeadLetters {
    pub(crate) const fn new(services: Arc<SimulatedServices>, instance: InstanceIndex) -> Self {
        Self { services, instance, unstored_records: Vec::new(), unstored_row_count: 0 }
    }
}

impl DeadLetterSink for SimulatedDeadLetters {
    fn write_record(&mut self, letter: DeadLetter<'_>) -> Result<(), Halt> {
        self.unstored_records.push((letter.record.partition, letter.record.offset));
        Ok(())
    }

    fn write_refused_row(&mut self, _: &RefusedRow) -> Result<(), Halt> {
        self.unstored_row_count += 1;
        Ok(())
    }

    // The simulated jobs store no late events.
    fn write_late_record(&mut self, _: LateRecord<'_>) -> Result<(), Halt> {
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Halt> {
        if self.unstored_records.is_empty() && self.unstored_row_count == 0 {
            return Ok(());
        }
        let core = &self.services.core;
        let delay = core.choose_at_random(|random| random.duration_between(Duration::ZERO, LONGEST_FLUSH));
        core.pause(delay);
        self.services.pass_failure_point(self.instance);
        let (records, rows) =
            (std::mem::take(&mut self.unstored_records), std::mem::take(&mut self.unstored_row_count));
        self.services.oracle.lock().observe_dead_letters(records, rows);
        Ok(())
    }
}
