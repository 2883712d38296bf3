//! What a worker publishes while it runs: late events, dead letters, the status of partitions, where its time goes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use windrow_core::{
    Aggregate, EmptyWindowPolicy, EventField, EventSchema, EventTime, FeatureView, FieldId, FieldType,
    MisplacedRecordPolicy, Partitioner, Row, ViewId, WindowKind,
};
use windrow_engine::{
    Clock, Counter, DeadLetterRecord, Halt, InputProblem, InputProblemKind, JobDefinition, LogPosition, ManualClock,
    NoDeadLetterSink, Offset, PollOutcome, RecordPlacementRules, RefusedRow, SourceRecord, StopSignal,
    TimelineMarkKind, TriggerRecord, TruncatedBytes, Worker, WorkerMetrics, WorkerOutcome, WorkerParts,
};

use crate::support::scripted_worker::{InstantSink, RowHandler, ScriptedSource, SourceScript};
use crate::support::test_job::{ONE_SECOND_WINDOW, feature, job_with_views};

/// What happens next in a script.
enum ScriptStep {
    /// These records, from one poll; each with its timestamp.
    Records(Vec<(Vec<u8>, Option<i64>)>),
    /// Nothing comes for this long.
    Pause(Duration),
    /// Another member of the group has taken the partition.
    Lost,
    /// The input ends.
    Finished,
}

/// One partition, whose records are delivered as the script says; then a stop is requested.
struct StepScript {
    clock: ManualClock,
    steps: VecDeque<ScriptStep>,
    offset: i64,
    /// The record key of the record with this offset, if it has one.
    record_key: fn(i64) -> Option<Vec<u8>>,
    assigned: bool,
    stop: StopSignal,
}

impl SourceScript for StepScript {
    fn next_poll(&mut self, each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>) -> Result<PollOutcome, Halt> {
        if !self.assigned {
            self.assigned = true;
            return Ok(PollOutcome::Assigned(vec![3]));
        }
        match self.steps.pop_front() {
            Some(ScriptStep::Records(records)) => {
                for (payload, timestamp_ms) in records {
                    let (partition, offset, key) = (3, self.offset, (self.record_key)(self.offset));
                    each(SourceRecord {
                        partition,
                        offset,
                        key: key.as_deref(),
                        payload: Some(&payload),
                        timestamp_ms,
                        leader_epoch: None,
                        unreadable_reason: None,
                    })?;
                    self.offset += 1;
                }
                Ok(PollOutcome::Records)
            }
            Some(ScriptStep::Pause(time)) => {
                self.clock.sleep(time);
                Ok(PollOutcome::Idle)
            }
            Some(ScriptStep::Lost) => Ok(PollOutcome::Lost(vec![3])),
            Some(ScriptStep::Finished) => Ok(PollOutcome::PartitionFinished(3)),
            None => {
                self.stop.request();
                Ok(PollOutcome::Idle)
            }
        }
    }

    fn start_offset(&self) -> Offset {
        self.offset
    }
}

/// Keeps the trigger of every row, takes its time for each, and refuses one.
#[derive(Clone)]
struct SlowRows {
    clock: ManualClock,
    per_row: Duration,
    trigger: Option<TriggerRecord>,
    row_triggers: Arc<Mutex<Vec<Option<TriggerRecord>>>>,
    blocked_ns: Arc<Counter>,
    refuse: bool,
}

impl Default for SlowRows {
    fn default() -> Self {
        Self {
            clock: ManualClock::starting_at(1_700_000_000_000),
            per_row: Duration::ZERO,
            trigger: None,
            row_triggers: Arc::default(),
            blocked_ns: Arc::default(),
            refuse: false,
        }
    }
}

impl RowHandler for SlowRows {
    fn handle_row(&mut self, _: Row<'_>) {
        self.row_triggers.lock().push(self.trigger);
        self.clock.sleep(self.per_row);
        self.blocked_ns.add(u64::try_from(self.per_row.as_nanos()).expect("short"));
    }

    fn note_trigger(&mut self, trigger: Option<TriggerRecord>) {
        self.trigger = trigger;
    }

    fn blocked_ns_counter(&self) -> Arc<Counter> {
        Arc::clone(&self.blocked_ns)
    }

