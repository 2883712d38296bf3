//! Every GET, as a snapshot.

use crate::reports::{
    BROKEN_SAVEPOINT, CHECKPOINT_INTERVAL_MS, NOW, TAKEN_SAVEPOINT, UNFINISHED_SAVEPOINT, checkpoint_report, own_report,
};
use crate::support::TestJob;

fn render_answer(job: &TestJob, path: &str) -> String {
    let value = job.get(path);
    assert_eq!(value, job.get(&format!("/v1{path}")), "the same under /v1");
    format!("GET {path}\n{}", serde_json::to_string_pretty(&value).expect("JSON"))
}

#[test]
fn the_cluster() {
    let job = TestJob::new();
    for path in ["config", "overview", "taskmanagers"] {
        insta::assert_snapshot!(path, render_answer(&job, &format!("/{path}")));
    }
}

#[test]
fn the_job() {
    let (job, all) = (TestJob::new(), TestJob::new().id());
    insta::assert_snapshot!("jobs", render_answer(&job, "/jobs"));
    insta::assert_snapshot!("jobs_overview", render_answer(&job, "/jobs/overview"));
    insta::assert_snapshot!("job", render_answer(&job, &format!("/jobs/{all}")));
    insta::assert_snapshot!("status", render_answer(&job, &format!("/jobs/{all}/status")));
    insta::assert_snapshot!("exceptions", render_answer(&job, &format!("/jobs/{all}/exceptions?maxExceptions=2")));
}

#[test]
fn its_checkpoints() {
    let job = TestJob::new();
    let of = |rest: &str| format!("/jobs/{}/checkpoints{rest}", job.id());
    insta::assert_snapshot!("checkpoints", render_answer(&job, &of("")));
    insta::assert_snapshot!("checkpoints_config", render_answer(&job, &of("/config")));
    let statistics = job.get(&of(""));
    let failed = &statistics["latest"]["failed"]["id"];
    insta::assert_snapshot!("checkpoint_failed", render_answer(&job, &of(&format!("/details/{failed}"))));
    for found in statistics["history"].as_array().expect("a list") {
        let details = job.get(&of(&format!("/details/{}", found["id"])));
        assert_eq!(details["id"], found["id"], "found by its id, and unlike all others");
    }
}

#[test]
fn its_savepoints() {
    let job = TestJob::new();
    for (name, trigger) in
        [("taken", TAKEN_SAVEPOINT), ("broken", BROKEN_SAVEPOINT), ("under_way", UNFINISHED_SAVEPOINT)]
    {
        let path = format!("/jobs/{}/savepoints/{trigger}", job.id());
        job.get("/jobs"); // the other instance tells of them
        insta::assert_snapshot!(format!("savepoint_{name}"), render_answer(&job, &path));
    }
}

#[test]
fn its_vertices() {
    let job = TestJob::new();
    for (name, id) in ["source", "decode", "view", "session_view", "sink"].into_iter().zip(job.vertices()) {
        if name == "session_view" {
            continue;
        }
        let of = |rest: &str| format!("/jobs/{}/vertices/{id}{rest}", job.id());
        insta::assert_snapshot!(format!("{name}"), render_answer(&job, &of("")));
        insta::assert_snapshot!(format!("{name}_backpressure"), render_answer(&job, &of("/backpressure")));
        insta::assert_snapshot!(format!("{name}_watermarks"), render_answer(&job, &of("/watermarks")));
        let names = job.get(&of("/metrics"));
        let names: Vec<_> =
            names.as_array().expect("a list").iter().map(|one| one["id"].as_str().expect("a name")).collect();
        insta::assert_snapshot!(
            format!("{name}_metrics"),
            render_answer(&job, &of(&format!("/metrics?get={},0.unheardOf", names.join(","))))
        );
        let first = names.iter().filter_map(|name| name.strip_prefix("0.")).collect::<Vec<_>>().join(",");
        insta::assert_snapshot!(
            format!("{name}_subtasks_metrics"),
            render_answer(&job, &of(&format!("/subtasks/metrics?get={first}")))
        );
    }
}

#[test]
fn aggregates_and_subtasks_can_be_chosen() {
    let job = TestJob::new();
    let source = &job.vertices()[0];
    let path = format!("/jobs/{}/vertices/{source}/subtasks/metrics", job.id());
    let lag = job.get(&format!("{path}?get=pendingRecords&agg=max,min&subtasks=1-2"));
    assert_eq!(lag, serde_json::json!([{ "id": "pendingRecords", "max": 40.0, "min": 0.0 }]));
    let names = job.get(&path);
    assert!(names.as_array().expect("a list").contains(&serde_json::json!({ "id": "pendingRecords" })), "{names}");
}

/// 20 s into an interval.
#[test]
fn a_round_is_open_until_every_partition_took_part_or_the_interval_is_over() {
    let mut here = own_report();
    here.reported_at_ms = NOW + 20_000;
    here.recent_checkpoints.insert(0, checkpoint_report(0, 10, NOW + 18_000));
    let job = TestJob::with_reports(here, &[]);
    let path = format!("/jobs/{}/checkpoints/details/{NOW}", job.id());
    let of = |job: &TestJob| {
        let round = job.get(&path);
        (round["status"].clone(), round["num_subtasks"].clone(), round["num_acknowledged_subtasks"].clone())
    };
    assert_eq!(of(&job), ("IN_PROGRESS".into(), 2.into(), 1.into()));
    job.report_source.0.lock().reported_at_ms = NOW + CHECKPOINT_INTERVAL_MS;
    assert_eq!(of(&job), ("COMPLETED".into(), 1.into(), 1.into()), "partition 1 had nothing new");
    let mut here = job.report_source.0.lock().clone();
    here.reported_at_ms = NOW + 20_000;
    here.recent_checkpoints.insert(0, checkpoint_report(1, 10, NOW + 19_000));
    assert_eq!(of(&TestJob::with_reports(here, &[])), ("COMPLETED".into(), 2.into(), 2.into()));
}
