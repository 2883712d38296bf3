//! Sources and sinks of tests that run a worker: everything that most of these tests leave empty.

use std::sync::Arc;
use std::time::Duration;

use windrow_core::Row;
use windrow_engine::{
    CheckpointConfig, ClockDecisions, CommitWait, Counter, FenceToken, FlushTicket, GroupDeparture, Halt,
    LostPartition, ManualClock, NoDeadLetterSink, Offset, Partition, PartitionOffsets, PollOutcome, RefusedRow, Sink,
    Source, SourceRecord, StartOffset, StartOffsets, StopSignal, TriggerRecord, Worker, WorkerMetrics, WorkerOutcome,
    WorkerParts,
};

use super::test_job::counting_job;

/// What a [`ScriptedSource`] delivers.
pub(crate) trait SourceScript {
    /// Returns the outcome of the next poll, after it has passed the records of that poll to `on_record`.
    fn next_poll(
        &mut self,
        on_record: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<PollOutcome, Halt>;

    fn note_poll_timeout(&mut self, _timeout: Duration) {}

    /// Returns the offset at which each partition starts.
    fn start_offset(&self) -> Offset {
        0
    }

    fn note_commit(&mut self, _offsets: &PartitionOffsets, _wait: CommitWait) {}

    fn note_accepted(&mut self, _partitions: &[Partition]) {}

    fn note_started(&mut self, _partitions: &[Partition], _starts: &PartitionOffsets) {}

    fn note_released(&mut self, _partitions: &[Partition]) {}

    fn leave_group(&mut self) -> GroupDeparture {
        GroupDeparture::Stayed
    }

    fn note_rejoined(&mut self) {}

    fn note_end_question(&mut self, _partitions: &[Partition]) {}

    /// Returns the partitions that were read to their ends, if the last question has an answer.
    fn take_end_check(&mut self) -> Option<Vec<Partition>> {
        None
    }
}

/// A source that never loses its partitions.
pub(crate) struct ScriptedSource<Script>(pub(crate) Script);

impl<Script: SourceScript> Source for ScriptedSource<Script> {
    fn poll(
        &mut self,
        timeout: Duration,
        on_record: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<PollOutcome, Halt> {
        self.0.note_poll_timeout(timeout);
        self.0.next_poll(on_record)
    }

    fn resolve_start_offsets(&mut self, partitions: &[Partition], _: &PartitionOffsets) -> Result<StartOffsets, Halt> {
        let start = StartOffset::with_unknown_bounds(self.0.start_offset());
        Ok(partitions.iter().map(|&partition| (partition, start)).collect())
    }

    fn request_end_check(&mut self, partitions: &[Partition]) {
        self.0.note_end_question(partitions);
    }

    fn take_end_check(&mut self) -> Option<Vec<Partition>> {
        self.0.take_end_check()
    }

    fn leave_group(&mut self) -> GroupDeparture {
        self.0.leave_group()
    }

    fn rejoin_group(&mut self) -> Result<(), Halt> {
        self.0.note_rejoined();
        Ok(())
    }

    fn accept_assignment(&mut self, partitions: &[Partition]) -> Result<(), Halt> {
        self.0.note_accepted(partitions);
        Ok(())
    }

    fn start_partitions(&mut self, partitions: &[Partition], starts: &PartitionOffsets) -> Result<(), Halt> {
        self.0.note_started(partitions, starts);
        Ok(())
    }

    fn confirm_ownership_by_commit(&mut self, _: &PartitionOffsets) -> Result<bool, Halt> {
        Ok(true)
    }

    fn stop_partitions(&mut self, _: &[Partition]) -> Result<(), Halt> {
        Ok(())
    }

    fn release_partitions(&mut self, partitions: &[Partition]) -> Result<(), Halt> {
        self.0.note_released(partitions);
        Ok(())
    }

    fn commit_offsets(&mut self, offsets: &PartitionOffsets, wait: CommitWait) -> Result<(), Halt> {
        self.0.note_commit(offsets, wait);
        Ok(())
    }
}

/// What happens to the rows of an [`InstantSink`].
pub(crate) trait RowHandler {
    fn handle_row(&mut self, row: Row<'_>);

    fn note_trigger(&mut self, _trigger: Option<TriggerRecord>) {}

    fn note_clock_decisions(&mut self, _decisions: &ClockDecisions) {}

    fn blocked_ns_counter(&self) -> Arc<Counter> {
        Arc::default()
    }

    fn take_refused_rows(&mut self) -> Vec<RefusedRow> {
        Vec::new()
    }

    /// Takes note that the worker asks whether the row store still accepts rows of this partition.
    fn note_fence_check(&mut self, _fence_token: FenceToken) {}

    fn take_lost_partitions(&mut self) -> Vec<LostPartition> {
        Vec::new()
    }
}

/// Rows that no test reads.
pub(crate) struct DiscardedRows;

impl RowHandler for DiscardedRows {
    fn handle_row(&mut self, _: Row<'_>) {}
}

/// A sink that acknowledges each flush at once.
pub(crate) struct InstantSink<Handler>(pub(crate) Handler);

impl<Handler: RowHandler> Sink for InstantSink<Handler> {
    fn write_row(&mut self, _: FenceToken, row: Row<'_>) {
        self.0.handle_row(row);
    }

    fn set_trigger_record(&mut self, trigger: Option<TriggerRecord>) {
        self.0.note_trigger(trigger);
    }

    fn set_clock_decisions(&mut self, _: FenceToken, decisions: &ClockDecisions) {
        self.0.note_clock_decisions(decisions);
    }

    fn blocked_ns_counter(&self) -> Arc<Counter> {
        self.0.blocked_ns_counter()
    }

    fn take_refused_rows(&mut self) -> Vec<RefusedRow> {
        self.0.take_refused_rows()
    }

    fn verify_rows_at_next_flush(&mut self, fence_token: FenceToken) {
        self.0.note_fence_check(fence_token);
    }

    fn take_lost_partitions(&mut self) -> Vec<LostPartition> {
        self.0.take_lost_partitions()
    }

    fn start_flush(&mut self) -> Result<FlushTicket, Halt> {
        Ok(FlushTicket(0))
    }

    fn newest_acknowledged_flush(&self) -> FlushTicket {
        FlushTicket(0)
    }

    fn wait_for_ticket(&mut self, _: FlushTicket, _: Duration) -> Result<bool, Halt> {
        Ok(true)
    }
}

/// What a worker shares with its script.
pub(crate) struct WorkerSurroundings {
    pub(crate) clock: ManualClock,
    pub(crate) stop: StopSignal,
    pub(crate) metrics: Arc<WorkerMetrics>,
}

impl Default for WorkerSurroundings {
    fn default() -> Self {
        Self { clock: ManualClock::starting_at(0), stop: StopSignal::default(), metrics: WorkerMetrics::new(1) }
    }
}

impl WorkerSurroundings {
    /// Runs a worker with the counting job until its end. No test reads its rows.
    pub(crate) fn run_counting_job(
        self,
        script: impl SourceScript,
        checkpoint_config: CheckpointConfig,
    ) -> Result<WorkerOutcome, Halt> {
        let mut worker = Worker::new(WorkerParts {
            job: counting_job(),
            source: ScriptedSource(script),
            sink: InstantSink(DiscardedRows),
            dead_letter_sink: NoDeadLetterSink,
            clock: Arc::new(self.clock),
            checkpoint_config: Some(checkpoint_config),
            stop_signal: self.stop,
            metrics: self.metrics,
        });
        worker.run()
    }
}
