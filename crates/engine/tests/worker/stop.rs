//! A stop that is requested while records are delivered.

use std::sync::Arc;

use parking_lot::Mutex;
use windrow_core::Row;
use windrow_engine::{
    CommitWait, Halt, ManualClock, NoDeadLetterSink, PartitionOffsets, PollOutcome, SourceRecord, StopSignal, Worker,
    WorkerMetrics, WorkerOutcome, WorkerParts,
};

use crate::support::scripted_worker::{InstantSink, RowHandler, ScriptedSource, SourceScript};
use crate::support::test_job::{counting_job, record_without_key};

/// Ten events of one window. A stop is requested before the event at `stop_at`; the source, which does not know of it, then
/// says that its input has ended.
struct TenEvents {
    stop: StopSignal,
    stop_at: Option<i64>,
    polls: u32,
    committed: Arc<Mutex<Vec<PartitionOffsets>>>,
}

impl SourceScript for TenEvents {
    fn next_poll(&mut self, each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>) -> Result<PollOutcome, Halt> {
        self.polls += 1;
        match self.polls {
            1 => Ok(PollOutcome::Assigned(vec![0])),
            2 => {
                for offset in 0..10 {
                    if self.stop_at == Some(offset) {
                        self.stop.request();
                    }
                    each(record_without_key(0, offset, br#"{"user_id":"u","event_time":0}"#))?;
                }
                Ok(PollOutcome::PartitionFinished(0))
            }
            _ => Ok(PollOutcome::InputExhausted),
        }
    }

    fn note_commit(&mut self, offsets: &PartitionOffsets, _: CommitWait) {
        self.committed.lock().push(offsets.clone());
    }
}

/// Keeps the first feature of every row.
#[derive(Clone, Default)]
struct CollectedRows(Arc<Mutex<Vec<String>>>);

impl RowHandler for CollectedRows {
    fn handle_row(&mut self, row: Row<'_>) {
        let first = row.feature_values().next().expect("a feature");
        self.0.lock().push(format!("{first:?}"));
    }
}

fn run_worker(stop_at: Option<i64>) -> (WorkerOutcome, Vec<String>, Vec<PartitionOffsets>) {
    let (stop, rows, committed) = (StopSignal::default(), CollectedRows::default(), Arc::default());
    let source = TenEvents { stop: stop.clone(), stop_at, polls: 0, committed: Arc::clone(&committed) };
    let metrics = WorkerMetrics::new(1);
    let mut worker = Worker::new(WorkerParts {
        job: counting_job(),
        source: ScriptedSource(source),
        sink: InstantSink(rows.clone()),
        dead_letter_sink: NoDeadLetterSink,
        clock: Arc::new(ManualClock::starting_at(0)),
        checkpoint_config: None,
        stop_signal: stop,
        metrics: Arc::clone(&metrics),
    });
    assert!(!metrics.time_use.has_ended());
    let ended = worker.run().expect("nothing halts it");
    assert!(metrics.time_use.has_ended(), "a monitor must not take it for a worker that hangs");
    let rows = rows.0.lock().clone();
    let committed = committed.lock().clone();
    (ended, rows, committed)
}

/// Windows that were still open must not fire as if the input had ended, and nothing is committed for what was passed
/// over.
#[test]
fn a_stop_in_the_middle_of_a_poll_fires_nothing_and_commits_nothing() {
    assert_eq!(run_worker(Some(4)), (WorkerOutcome::Stopped, vec![], vec![]));
}

#[test]
fn without_a_stop_everything_fires_and_nothing_is_committed_without_a_checkpoint() {
    assert_eq!(run_worker(None), (WorkerOutcome::InputExhausted, vec!["Long(10)".to_owned()], vec![]));
}
