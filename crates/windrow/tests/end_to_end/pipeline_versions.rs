//! A chain of ten versions of a pipeline on the same state, with kills and restarts in each and between them.
//!
//! A naive model knows which events each feature could see, and computes every row by itself.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::time::Duration;

use serde_json::Value;
use windrow_test_support::wait_until;

use crate::seeded_random::{SeededRandom, read_or_create_seed};
use crate::support::expected::closing_events;
use crate::support::kafka::{OutgoingRecord, TestKafka, kafka_or_skip};
use crate::support::redis::{Redis, RowsByKey};
use crate::support::rows::await_same_rows;
use crate::support::windrow::TestJob;
use crate::topic::read_log;

const PARTITIONS: i32 = 2;
const EVENTS_PER_VERSION: usize = 160;
/// The time between two events of a partition. The events of a version span 80 minutes.
const EVENT_STEP_MS: i64 = 30_000;
const FIRST_EVENT_MS: i64 = 1_704_103_200_000;
const OUT_OF_ORDERNESS_MS: i64 = 10_000;
const MINUTE_MS: i64 = 60_000;
const SLIDE_MS: i64 = 10 * MINUTE_MS;
const SESSION_GAP_MS: i64 = 2 * MINUTE_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const KINDS: [&str; 3] = ["view", "cart", "purchase"];

#[derive(Clone)]
struct ChainEvent {
    /// The version of the pipeline that reads the event.
    version: usize,
    user: String,
    time_ms: i64,
    kind: &'static str,
    units: i64,
    /// Whether a pane of the sliding view holds the event.
    is_in_pane: bool,
}

#[derive(Clone, Copy)]
enum ChainAggregate {
    Count,
    Sum,
    Max,
}

/// A feature, with the version whose events are the first that it sees.
#[derive(Clone)]
struct ChainFeature {
    name: &'static str,
    since: usize,
    aggregate: ChainAggregate,
    kind: Option<&'static str>,
    more_units_than: Option<i64>,
}

impl ChainFeature {
    const fn new(name: &'static str, since: usize, aggregate: ChainAggregate, kind: Option<&'static str>) -> Self {
        Self { name, since, aggregate, kind, more_units_than: None }
    }

    fn to_toml(&self) -> String {
        let call = match self.aggregate {
            ChainAggregate::Count => r#"count = "*""#,
            ChainAggregate::Sum => r#"sum = "units", default = 0"#,
            ChainAggregate::Max => r#"max = "units", default = 0"#,
        };
        let kind = self.kind.map(|kind| format!("kind = '{kind}'"));
        let units = self.more_units_than.map(|units| format!("units > {units}"));
        let conditions: Vec<String> = kind.into_iter().chain(units).collect();
        let condition =
            if conditions.is_empty() { String::new() } else { format!(", where = \"{}\"", conditions.join(" AND ")) };
        format!("{} = {{ {call}{condition} }}", self.name)
    }

    fn value(&self, events: &[&ChainEvent]) -> String {
        let is_seen = |event: &&&ChainEvent| {
            event.version >= self.since
                && self.kind.is_none_or(|kind| event.kind == kind)
                && self.more_units_than.is_none_or(|units| event.units > units)
        };
        let units = events.iter().filter(is_seen).map(|event| event.units);
        match self.aggregate {
            ChainAggregate::Count => units.count().to_string(),
            ChainAggregate::Sum => units.sum::<i64>().to_string(),
            ChainAggregate::Max => units.max().unwrap_or(0).to_string(),
        }
    }
}

/// One version of the pipeline.
struct ChainVersion {
    size_ms: i64,
    sliding: Vec<ChainFeature>,
    sessions: Vec<ChainFeature>,
    /// The names with which `--drop-state` permits what the version loses.
    dropped: &'static [&'static str],
}