    fn take_refused_rows(&mut self) -> Vec<RefusedRow> {
        let row = RefusedRow { row_key: b"list:1".to_vec(), reason: "WRONGTYPE".to_owned() };
        if std::mem::take(&mut self.refuse) { vec![row] } else { Vec::new() }
    }
}

/// Two views: windows of one second, and sessions that end after a minute. Events may be ten milliseconds out of order.
fn test_job() -> JobDefinition {
    let text_field = |name: &str| EventField { name: name.into(), field_type: FieldType::String };
    let schema = EventSchema::new("user_id", [text_field("title"), text_field("unused")]);
    let view = |name: &str, window| {
        let features = vec![feature("n", Aggregate::Count), feature("title", Aggregate::Last(FieldId(1)))];
        FeatureView {
            name: name.into(),
            window,
            allowed_lateness_ms: 0,
            empty_window_policy: EmptyWindowPolicy::KeepRow,
            features,
        }
    };
    let views = vec![view("second", ONE_SECOND_WINDOW), view("session", WindowKind::Session { gap_ms: 60_000 })];
    JobDefinition { max_out_of_orderness_ms: 10, ..job_with_views(schema, "at", views) }
}

fn event_json(user: &str, at_ms: i64) -> Vec<u8> {
    format!(r#"{{"user_id":"{user}","at":{at_ms}}}"#).into_bytes()
}

fn record_step(payloads: impl IntoIterator<Item = Vec<u8>>) -> ScriptStep {
    ScriptStep::Records(payloads.into_iter().map(|payload| (payload, None)).collect())
}

fn run_worker(sink: SlowRows, next: impl IntoIterator<Item = ScriptStep>) -> Arc<WorkerMetrics> {
    let (metrics, outcome) = run_job(test_job(), |_| Some(b"the key".to_vec()), sink, next);
    outcome.expect("nothing halts it");
    metrics
}

fn run_job(
    job: JobDefinition,
    record_key: fn(i64) -> Option<Vec<u8>>,
    sink: SlowRows,
    next: impl IntoIterator<Item = ScriptStep>,
) -> (Arc<WorkerMetrics>, Result<WorkerOutcome, Halt>) {
    let stop = StopSignal::default();
    let clock = sink.clock.clone();
    let source = StepScript {
        clock: clock.clone(),
        steps: next.into_iter().collect(),
        offset: 100,
        record_key,
        assigned: false,
        stop: stop.clone(),
    };
    let metrics = WorkerMetrics::new(2);
    let outcome = Worker::new(WorkerParts {
        job,
        source: ScriptedSource(source),
        sink: InstantSink(sink),
        dead_letter_sink: NoDeadLetterSink,
        clock: Arc::new(clock),
        checkpoint_config: None,
        stop_signal: stop,
        metrics: Arc::clone(&metrics),
    })
    .run();
    (metrics, outcome)
}

/// The test job over a topic of eight partitions.
fn job_of_partitions(
    misplaced_policy: MisplacedRecordPolicy,
    declared_partitioner: Option<Partitioner>,
) -> JobDefinition {
    let record_placement = RecordPlacementRules { partition_count: 8, declared_partitioner, misplaced_policy };
    JobDefinition { record_placement, ..test_job() }
}

#[test]
fn a_late_event_is_shown_once_with_its_record_and_the_views_it_was_late_for() {
    let metrics = run_worker(
        SlowRows::default(),
        [record_step([event_json("a", 100_000), event_json("b", 50_000), event_json("c", 30_000)])],
    );
    let late = metrics.recent_events.late_events();
    let seen: Vec<_> = late.iter().map(|late| (&*late.entity_key, &late.late_views[..], late.offset)).collect();
    // Newest first. The one at 50 s is in time for its session only.
    assert_eq!(seen, [("c", &[ViewId(0), ViewId(1)][..], 102), ("b", &[ViewId(0)], 101)]);
    assert_eq!((late[0].event_time_ms, late[0].watermark_ms, late[0].partition), (30_000, Some(99_989), 3));
    assert_eq!(late[0].record_payload.kept_bytes, event_json("c", 30_000));
    assert!(late[0].processed_at_ms > 1_600_000_000_000, "by the wall clock: {}", late[0].processed_at_ms);
    assert_eq!([0, 1].map(|view: usize| metrics.view_metrics[view].late_events.get()), [2, 1]);
}

#[test]
fn a_dead_letter_is_shown_with_key_reason_and_as_much_of_its_record_as_is_kept() {
    let long = vec![b'x'; 100_000];
    let metrics =
        run_worker(SlowRows { refuse: true, ..SlowRows::default() }, [record_step([event_json("a", 0), long.clone()])]);
    let mut letters = metrics.recent_events.dead_letters();
    letters.sort_by_key(|letter| matches!(letter, DeadLetterRecord::RefusedRow { .. }));
    let [
        DeadLetterRecord::Record { reason, partition, offset, key, record, .. },
        DeadLetterRecord::RefusedRow { reason: refused, key: row, .. },
    ] = &letters[..]
    else {
        panic!("a record and a row: {letters:?}");
    };
    assert!(reason.starts_with("malformed JSON"), "{reason}");
    assert_eq!((*partition, *offset), (3, 101));
    assert_eq!(key.as_ref().map(|key| &*key.kept_bytes), Some(&b"the key"[..]));
    let Some(TruncatedBytes { kept_bytes: bytes, full_byte_count: length }) = record else {
        panic!("the record is kept")
    };
    assert_eq!((*length, bytes.len()), (long.len(), 8 * 1024));
    assert_eq!((refused.as_str(), &*row.kept_bytes), ("WRONGTYPE", &b"list:1"[..]));
}

#[test]
fn under_a_flood_some_are_shown_and_afterwards_every_one() {
    let flood = (0..50).map(|_| record_step((0..1_000).map(|_| event_json("flood", 1))));
    let quiet = || ScriptStep::Pause(Duration::from_millis(120));
    let by_hand = [quiet(), quiet(), record_step([event_json("by hand", 2), b"by hand".to_vec()]), quiet()];
    let metrics = run_worker(
        SlowRows::default(),
        [record_step([event_json("a", 500_000)])].into_iter().chain(flood).chain(by_hand),
    );
    assert_eq!(metrics.view_metrics[0].late_events.get(), 50_001);
    let late = metrics.recent_events.late_events();
    assert_eq!(late[0].entity_key, "by hand");
    // About twenty a second, and this took less than a few.
    assert!((2..50).contains(&late.len()), "{}", late.len());
    assert_eq!(metrics.recent_events.dead_letters().len(), 1);
}

#[test]
fn where_partitions_stand_is_published() {
    let quiet = ScriptStep::Pause(Duration::from_millis(1));
    let with_stamp = |payload, stamp| (payload, Some(stamp));
    let read = vec![
        with_stamp(event_json("a", 70_000), 1),
        with_stamp(event_json("b", 71_500), 2),
        with_stamp(b"none".to_vec(), 1_700_000_000_000),
    ];
    let metrics = run_worker(SlowRows::default(), [ScriptStep::Records(read), quiet]);
    let partitions = metrics.partition_statuses.list_published();
    let [facts] = &partitions[..] else { panic!("one partition: {partitions:?}") };
    assert_eq!(
        (facts.partition, facts.next_offset, facts.processed_record_count, facts.entity_count),
        (3, Some(103), 3, 2)
    );
    assert_eq!(facts.max_event_time, Some(EventTime::from_ms(71_500)));
    assert_eq!(facts.watermark, Some(EventTime::from_ms(71_489)));
    assert!(facts.last_record_processed_at_ms >= Some(facts.opened_at_ms), "{facts:?}");
    assert_eq!((facts.last_record_timestamp_ms, facts.last_checkpoint_offset), (Some(1_700_000_000_000), None));
    // The window of `a` has fired; both sessions are open.
    assert_eq!(
        [0, 1].map(|view: usize| metrics.view_metrics[view].entity_count.load(std::sync::atomic::Ordering::Relaxed)),
        [1, 2]
    );
    let marks: Vec<_> =
        metrics.recent_events.timeline_marks().into_iter().map(|mark| (mark.kind, mark.label)).collect();
    assert_eq!(marks, [(TimelineMarkKind::Assigned, "assigned partition 3".to_owned())]);
}

#[test]
fn rows_are_due_to_the_record_that_made_their_window_fire() {
    let sink = SlowRows::default();
    let causes = Arc::clone(&sink.row_triggers);
    let stamped = |at_ms, stamp| (event_json("a", at_ms), stamp);
    let first =
        ScriptStep::Records(vec![stamped(0, Some(5)), (event_json("b", 500), Some(6)), stamped(1_010, Some(7))]);
    run_worker(sink, [first, ScriptStep::Records(vec![stamped(2_100, None)])]);
    let due = |event_ms, appended_ms, next_offset| {
        Some(TriggerRecord {
            event_time_ms: Some(event_ms),
            record_timestamp_ms: appended_ms,
            next_position: LogPosition { offset: next_offset, leader_epoch: None },
        })
    };
    // Both users' first window, and the second one of `a`.
    assert_eq!(*causes.lock(), [due(1_010, Some(7), 103), due(1_010, Some(7), 103), due(2_100, None, 104)]);
}

#[test]
fn time_is_spent_on_records_on_waiting_for_them_or_on_waiting_for_the_store() {
    let sink = SlowRows { per_row: Duration::from_millis(2), ..SlowRows::default() };
    let clock = sink.clock.clone();
    // Each event fires the window before: a hundred rows that take two milliseconds each.
    let work = record_step((0..=100).map(|second| event_json("a", second * 1_000 + 500)));
    let metrics = run_worker(
        sink,
        [work, ScriptStep::Pause(Duration::from_millis(300)), ScriptStep::Pause(Duration::from_millis(1))],
    );
    let (times, all) = (&metrics.time_use, clock.monotonic_now());
    assert_eq!(times.blocked_time(), Duration::from_millis(200));
    assert!(times.idle_time() >= Duration::from_millis(300), "{:?}", times.idle_time());
    let sum = times.busy_time() + times.idle_time() + times.blocked_time();
    assert!(sum <= all, "{sum:?} of {all:?}");
    assert!(times.loop_iterations.get() >= 4);
    assert!((0.0..=1.0).contains(&times.decode_share()), "{}", times.decode_share());
}

#[test]
fn event_times_that_another_unit_would_explain_are_counted() {
    let stamped = |at_ms| (event_json("a", at_ms), Some(1_704_103_200_000));
    let records = vec![stamped(1_704_103_200_000), stamped(1_704_103_201), stamped(1_704_103_202), stamped(5)];
    let metrics = run_worker(SlowRows::default(), [ScriptStep::Records(records)]);
    assert_eq!(metrics.misread_event_times.get(), 2);
    let problems = metrics.recent_events.input_problems();
    let [InputProblem { kind: InputProblemKind::MisreadEventTime, description, remedy, .. }] = &problems[..] else {
        panic!("one problem: {problems:?}");
    };
    assert_eq!(
        description,
        "Event times are read wrongly. The event at offset 101 of partition 3 is read as 1970-01-20T17:21:43.201Z, years \
         away from the time of its record"
    );
    assert_eq!(remedy, "Set this in [event]: time = { field = \"at\", unit = \"s\" }");
}

#[test]
fn texts_that_are_too_long_for_their_aggregates_are_counted() {
    let record = |bytes: usize| {
        let padding = "x".repeat(bytes);
        format!(r#"{{"user_id":"a","at":0,"title":"{padding}","unused":"{padding}"}}"#).into_bytes()
    };
    let metrics = run_worker(SlowRows::default(), [record_step([record(1_024), record(1_025), event_json("a", 1)])]);
    assert_eq!(metrics.oversized_texts.get(), 1);
}

#[test]
fn a_record_without_a_key_is_a_dead_letter_in_a_topic_of_several_partitions() {
    let events = || record_step((0..1_000).map(|n| event_json("a", n)));
    let key = |offset: i64| (offset != 107).then(|| b"a".to_vec());
    let job = job_of_partitions(MisplacedRecordPolicy::Warn, None);
    let (metrics, outcome) = run_job(job, key, SlowRows::default(), [events()]);
    assert_eq!(outcome.expect("it goes on"), WorkerOutcome::Stopped);
    assert_eq!((metrics.dead_letters.get(), metrics.records_read.get()), (1, 1_000));
    let letters = metrics.recent_events.dead_letters();
    let [DeadLetterRecord::Record { offset: 107, reason, key: None, .. }] = &letters[..] else {
        panic!("one dead letter: {letters:?}");
    };
    assert_eq!(reason, "the record has no key; in a topic of several partitions, its key must be `user_id`");
    let (metrics, outcome) = run_job(test_job(), |_| None, SlowRows::default(), [events()]);
    assert_eq!(outcome.expect("one partition needs no keys"), WorkerOutcome::Stopped);
    assert_eq!(metrics.dead_letters.get(), 0);
}

#[test]
fn a_partition_whose_first_records_mostly_have_no_key_halts_the_job() {
    let run = |key: fn(i64) -> Option<Vec<u8>>, records: i64| {
        let job = job_of_partitions(MisplacedRecordPolicy::Warn, None);
        run_job(job, key, SlowRows::default(), [record_step((0..records).map(|n| event_json("a", n)))])
    };
    let (metrics, outcome) = run(|offset| (offset % 2 == 0).then(|| b"a".to_vec()), 1_000);
    assert_eq!(outcome.expect("half of them have keys"), WorkerOutcome::Stopped);
    assert_eq!(metrics.dead_letters.get(), 500);
    // Later records may have none: the topic was keyed once.
    let (metrics, outcome) = run(|offset| (offset < 600).then(|| b"a".to_vec()), 5_000);
    assert_eq!(outcome.expect("half of the first thousand have keys"), WorkerOutcome::Stopped);
    assert_eq!(metrics.dead_letters.get(), 4_500);
    let (metrics, outcome) = run(|offset| (offset % 3 == 0).then(|| b"a".to_vec()), 5_000);
    let halt = outcome.expect_err("two thirds have no key").to_string();
    assert!(
        halt.starts_with("most of the first records of partition 3 have no key (501, the last at offset 8"),
        "{halt}"
    );
    assert_eq!((metrics.dead_letters.get(), metrics.misplaced_records.get()), (500, 0));
}

/// An empty key says nothing about the user. Kafka's Java client sends such records to one partition, and the default
/// partitioner of librdkafka to any.
#[test]
fn an_empty_record_key_is_like_none_unless_the_entity_key_is_empty_too() {
    let run = |key: fn(i64) -> Option<Vec<u8>>, user: &str, records: i64| {
        let job = job_of_partitions(MisplacedRecordPolicy::Warn, None);
        run_job(job, key, SlowRows::default(), [record_step((0..records).map(|n| event_json(user, n)))])
    };
    let (metrics, outcome) = run(|offset| Some(if offset % 2 == 0 { b"a".to_vec() } else { Vec::new() }), "a", 1_000);
    assert_eq!(outcome.expect("half of them have keys"), WorkerOutcome::Stopped);
    assert_eq!(metrics.dead_letters.get(), 500);
    let letters = metrics.recent_events.dead_letters();
    let Some(DeadLetterRecord::Record { reason, key, .. }) = letters.first() else { panic!("a record: {letters:?}") };
    assert_eq!(reason, "the record has an empty key; in a topic of several partitions, its key must be `user_id`");
    assert_eq!(key.as_ref().map(|key| key.full_byte_count), Some(0));

    let (_, outcome) = run(|_| Some(Vec::new()), "a", 5_000);
    let halt = outcome.expect_err("in effect, the topic has no keys").to_string();
    assert!(
        halt.starts_with(
            "most of the first records of partition 3 have no key or an empty one (501, the last at offset 600)"
        ),
        "{halt}"
    );

    let (metrics, outcome) = run(|_| Some(Vec::new()), "", 5_000);
    assert_eq!(outcome.expect("the key is the user"), WorkerOutcome::Stopped);
    assert_eq!(metrics.dead_letters.get(), 0);
}

/// Evidence is lost at a restart, so it must not decide about dead letters.
#[test]
fn records_that_only_evidence_finds_are_shown_and_processed_with_dead_letter() {
    let run = |policy| {
        // The declared partitioner places all of these keys in partition 3, and each user has several of them.
        let record_key = |offset: i64| {
            let mut keys = (0..).map(|n| format!("order-{offset}-{n}").into_bytes());
            keys.find(|key| is_placed_by_murmur2(key, 3, 8))
        };
        let records = record_step((0..1_000).map(|n| event_json(&format!("user-{}", n % 50), n)));
        run_job(job_of_partitions(policy, Some(Partitioner::Murmur2)), record_key, SlowRows::default(), [records])
    };
    let (metrics, outcome) = run(MisplacedRecordPolicy::DeadLetter);
    assert_eq!(outcome.expect("it goes on"), WorkerOutcome::Stopped);
    assert!(metrics.misplaced_records.get() > 500, "{}", metrics.misplaced_records.get());
    assert_eq!(metrics.dead_letters.get(), 0);
    assert_eq!(metrics.recent_events.input_problems().len(), 1);
    let halt = run(MisplacedRecordPolicy::Halt).1.expect_err("evidence halts").to_string();
    assert!(halt.contains("because the record key is not the entity key"), "{halt}");
}

/// Returns whether the partitioner of Java clients places `key` in `partition`.
fn is_placed_by_murmur2(key: &[u8], partition: u32, partition_count: u32) -> bool {
    const MULTIPLIER: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ u32::try_from(key.len()).expect("short");
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed.wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        for (index, &byte) in rest.iter().enumerate() {
            hash ^= u32::from(byte) << (8 * index);
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    ((hash ^ (hash >> 15)) & 0x7fff_ffff) % partition_count == partition
}

/// Twelve users with one record each. Murmur2 places `user-0`, `user-3` and `user-9` in partition 3 of 8.
fn run_twelve_users(
    policy: MisplacedRecordPolicy,
    declared_partitioner: Option<Partitioner>,
) -> (Arc<WorkerMetrics>, Result<WorkerOutcome, Halt>) {
    let record_key = |offset| Some(format!("user-{}", offset - 100).into_bytes());
    let records = record_step((0..12).map(|n| event_json(&format!("user-{n}"), n)));
    run_job(job_of_partitions(policy, declared_partitioner), record_key, SlowRows::default(), [records])
}

#[test]
fn misplaced_records_are_processed_refused_or_halt_the_job() {
    let murmur2 = Some(Partitioner::Murmur2);
    let (metrics, outcome) = run_twelve_users(MisplacedRecordPolicy::Warn, murmur2);
    assert_eq!(outcome.expect("it goes on"), WorkerOutcome::Stopped);
    assert_eq!((metrics.misplaced_records.get(), metrics.dead_letters.get()), (9, 0));
    assert_eq!(metrics.entity_count.load(std::sync::atomic::Ordering::Relaxed), 12);
    let problems = metrics.recent_events.input_problems();
    let [InputProblem { kind: InputProblemKind::MisplacedRecord, description, remedy, .. }] = &problems[..] else {
        panic!("one problem: {problems:?}");
    };
    assert_eq!(
        description,
        "Records are in the wrong partition, because the declared partitioner gives the record key another partition. The \
         record at offset 101 with the key `user-1` and user_id `user-1` is in partition 3 and belongs in partition 4"
    );
    assert_eq!(remedy, "Make all producers send `user_id` as the record key, with the same partitioner.");

    let (metrics, outcome) = run_twelve_users(MisplacedRecordPolicy::DeadLetter, murmur2);
    assert_eq!(outcome.expect("it goes on"), WorkerOutcome::Stopped);
    assert_eq!((metrics.misplaced_records.get(), metrics.dead_letters.get()), (9, 9));
    assert_eq!(metrics.entity_count.load(std::sync::atomic::Ordering::Relaxed), 3);

    let (metrics, outcome) = run_twelve_users(MisplacedRecordPolicy::Halt, murmur2);
    let halt = outcome.expect_err("the second record is misplaced").to_string();
    assert_eq!(
        halt,
        "the record at offset 101 of partition 3 of topic `events` is misplaced: user_id `user-1` belongs in partition 4, \
         because the declared partitioner gives the record key another partition (this record has the key `user-1`). The \
         events of one entity are spread over partitions, and each window counts only some of them"
    );
    assert_eq!((metrics.misplaced_records.get(), metrics.dead_letters.get()), (1, 0));

    let (metrics, outcome) = run_twelve_users(MisplacedRecordPolicy::Halt, None);
    assert_eq!(outcome.expect("twelve users are no evidence"), WorkerOutcome::Stopped);
    assert_eq!(metrics.misplaced_records.get(), 0);
}

/// A view with a sum of longs, and a sum and an average of doubles.
fn job_with_sums() -> JobDefinition {
    let schema = EventSchema::new(
        "user_id",
        [("cents", FieldType::Long), ("price", FieldType::Double)]
            .map(|(name, field_type)| EventField { name: name.into(), field_type }),
    );
    let features = vec![
        feature("n", Aggregate::Count),
        feature("cents", Aggregate::Sum(FieldId(1))),
        feature("price", Aggregate::Sum(FieldId(2))),
        feature("mean", Aggregate::Avg(FieldId(2))),
    ];
    let view = FeatureView {
        name: "second".into(),
        window: ONE_SECOND_WINDOW,
        allowed_lateness_ms: 0,
        empty_window_policy: EmptyWindowPolicy::KeepRow,
        features,
    };
    JobDefinition { max_out_of_orderness_ms: 10, ..job_with_views(schema, "at", vec![view]) }
}

#[test]
fn sums_that_overflow_are_counted_for_their_feature_and_shown() {
    let event =
        |cents: i64, price: &str| format!(r#"{{"user_id":"a","at":5,"cents":{cents},"price":{price}}}"#).into_bytes();
    let records = [event(i64::MAX, "1e308"), event(1, "-1"), event(1, "1e308"), event(1, "1e308"), event(-3, "1")];
    let key = |_| Some(b"a".to_vec());
    let (metrics, outcome) = run_job(job_with_sums(), key, SlowRows::default(), [record_step(records)]);
    assert_eq!(outcome.expect("nothing halts it"), WorkerOutcome::Stopped);
    let overflows = &metrics.view_metrics[0].feature_overflows;
    // The sum of the longs wraps around and back; that of the doubles becomes infinite once.
    assert_eq!([0, 1, 2, 3].map(|index| overflows.overflow_count(index)), [0, 2, 1, 1]);
    let problems = metrics.recent_events.input_problems();
    let expected = ["cents", "price", "mean"].map(|feature| {
        format!("Sums of feature `{feature}` of `second` do not fit into their type: longs wrap around, doubles become infinite")
    });
    let is_overflow = |problem: &&InputProblem| matches!(problem.kind, InputProblemKind::FeatureOverflow { .. });
    let descriptions: Vec<_> = problems.iter().filter(is_overflow).map(|problem| problem.description.clone()).collect();
    assert_eq!(descriptions, expected, "each feature that overflowed");
}

/// A partition leaves right after the overflow, before the metrics are published again, or a record halts the job.
#[test]
fn overflows_are_counted_although_the_partition_leaves_at_once() {
    let event = |cents: i64| format!(r#"{{"user_id":"a","at":5,"cents":{cents}}}"#).into_bytes();
    let overflow = || record_step([event(i64::MAX), event(1)]);
    for step in [ScriptStep::Lost, ScriptStep::Finished] {
        let (metrics, outcome) =
            run_job(job_with_sums(), |_| Some(b"a".to_vec()), SlowRows::default(), [overflow(), step]);
        outcome.expect("nothing halts it");
        assert_eq!(metrics.view_metrics[0].feature_overflows.overflow_count(1), 1);
    }
    let key = |offset: i64| (offset < 102).then(|| b"a".to_vec());
    let job = JobDefinition {
        record_placement: RecordPlacementRules { partition_count: 8, ..RecordPlacementRules::SINGLE_PARTITION },
        ..job_with_sums()
    };
    let records = [event(i64::MAX), event(1)].into_iter().chain((0..600).map(|_| event(0)));
    let (metrics, outcome) = run_job(job, key, SlowRows::default(), [record_step(records)]);
    outcome.expect_err("most records have no key");
    assert_eq!(metrics.view_metrics[0].feature_overflows.overflow_count(1), 1);
}
