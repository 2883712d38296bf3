//! Windows that fire again because of late events, over kills between the firings (window rules 15 and 16).

use windrow_test_support::wait_until;

use crate::support::kafka::{OutgoingRecord, kafka_or_skip};
use crate::support::redis::{Redis, RowsByKey};
use crate::support::windrow::TestJob;

const TEN_O_CLOCK_MS: i64 = 1_704_103_200_000;

/// Returns an event `minutes` after ten.
fn event_at(user: &str, minutes: i64, event_type: &str) -> OutgoingRecord {
    let time = TEN_O_CLOCK_MS + minutes * 60_000;
    let payload = format!(r#"{{"event_time":{time},"event_type":"{event_type}","user_id":"{user}","price":2}}"#);
    OutgoingRecord::new_in_partition(0, time, &payload).with_key(user)
}

fn session_key(minutes: i64) -> String {
    format!("session_features:u:{}", TEN_O_CLOCK_MS + minutes * 60_000)
}

fn feature(rows: &RowsByKey, key: &str, name: &str) -> Option<String> {
    rows.get(key)?.get(name).cloned()
}

/// The process is killed between the first firing of a session and the second, and again after the second, which no
/// checkpoint covers.
#[test]
fn a_window_fires_again_after_a_kill() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    let mut run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    run.set_override("feature_view.session_features.allowed_lateness=1h");
    run.set_override("feature_view.user_features.allowed_lateness=1h");
    let folder = tempfile::tempdir().expect("a folder");
    let start = |name: &str, arguments: &[&str]| {
        run.start(&[&["--workers", "1", "--instance", "one"][..], arguments].concat(), &folder.path().join(name))
    };
    let await_row = |key: &str, name: &str, value: &str| {
        wait_until("the row", || feature(&redis.read_rows(), key, name).as_deref() == Some(value));
    };
    let is_committed = |offset: i64| kafka.committed_offsets(&run.group, &topic, 1) == [offset];

    let first = start("first", &[]);
    kafka.produce(&topic, &[event_at("u", 0, "view"), event_at("u", 2, "cart"), event_at("clock", 31, "view")]);
    await_row(&session_key(0), "event_count", "2");
    wait_until("a checkpoint holds the session that has fired", || is_committed(3));
    first.kill();

    // The sessions 09:55 to 10:05 and 10:00 to 10:12 are one.
    kafka.produce(&topic, &[event_at("u", -5, "purchase"), event_at("u", -36, "view")]);
    let second = start("second", &["--set", "checkpoint.every=1h"]);
    await_row(&session_key(-36), "event_count", "1");
    let rows = redis.read_rows();
    assert_eq!(feature(&rows, &session_key(-5), "event_count").as_deref(), Some("3"), "{rows:?}");
    assert!(!rows.contains_key(&session_key(0)), "the superseded row is there: {rows:?}");
    // The window 09:30 to 10:30 holds the purchase, but not the view at 09:24. The older windows of this view fired after it.
    let features = ["view_count_1h", "cart_count_1h", "purchase_count_1h"];
    let counts = features.map(|name| feature(&rows, "user_features:u", name).unwrap_or_default());
    assert_eq!(counts, ["1", "1", "1"], "{rows:?}");
    second.kill();

    // Rows that Redis has are not written again, so a row that is deleted by hand stays deleted.
    let deleted: u64 =
        redis::cmd("DEL").arg(session_key(-36)).query(&mut redis.connect()).expect("Redis deletes a key");
    assert_eq!(deleted, 1);
    let third = start("third", &[]);
    // Extends the session 09:55 to 10:12 beyond the watermark, so that it fires later, once more with another key.
    kafka.produce(&topic, &[event_at("u", -14, "view"), event_at("u", 22, "view"), event_at("u", 12, "view")]);
    wait_until("a checkpoint holds the session that waits", || is_committed(8));
    let rows = redis.read_rows();
    let [replaced, waiting] = [-5, -14].map(|minutes| feature(&rows, &session_key(minutes), "event_count"));
    assert_eq!((replaced, waiting.as_deref()), (None, Some("4")), "{rows:?}");
    third.kill();

    kafka.produce(&topic, &[event_at("u", -20, "cart"), event_at("clock", 60, "view")]);
    let fourth = start("fourth", &[]);
    await_row(&session_key(-20), "event_count", "7");
    let rows = redis.read_rows();
    let sessions: Vec<&String> = rows.keys().filter(|key| key.starts_with("session_features:u:")).collect();
    assert_eq!(sessions, [&session_key(-20)], "{rows:?}");
    fourth.stop(&folder.path().join("fourth"));
}