impl ChainVersion {
    fn to_toml(&self) -> String {
        let features = |features: &[ChainFeature]| -> String {
            features.iter().map(|feature| format!("{}\n", feature.to_toml())).collect()
        };
        let mut text = format!(
            r#"
name = "chain"
[source.kafka]
brokers = "localhost:9092"
topic = "chain"
group = "chain"
[event]
key = "user_id"
time = "event_time"
[event.fields]
kind = "string"
units = "long"
[watermark]
max_out_of_orderness = "10s"
[sink.redis]
url = "redis://localhost:6379"
[feature_view.f]
window.sliding = {{ size = "{}m", slide = "10m" }}
key = "f:{{user_id}}:{{window_start}}"
ttl = "1h"
[feature_view.f.features]
{}"#,
            self.size_ms / MINUTE_MS,
            features(&self.sliding)
        );
        if !self.sessions.is_empty() {
            let features = features(&self.sessions);
            write!(
                text,
                "[feature_view.s]\nwindow.session = {{ gap = \"2m\" }}\nkey = \"s:{{user_id}}:{{window_start}}\"\nttl = \
                 \"1h\"\n[feature_view.s.features]\n{features}"
            )
            .expect("a string takes it");
        }
        text
    }
}

fn ten_versions() -> Vec<ChainVersion> {
    use ChainAggregate::{Count, Max, Sum};
    let feature = ChainFeature::new;
    let n = || feature("n", 0, Count, None);
    let page_views = || feature("page_views", 0, Count, Some("view"));
    let large_views = |name| ChainFeature { more_units_than: Some(5), ..feature(name, 4, Count, Some("view")) };
    let hour = |sliding| ChainVersion { size_ms: HOUR_MS, sliding, sessions: Vec::new(), dropped: &[] };
    let buys = || feature("buys", 6, Count, Some("purchase"));
    let last_sliding = || vec![large_views("views"), feature("top", 3, Max, None), buys()];
    let events = || feature("events", 8, Count, None);
    vec![
        hour(vec![n(), feature("views", 0, Count, Some("view"))]),
        // An added feature.
        hour(vec![n(), feature("carts", 1, Sum, Some("cart")), feature("views", 0, Count, Some("view"))]),
        // A renamed one.
        hour(vec![n(), feature("carts", 1, Sum, Some("cart")), page_views()]),
        // A removed one and an added one.
        ChainVersion { dropped: &["f.carts"], ..hour(vec![n(), page_views(), feature("largest", 3, Max, None)]) },
        // A changed one, in another order.
        ChainVersion {
            dropped: &["f.page_views"],
            ..hour(vec![feature("largest", 3, Max, None), large_views("page_views"), n()])
        },
        // A longer window.
        ChainVersion {
            size_ms: 2 * HOUR_MS,
            ..hour(vec![feature("largest", 3, Max, None), large_views("page_views"), n()])
        },
        // The longer window, with an added and two renamed features.
        ChainVersion {
            size_ms: 2 * HOUR_MS,
            ..hour(vec![n(), large_views("views"), feature("top", 3, Max, None), buys()])
        },
        // A shorter window.
        hour(vec![n(), large_views("views"), feature("top", 3, Max, None), buys()]),
        // An added view.
        ChainVersion {
            sessions: vec![events()],
            ..hour(vec![n(), large_views("views"), feature("top", 3, Max, None), buys()])
        },
        // A feature that is added to it, and one that is removed from the other.
        ChainVersion {
            sessions: vec![feature("spent", 9, Sum, Some("purchase")), events()],
            dropped: &["f.n"],
            ..hour(last_sliding())
        },
    ]
}

fn generate_partition_events(partition: i32, version_count: usize, dice: &mut SeededRandom) -> Vec<ChainEvent> {
    let mut time_ms = FIRST_EVENT_MS;
    let mut events = Vec::new();
    for version in 0..version_count {
        for _ in 0..EVENTS_PER_VERSION {
            time_ms += EVENT_STEP_MS;
            events.push(ChainEvent {
                version,
                user: format!("{partition}-{}", dice.between(0, 5)),
                time_ms,
                kind: KINDS[usize::try_from(dice.between(0, 3)).expect("small")],
                units: i64::try_from(dice.between(1, 20)).expect("small"),
                is_in_pane: true,
            });
        }
    }
    events
}

