//! What the wall clock decides: idle partitions whose windows close without a next event, and events from the future.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use windrow_core::Row;
use windrow_engine::{
    ClockDecisions, ClockEffect, ClockRules, Halt, IdleTimeout, ManualClock, NoDeadLetterSink, Partition, PollOutcome,
    SourceRecord, StopSignal, Worker, WorkerMetrics, WorkerOutcome, WorkerParts,
};

use crate::support::scripted_worker::{InstantSink, RowHandler, ScriptedSource, SourceScript};
use crate::support::test_job::counting_job;

/// 2026-12-01T00:00:00Z
const NOW_MS: i64 = 1_796_083_200_000;
const HOUR_MS: i64 = 3_600_000;
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// No closed windows.
const NONE: [i64; 0] = [];

/// What happens at one poll.
#[derive(Clone, Copy, Debug)]
enum PollStep {
    /// An event of a user arrives whose time differs from [`NOW_MS`] by this many milliseconds.
    Event(i64),
    /// Nothing arrives for this many seconds, and the source confirms that it was read to its end.
    IdleSeconds(u32),
    /// Nothing arrives for this many seconds, and the broker does not answer.
    SilentSeconds(u32),
    /// Nothing arrives for this many seconds, although the partition has further records.
    LaggingSeconds(u32),
}

/// Polls that follow the steps. Each takes [`POLL_INTERVAL`] of virtual time.
struct StepScript {
    clock: ManualClock,
    steps: VecDeque<PollStep>,
    polls_left_in_step: u32,
    is_assigned: bool,
    next_offset: i64,
    asked: Option<Vec<Partition>>,
}

impl SourceScript for StepScript {
    fn next_poll(
        &mut self,
        on_record: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<PollOutcome, Halt> {
        if !std::mem::replace(&mut self.is_assigned, true) {
            return Ok(PollOutcome::Assigned(vec![0]));
        }
        self.clock.advance(POLL_INTERVAL);
        match self.steps.front().copied() {
            None => Ok(PollOutcome::InputExhausted),
            Some(PollStep::Event(offset_ms)) => {
                self.steps.pop_front();
                let json = format!("{{\"user_id\":\"u\",\"event_time\":{}}}", NOW_MS + offset_ms);
                let record = SourceRecord {
                    partition: 0,
                    offset: self.next_offset,
                    key: Some(b"u"),
                    payload: Some(json.as_bytes()),
                    timestamp_ms: None,
                    leader_epoch: None,
                    unreadable_reason: None,
                };
                self.next_offset += 1;
                on_record(record)?;
                Ok(PollOutcome::Records)
            }
            Some(
                PollStep::IdleSeconds(seconds) | PollStep::SilentSeconds(seconds) | PollStep::LaggingSeconds(seconds),
            ) => {
                self.polls_left_in_step += 1;
                if self.polls_left_in_step >= seconds * 4 {
                    self.polls_left_in_step = 0;
                    self.steps.pop_front();
                }
                Ok(PollOutcome::Idle)
            }
        }
    }

    fn note_end_question(&mut self, partitions: &[Partition]) {
        self.asked = Some(partitions.to_vec());
    }

    fn take_end_check(&mut self) -> Option<Vec<Partition>> {
        match self.steps.front() {
            None | Some(PollStep::SilentSeconds(_)) => None,
            Some(PollStep::LaggingSeconds(_)) => self.asked.take().map(|_| Vec::new()),
            _ => self.asked.take(),
        }
    }
}

/// Everything that the worker has written.
#[derive(Default)]
struct WrittenOutput {
    /// The start of each window, as a difference from [`NOW_MS`], and when it was written.
    rows: Vec<(i64, Duration)>,
    decisions: ClockDecisions,
}

struct WrittenRows(Arc<Mutex<WrittenOutput>>, ManualClock);

impl RowHandler for WrittenRows {
    fn handle_row(&mut self, row: Row<'_>) {
        use windrow_engine::Clock;
        self.0.lock().rows.push((row.window.start.ms() - NOW_MS, self.1.monotonic_now()));
    }

