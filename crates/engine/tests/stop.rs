//! A stop that comes while records are being handed over.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use windrow_core::{Aggregate, Feature, FeatureView, Row, Schema, WindowKind};
use windrow_engine::{
    CountOnly, Decoder, Ended, Halt, Job, MonotonicClock, Origin, Partition, Polled, Positions, Record, Sink, Source,
    Stop, Ticket, Worker, WorkerMetrics,
};

/// Ten events of one window; somebody asks to stop in front of the one at `stop_at`, and the source, which knows nothing
/// of that, then says that its input has ended.
struct TenEvents {
    stop: Stop,
    stop_at: Option<i64>,
    polls: u32,
    committed: Arc<Mutex<Vec<Positions>>>,
}

impl Source for TenEvents {
    fn poll(&mut self, _wait: Duration, each: &mut dyn FnMut(Record<'_>) -> Result<(), Halt>) -> Result<Polled, Halt> {
        self.polls += 1;
        match self.polls {
            1 => Ok(Polled::Assigned(vec![0])),
            2 => {
                for offset in 0..10 {
                    if self.stop_at == Some(offset) {
                        self.stop.request();
                    }
                    let payload = Some(&br#"{"user_id":"u","event_time":0}"#[..]);
                    each(Record { partition: 0, offset, key: None, payload, timestamp_ms: None, unreadable: None })?;
                }
                Ok(Polled::Finished(0))
            }
            _ => Ok(Polled::Exhausted),
        }
    }

    fn starts(&mut self, _: &[Partition], _: &Positions) -> Result<Positions, Halt> {
        Ok(Positions::from([(0, 0)]))
    }

    fn begin(&mut self, _: &[Partition], _: &Positions) -> Result<(), Halt> {
        Ok(())
    }

    fn seek(&mut self, _: &Positions) -> Result<(), Halt> {
        Ok(())
    }

    fn confirm(&mut self, _: &Positions) -> Result<bool, Halt> {
        Ok(true)
    }

    fn release(&mut self, _: &[Partition]) -> Result<(), Halt> {
        Ok(())
    }

    fn commit(&mut self, positions: &Positions, _: bool) -> Result<(), Halt> {
        self.committed.lock().expect("one thread").push(positions.clone());
        Ok(())
    }
}

/// Keeps the first feature of every row.
#[derive(Clone, Default)]
struct Rows(Arc<Mutex<Vec<String>>>);

impl Sink for Rows {
    fn row(&mut self, _: Origin, row: Row<'_>) {
        let first = row.features().next().expect("a feature");
        self.0.lock().expect("one thread").push(format!("{first:?}"));
    }

    fn flush(&mut self) -> Result<Ticket, Halt> {
        Ok(Ticket(0))
    }

    fn acknowledged(&self) -> Ticket {
        Ticket(0)
    }

    fn wait(&mut self, _: Ticket, _: Duration) -> Result<bool, Halt> {
        Ok(true)
    }
}

fn run(stop_at: Option<i64>) -> (Ended, Vec<String>, Vec<Positions>) {
    let schema = Schema::new("user_id", []);
    let count = Feature { name: "n".into(), aggregate: Aggregate::Count, condition: None, default: None };
    let window = WindowKind::Sliding { size_ms: 1_000, slide_ms: 1_000 };
    let view = FeatureView { name: "v".into(), window, features: vec![count] };
    let job = Job {
        views: [view].into(),
        decoder: Decoder::new(schema.clone(), "event_time", jiff::tz::TimeZone::UTC, 1_024),
        schema,
        max_out_of_orderness_ms: 0,
        topic: "events".into(),
        hash_key: [0; 16],
        keys_required: false,
    };
    let (stop, rows, committed) = (Stop::default(), Rows::default(), Arc::default());
    let source = TenEvents { stop: stop.clone(), stop_at, polls: 0, committed: Arc::clone(&committed) };
    let metrics = WorkerMetrics::new(1);
    let clock = MonotonicClock::start();
    let mut worker = Worker::new(job, source, rows.clone(), CountOnly, clock, None, stop, Arc::clone(&metrics));
    assert!(!metrics.times.ended());
    let ended = worker.run().expect("nothing halts it");
    assert!(metrics.times.ended(), "whoever watches must not take it for one that is stuck");
    let rows = rows.0.lock().expect("one thread").clone();
    let committed = committed.lock().expect("one thread").clone();
    (ended, rows, committed)
}

/// Windows that were still open must not fire as if the input had ended, and nothing is committed for what was passed
/// over.
#[test]
fn a_stop_in_the_middle_of_a_poll_fires_nothing_and_commits_nothing() {
    assert_eq!(run(Some(4)), (Ended::Stopped, vec![], vec![]));
}

#[test]
fn without_a_stop_everything_fires_and_nothing_is_committed_without_a_checkpoint() {
    assert_eq!(run(None), (Ended::Exhausted, vec!["Long(10)".to_owned()], vec![]));
}