fn to_record(partition: i32, event: &ChainEvent) -> OutgoingRecord {
    let ChainEvent { user, time_ms, kind, units, .. } = event;
    let payload = format!(r#"{{"event_time":{time_ms},"user_id":"{user}","kind":"{kind}","units":{units}}}"#);
    OutgoingRecord {
        partition: Some(partition),
        key: Some(user.clone().into_bytes()),
        payload: Some(payload.into_bytes()),
        ..OutgoingRecord::default()
    }
}

/// Computes the rows of one partition, version by version.
struct ChainModel<'a> {
    versions: &'a [ChainVersion],
    events: Vec<ChainEvent>,
    /// Sessions that have not fired: the events of each.
    sessions: Vec<Vec<ChainEvent>>,
    rows: RowsByKey,
}

impl<'a> ChainModel<'a> {
    fn compute_rows(versions: &'a [ChainVersion], events: Vec<ChainEvent>) -> RowsByKey {
        let mut model = Self { versions, events, sessions: Vec::new(), rows: RowsByKey::new() };
        let mut watermark_ms = i64::MIN;
        for index in 0..model.events.len() {
            let event = model.events[index].clone();
            if index > 0 && event.version != model.events[index - 1].version {
                model.begin_version(index, event.version, watermark_ms);
            }
            if !versions[event.version].sessions.is_empty() {
                model.add_to_session(event.clone());
            }
            let next_ms = event.time_ms - OUT_OF_ORDERNESS_MS - 1;
            model.fire_due_windows(event.version, index + 1, (watermark_ms, next_ms));
            watermark_ms = next_ms;
        }
        model.fire_due_windows(versions.len() - 1, model.events.len(), (watermark_ms, watermark_ms + 1_000 * HOUR_MS));
        model.rows
    }

    /// The panes of the first `event_count` events whose last window has fired are gone, if the windows have another length.
    fn begin_version(&mut self, event_count: usize, version: usize, watermark_ms: i64) {
        let [before, now] = [version - 1, version].map(|version| self.versions[version].size_ms);
        if before != now {
            for event in &mut self.events[..event_count] {
                event.is_in_pane &= event.time_ms / SLIDE_MS * SLIDE_MS + before - 1 > watermark_ms;
            }
        }
    }

    fn add_to_session(&mut self, event: ChainEvent) {
        let is_same = |session: &&mut Vec<ChainEvent>| {
            session.last().is_some_and(|last| last.user == event.user && last.time_ms + SESSION_GAP_MS >= event.time_ms)
        };
        match self.sessions.iter_mut().find(is_same) {
            Some(session) => session.push(event),
            None => self.sessions.push(vec![event]),
        }
    }

    /// Fires the windows that end between two watermarks.
    fn fire_due_windows(&mut self, version: usize, event_count: usize, (from_ms, to_ms): (i64, i64)) {
        let ChainVersion { size_ms, sliding, sessions, .. } = &self.versions[version];
        let first_end = (from_ms.max(FIRST_EVENT_MS - HOUR_MS) + 1) / SLIDE_MS * SLIDE_MS;
        let last_event_ms = self.events[event_count - 1].time_ms;
        let mut end = first_end;
        while end - 1 <= to_ms && end <= last_event_ms + size_ms + SLIDE_MS {
            let is_inside = |event: &&ChainEvent| {
                event.is_in_pane && (end - size_ms..end).contains(&event.time_ms) && end - 1 > from_ms
            };
            let mut by_user: BTreeMap<&str, Vec<&ChainEvent>> = BTreeMap::new();
            for event in self.events[..event_count].iter().filter(is_inside) {
                by_user.entry(&event.user).or_default().push(event);
            }
            for (user, events) in by_user {
                self.rows.insert(format!("f:{user}:{}", end - size_ms), describe_row(user, sliding, &events));
            }
            end += SLIDE_MS;
        }
        let is_due =
            |session: &Vec<ChainEvent>| session.last().is_some_and(|last| last.time_ms + SESSION_GAP_MS - 1 <= to_ms);
        let (due, open): (Vec<_>, Vec<_>) = std::mem::take(&mut self.sessions).into_iter().partition(is_due);
        self.sessions = open;
        for session in due {
            let (user, start) = (&session[0].user, session[0].time_ms);
            let events: Vec<&ChainEvent> = session.iter().collect();
            self.rows.insert(format!("s:{user}:{start}"), describe_row(user, sessions, &events));
        }
    }
}