    fn note_clock_decisions(&mut self, decisions: &ClockDecisions) {
        self.0.lock().decisions = decisions.clone();
    }
}

/// The output of a job that counts the events of windows of one second.
struct JobOutput {
    /// The start of each window, as a difference from [`NOW_MS`], without those that only the end of the input closes.
    closed_windows: Vec<i64>,
    decisions: ClockDecisions,
    metrics: Arc<WorkerMetrics>,
}

const LIVE_RULES: ClockRules = ClockRules {
    idle_timeout: Some(IdleTimeout { duration: Duration::from_secs(5), includes_history: false }),
    max_future_ms: Some(HOUR_MS),
};

fn run(clock_rules: ClockRules, wall_start_ms: i64, steps: &[PollStep]) -> JobOutput {
    let clock = ManualClock::starting_at(wall_start_ms);
    let written = Arc::new(Mutex::new(WrittenOutput::default()));
    let metrics = WorkerMetrics::new(1);
    let script = StepScript {
        clock: clock.clone(),
        steps: steps.iter().copied().collect(),
        polls_left_in_step: 0,
        is_assigned: false,
        next_offset: 0,
        asked: None,
    };
    let mut job = counting_job();
    job.clock_rules = clock_rules;
    let mut worker = Worker::new(WorkerParts {
        job,
        source: ScriptedSource(script),
        sink: InstantSink(WrittenRows(Arc::clone(&written), clock.clone())),
        dead_letter_sink: NoDeadLetterSink,
        clock: Arc::new(clock),
        checkpoint_config: None,
        stop_signal: StopSignal::default(),
        metrics: Arc::clone(&metrics),
    });
    // The partition has no end, so its open windows stay open.
    let ended = worker.run();
    assert!(matches!(ended, Err(_) | Ok(WorkerOutcome::InputExhausted)), "{ended:?}");
    let written = std::mem::take(&mut *written.lock());
    JobOutput {
        closed_windows: written.rows.into_iter().map(|(start, _)| start).collect(),
        decisions: written.decisions,
        metrics,
    }
}

#[test]
fn windows_of_an_idle_partition_close_without_a_next_event() {
    let outcome = run(LIVE_RULES, NOW_MS, &[PollStep::Event(100), PollStep::IdleSeconds(4)]);
    assert_eq!(outcome.closed_windows, NONE);
    let outcome = run(LIVE_RULES, NOW_MS, &[PollStep::Event(100), PollStep::IdleSeconds(8)]);
    assert_eq!(outcome.closed_windows, [0]);
    let advance = outcome.decisions.decisions.last().expect("a decision");
    assert_eq!(advance.before_offset, 1);
    assert!(matches!(advance.effect, ClockEffect::AdvanceWatermark(_)), "{advance:?}");
    let status = &outcome.metrics.partition_statuses.list_published()[0];
    assert!(status.follows_clock, "{status:?}");
}

#[test]
fn a_broker_that_does_not_answer_and_records_that_do_not_arrive_are_no_idleness() {
    for step in [PollStep::SilentSeconds(600), PollStep::LaggingSeconds(600)] {
        assert_eq!(run(LIVE_RULES, NOW_MS, &[PollStep::Event(100), step]).closed_windows, NONE, "{step:?}");
    }
    let rules = ClockRules { idle_timeout: None, ..LIVE_RULES };
    assert_eq!(run(rules, NOW_MS, &[PollStep::Event(100), PollStep::IdleSeconds(600)]).closed_windows, NONE);
}

#[test]
fn an_event_that_arrives_behind_the_clock_of_an_idle_partition_is_late_and_counted_apart() {
    let steps = [
        PollStep::Event(100),
        PollStep::IdleSeconds(20),
        PollStep::Event(1_500),
        PollStep::Event(1_600),
        PollStep::Event(-5_000),
    ];
    let outcome = run(LIVE_RULES, NOW_MS, &steps);
    assert_eq!(outcome.closed_windows, [0]);
    let view = &outcome.metrics.view_metrics[0];
    assert_eq!((view.late_events.get(), view.late_after_idle_events.get()), (3, 2));
}

#[test]
fn partitions_with_history_are_idle_only_if_the_pipeline_states_the_timeout() {
    let steps = [PollStep::Event(-48 * HOUR_MS), PollStep::IdleSeconds(20)];
    assert_eq!(run(LIVE_RULES, NOW_MS, &steps).closed_windows, NONE);
    let stated = IdleTimeout { duration: Duration::from_secs(5), includes_history: true };
    let rules = ClockRules { idle_timeout: Some(stated), ..LIVE_RULES };
    assert_eq!(run(rules, NOW_MS, &steps).closed_windows, [-48 * HOUR_MS]);
}

#[test]
fn an_event_from_the_future_changes_nothing_for_the_next_event() {
    let far = 5 * 365 * 24 * HOUR_MS;
    let steps = [
        PollStep::Event(100),
        PollStep::Event(far),
        PollStep::Event(HOUR_MS + 60_000),
        PollStep::Event(200),
        PollStep::Event(1_300),
    ];
    let outcome = run(LIVE_RULES, NOW_MS, &steps);
    assert_eq!(outcome.closed_windows, [0]);
    assert_eq!(outcome.metrics.future_events.get(), 2);
    assert_eq!(outcome.metrics.dead_letters.get(), 2);
    assert_eq!(outcome.metrics.view_metrics[0].late_events.get(), 0);
    let unlimited = ClockRules { max_future_ms: None, ..LIVE_RULES };
    let outcome = run(unlimited, NOW_MS, &steps);
    assert_eq!((outcome.metrics.future_events.get(), outcome.metrics.view_metrics[0].late_events.get()), (0, 3));
}
