//! The shapes of `docs/rest_api.md`.

use serde_json::Value;
use windrow_connectors::redis::{NOT_ACKNOWLEDGED, WrittenRow};
use windrow_core::ViewId;
use windrow_web::report::{
    DeadLetterReport, InstanceState, LateEventReport, ParkedPartitionReport, ReachabilityReport, RecordExcerpt,
};

use crate::support::{TestServer, instance_report, now_ms};

const HOSTILE: &str = "<script>alert(1)</script>\u{0}\n\"'\u{1F600}";

/// Returns the names of an object's members.
fn member_names(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

/// Returns the JSON example of the documentation for a URL.
fn documented_example(url: &str) -> Value {
    let docs = include_str!("../../../../docs/rest_api.md");
    let after = docs.split_once(&format!("## `{url}`")).expect(url).1;
    let block = after.split_once("```json").expect(url).1.split_once("```").expect(url).0;
    serde_json::from_str(block).unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[test]
fn pages_say_what_is_documented() {
    let site = TestServer::start();
    for (url, asked) in [
        ("/api/overview", "/api/overview"),
        ("/api/checkpoints", "/api/checkpoints"),
        ("/api/features?user=111", "/api/features"),
        ("/api/rows", "/api/rows"),
        ("/api/problems", "/api/problems"),
        ("/api/pipeline", "/api/pipeline"),
    ] {
        let (documented, said) = (documented_example(url), site.json(asked));
        let mut expected = member_names(&documented);
        let mut found = member_names(&said);
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{url}");
        for name in expected {
            for inner in member_names(&documented[&name]).into_iter().filter(|inner| inner != "…") {
                assert!(said[&name].get(&inner).is_some(), "{url}: {name}.{inner}");
            }
        }
    }
    let overview = site.json("/api/overview");
    let stages = documented_example("/api/overview")["stages"].clone();
    for documented in stages.as_array().expect("stages") {
        let all = overview["stages"].as_array().expect("stages");
        let said = all.iter().find(|stage| stage["id"] == documented["id"]).expect("the stage");
        for name in member_names(documented) {
            assert!(said.get(&name).is_some(), "{}.{name}", documented["id"]);
        }
        for name in member_names(&documented["facts"]) {
            assert!(said["facts"].get(&name).is_some(), "{}.facts.{name}", documented["id"]);
        }
    }
    let details: Vec<_> =
        overview["stages"].as_array().expect("stages").iter().map(|it| it["detail"].clone()).collect();
    assert_eq!(details[0], "ecommerce-events, 4 partitions");
    assert_eq!(details[2], "sliding 1 h every 10 min");
    assert_eq!(overview["job"]["state"], "running");
}

#[test]
fn a_parked_partition_is_listed_with_its_fault() {
    let mut report = instance_report("00000000000000aa", &[0, 2]);
    report.parked_partitions = vec![ParkedPartitionReport {
        partition: 3,
        parked_at_ms: 1_000,
        retry_at_ms: 6_000,
        fault: "no checkpoint can be read".to_owned(),
        remedy: "Restore the checkpoints".to_owned(),
    }];
    let host = report.host.clone();
    let site = TestServer::with("memory:", report, None);
    let said = site.json("/api/partitions");
    let parked = serde_json::json!({
        "partition": 3, "since_ms": 1_000, "retry_at_ms": 6_000, "fault": "no checkpoint can be read",
        "todo": "Restore the checkpoints", "instance": "00000000000000aa", "host": host, "here": true,
    });
    let expected = serde_json::json!({ "partition": 3, "instance": null, "host": null, "parked": parked });
    assert_eq!(said["partitions"][3], expected);
    // Flink's REST API shows a source task that does not run, in a job that does.
    let jobs = site.json("/jobs/overview");
    assert_eq!(jobs["jobs"][0]["state"], "RUNNING", "{jobs}");
    assert_eq!(jobs["jobs"][0]["tasks"]["scheduled"], 2, "partition 1 has no owner, partition 3 is parked: {jobs}");
}

#[test]
fn an_instance_whose_partitions_are_all_parked_is_not_ready() {
    let mut report = instance_report("00000000000000aa", &[]);
    report.parked_partitions = vec![ParkedPartitionReport { partition: 1, ..ParkedPartitionReport::default() }];
    let site = TestServer::with("memory:", report, None);
    assert_eq!(site.get("/readyz").errors(), "all partitions of this instance are parked because of faults");
    let mut report = instance_report("00000000000000bb", &[0]);
    report.parked_partitions = vec![ParkedPartitionReport { partition: 1, ..ParkedPartitionReport::default() }];
    assert_eq!(TestServer::with("memory:", report, None).get("/readyz").status, 200);
}

#[test]
fn partitions_without_an_owner_are_there() {
    let site = TestServer::with("memory:", instance_report("00000000000000aa", &[0, 2]), None);
    let said = site.json("/api/partitions");
    let partitions = said["partitions"].as_array().expect("partitions");
    assert_eq!(partitions.len(), 4);
    assert_eq!(partitions[0]["here"], true);
    assert_eq!(partitions[0]["lag"], 5);
    assert_eq!(partitions[1], serde_json::json!({ "partition": 1, "instance": null, "host": null, "parked": null }));
    let overview = site.json("/api/overview");
    assert_eq!(overview["job"]["state"], "degraded");
    let said = &overview["attention"][0];
    assert_eq!(said["what"], "No instance reads partitions 1, 3");
    assert_eq!(said["level"], "act");
}

#[test]
fn hostile_users_and_records_are_only_text() {
    let mut said = instance_report("00000000000000aa", &[0]);
    let bytes = |text: &str| RecordExcerpt {
        excerpt_text: text.to_owned(),
        is_valid_utf8: true,
        full_size_bytes: text.len() as u64,
    };
    said.recent_late_events = vec![
        LateEventReport {
            entity_key: HOSTILE.to_owned(),
            record_excerpt: bytes(HOSTILE),
            processed_at_ms: 2,
            ..LateEventReport::default()
        },
        LateEventReport { entity_key: "other".to_owned(), processed_at_ms: 1, ..LateEventReport::default() },
    ];
    said.recent_dead_letters = vec![DeadLetterReport {
        refusal_reason: HOSTILE.to_owned(),
        record_or_redis_key: Some(bytes(HOSTILE)),
        dead_letter_kind: "record".to_owned(),
        refused_at_ms: now_ms(),
        ..DeadLetterReport::default()
    }];
    let row = |at_ms, user: &str| WrittenRow {
        acknowledged_at_ms: at_ms,
        view: ViewId(0),
        redis_key: format!("user_features:{user}"),
        field_values: vec![("user_id".to_owned(), user.to_owned()), ("view_count_1h".to_owned(), at_ms.to_string())],
        ttl_ms: 7_200_000,
    };
    let rows = vec![row(3, HOSTILE), row(2, "other"), row(1, HOSTILE)];
    // No server listens at that port: the rows in Redis are unknown, everything else is known.
    let site = TestServer::with_rows_and_overrides(
        "memory:",
        said,
        None,
        rows,
        &["sink.redis.url=redis://u:hunter2@127.0.0.1:1"],
    );
    let user: String = HOSTILE.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let features = site.json(&format!("/api/features?user={user}"));
    assert_eq!(features["user"], HOSTILE);
    assert_eq!(features["key_field"], "user_id");
    assert_eq!(features["late_events"].as_array().expect("late events").len(), 1);
    assert_eq!(features["dead_letters"][0]["reason"], HOSTILE);
    let recent = features["feature_views"][0]["recent"].as_array().expect("rows");
    assert_eq!(recent.iter().map(|row| row["at_ms"].as_i64()).collect::<Vec<_>>(), [Some(1), Some(3)]);
    assert!(features["redis"]["away_since_ms"].is_i64());
    assert!(features["redis"]["reason"].as_str().expect("a reason").contains("127.0.0.1:1"));
    assert!(!features.to_string().contains("hunter2"));
    assert!(!site.json("/api/overview").to_string().contains("hunter2"));
    assert_eq!(site.json("/api/rows?limit=1")["rows"].as_array().expect("rows").len(), 1);
    assert_eq!(site.json("/api/rows")["rows"][1]["feature_view"], "user_features");
    assert_eq!(site.json("/api/problems")["late_events"][0]["host"], "host-00000000000000aa");
    let long = "x".repeat(1_024);
    assert_eq!(site.json(&format!("/api/features?user={long}"))["user"], long.as_str());
    assert_eq!(site.get("/api/features?user=%FF").header("content-type"), Some("application/json"));
    for wrong in ["/api/rows?limit=-1", "/api/rows/live?limit=x", "/api/overview?history=2"] {
        let refused = site.get(wrong);
        assert_eq!(refused.status, 400, "{wrong}");
        assert!(!refused.errors().is_empty(), "{wrong}");
    }
    assert!(site.json("/api/overview")["history"].is_object());
    assert!(site.json("/api/overview?history=false").get("history").is_none());
}

#[test]
fn health_tells_stuck_from_waiting() {
    let site = TestServer::start();
    assert_eq!((site.get("/healthz").status, site.get("/readyz").status), (200, 200));
    let change = |change: &dyn Fn(&mut windrow_web::InstanceReport)| {
        *site.report_source.0.lock() = instance_report("00000000000000aa", &[0]);
        change(&mut site.report_source.0.lock());
    };
    let away = |reason: &str| ReachabilityReport {
        unreachable_since_ms: Some(now_ms()),
        unreachable_reason: Some(reason.to_owned()),
    };
    change(&|report| report.workers[0].heartbeat_age_ms = 40_000);
    let stuck = site.get("/healthz");
    assert_eq!((stuck.status, stuck.errors()), (503, "worker 0 has been stuck for 40 s".to_owned()));
    // A worker that waits for Redis is no reason to restart the process.
    change(&|report| {
        report.workers[0].heartbeat_age_ms = 40_000;
        report.redis_writer.reachability = away("refused");
    });
    assert_eq!(site.get("/healthz").status, 200);
    assert_eq!(site.get("/readyz").errors(), "Redis is unreachable: refused");
    // Redis answers, but its replicas lack rows: rows can be read, so the page of a user reads them.
    let reason = format!("{NOT_ACKNOWLEDGED}: 0 of 1 replicas have them");
    change(&|report| report.redis_writer.reachability = away(&reason));
    assert_eq!(site.get("/readyz").errors(), format!("Redis: {reason}"));
    let shown = site.json("/api/features?user=u1")["redis"]["reason"].to_string();
    assert!(!shown.contains(NOT_ACKNOWLEDGED), "{shown}");
    // Nor is a worker that waits for Kafka to accept a dead letter.
    change(&|report| {
        report.workers[0].heartbeat_age_ms = 40_000;
        report.kafka_reachability = away("no broker");
    });
    assert_eq!(site.get("/healthz").status, 200);
    change(&|report| report.kafka_reachability = away("no broker"));
    assert_eq!(site.get("/readyz").errors(), "Kafka is unreachable: no broker");
    change(&|report| report.checkpoint_store_reachability = away("no answer"));
    assert_eq!(site.get("/readyz").errors(), "the checkpoint store is unreachable: no answer");
    change(&|report| report.state = InstanceState::Starting);
    assert_eq!((site.get("/readyz").status, site.get("/readyz").errors()), (503, "starting".to_owned()));
}