fn describe_row(user: &str, features: &[ChainFeature], events: &[&ChainEvent]) -> BTreeMap<String, String> {
    let values = features.iter().map(|feature| (feature.name.to_owned(), feature.value(events)));
    values.chain([("user_id".to_owned(), user.to_owned())]).collect()
}

/// The job under test, and the files that it shares with all versions.
struct VersionChain<'a> {
    kafka: &'a TestKafka,
    topic: String,
    run: TestJob,
    folder: tempfile::TempDir,
    dice: SeededRandom,
}

impl VersionChain<'_> {
    /// Runs `windrow check --against` and returns its exit code and its JSON.
    fn check_against_state(&self) -> (Option<i32>, Value) {
        let state = self.run.state.path().display().to_string();
        let output = self.run.pipeline_command(&["check"], &["--against", &state, "--json"]).output().expect("it runs");
        let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), json)
    }

    /// Reads `records` up to the offset `end` of each partition, with a kill in between.
    fn read_records(&mut self, records: &[OutgoingRecord], end: i64, flags: &[&str]) {
        let log = self.folder.path().join("log");
        let arguments = [&["--workers", "1", "--instance", "one"], flags].concat();
        let half = records.len() / 2;
        self.kafka.produce(&self.topic, &records[..half]);
        let running = self.run.start(&arguments, &log);
        // Sometimes it dies before it reads anything, sometimes before the first checkpoint, sometimes later.
        if self.dice.between(0, 3) > 0 {
            wait_until("it reads records", || read_log(&log).contains("reading partitions"));
        }
        std::thread::sleep(Duration::from_millis(self.dice.between(0, 600)));
        running.kill();
        let running = self.run.start(&arguments, &log);
        self.kafka.produce(&self.topic, &records[half..]);
        let committed = || self.kafka.committed_offsets(&self.run.group, &self.topic, PARTITIONS);
        wait_until("everything is committed", || committed().iter().all(|offset| *offset == end));
        if self.dice.between(0, 2) == 0 {
            running.kill();
        } else {
            running.stop(&log);
        }
        let text = read_log(&log);
        assert!(!text.contains("panicked") && !text.contains("ERROR"), "{text}");
    }

    fn assert_halts(&self, name: &str) {
        let log = self.folder.path().join("halted");
        let mut running = self.run.start(&["--workers", "1", "--instance", "one"], &log);
        assert_eq!(running.wait_for_exit(), Some(14), "{}", read_log(&log));
        let text = read_log(&log);
        assert!(text.contains(&format!("--drop-state {name}")), "{text}");
    }
}

#[test]
fn ten_versions_of_a_pipeline_keep_what_each_feature_has_seen() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let seed = read_or_create_seed();
    let mut dice = SeededRandom::new(seed);
    let versions = ten_versions();
    let events: Vec<Vec<ChainEvent>> =
        (0..PARTITIONS).map(|partition| generate_partition_events(partition, versions.len(), &mut dice)).collect();
    let topic = kafka.create_unique_topic(PARTITIONS, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let pipeline = folder.path().join("chain.toml");
    let run = TestJob::with_pipeline(pipeline.clone(), &kafka.brokers, &redis.url(), &topic);
    let mut chain = VersionChain { kafka: &kafka, topic, run, folder, dice };
    for (index, version) in versions.iter().enumerate() {
        fs::write(&pipeline, version.to_toml()).expect("written");
        let flags: Vec<&str> = version.dropped.iter().flat_map(|name| ["--drop-state", name]).collect();
        if index > 0 {
            let (code, compared) = chain.check_against_state();
            assert_eq!(code, Some(if flags.is_empty() { 0 } else { 14 }), "version {index}: {compared}");
            assert_eq!(compared["drop_state"], Value::from(version.dropped.to_vec()), "version {index}: {compared}");
            if index == 9 {
                let spent = &compared["views"][1]["features"][0];
                let first_complete = last_event_ms_before(index) + 1 + SESSION_GAP_MS;
                assert_eq!((&spent["name"], &spent["state"]), (&"spent".into(), &"added".into()), "{compared}");
                assert_eq!(spent["complete_from_ms"], first_complete, "{compared}");
            }
            version.dropped.iter().for_each(|name| chain.assert_halts(name));
        }
        let is_of_version = |event: &&ChainEvent| event.version == index;
        let of_partitions = (0..PARTITIONS).zip(&events);
        let records: Vec<Vec<OutgoingRecord>> = of_partitions
            .map(|(partition, events)| {
                events.iter().filter(is_of_version).map(|event| to_record(partition, event)).collect()
            })
            .collect();
        let interleaved: Vec<OutgoingRecord> =
            (0..EVENTS_PER_VERSION).flat_map(|at| records.iter().map(move |records| records[at].clone())).collect();
        let end = i64::try_from((index + 1) * EVENTS_PER_VERSION).expect("small");
        chain.read_records(&interleaved, end, &flags);
        let (code, compared) = chain.check_against_state();
        assert_eq!(code, Some(0), "the decision is stored: {compared}");
        if index == 6 {
            // Its windows of two hours have not all fired within the 80 minutes of a version.
            let first_complete = (last_event_ms_before(index) + 1 + SLIDE_MS - 1) / SLIDE_MS * SLIDE_MS;
            assert_eq!(shown_completeness(&chain), BTreeMap::from([("f.buys".to_owned(), first_complete)]));
        }
    }
    // Only a restart tells that no session of that time is left.
    let mut shown = shown_completeness(&chain);
    let spent = shown.remove("s.spent");
    assert!(spent.is_none_or(|from| from == last_event_ms_before(9) + 1 + SESSION_GAP_MS), "{spent:?}");
    assert_eq!(shown, BTreeMap::new(), "all windows of that time have fired");
    let end = i64::try_from(versions.len() * EVENTS_PER_VERSION).expect("small") + 1;
    chain.read_records(&closing_records(), end, &[]);
    let mut expected = RowsByKey::new();
    for events in events {
        expected.extend(ChainModel::compute_rows(&versions, events));
    }
    assert!(expected.len() > 200, "{} rows say little", expected.len());
    await_same_rows(&expected, &redis, "after ten versions");
}

/// The closing events, with event times as numbers.
fn closing_records() -> Vec<OutgoingRecord> {
    let close = |record: OutgoingRecord| OutgoingRecord {
        payload: Some(br#"{"event_time":1706788800000,"user_id":"closing"}"#.to_vec()),
        ..record
    };
    closing_events(PARTITIONS).into_iter().map(close).collect()
}

/// Returns the first complete windows that `windrow state show` shows, by view and feature.
fn shown_completeness(chain: &VersionChain<'_>) -> BTreeMap<String, i64> {
    let job = chain.run.state.path().join("chain").join(&chain.run.group);
    let output = chain.run.run_state_command(&["show", &job.display().to_string(), "--json"]);
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut complete_from = BTreeMap::new();
    for view in shown["views"].as_array().expect("views") {
        for (feature, from) in view["complete_from_ms"].as_object().expect("features") {
            let name = format!("{}.{feature}", view["name"].as_str().expect("a name"));
            complete_from.insert(name, from.as_i64().expect("a time"));
        }
    }
    complete_from
}

/// Returns the time of the last event before a version, the same in all partitions.
fn last_event_ms_before(version: usize) -> i64 {
    FIRST_EVENT_MS + i64::try_from(version * EVENTS_PER_VERSION).expect("small") * EVENT_STEP_MS
}
