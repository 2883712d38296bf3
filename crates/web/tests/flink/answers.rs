//! Every GET, as a snapshot.

use crate::reports::{BROKEN, EVERY, NOW, TAKEN, UNDER_WAY, checkpoint, here};
use crate::support::Job;

fn shown(job: &Job, path: &str) -> String {
    let value = job.get(path);
    assert_eq!(value, job.get(&format!("/v1{path}")), "the same under /v1");
    format!("GET {path}\n{}", serde_json::to_string_pretty(&value).expect("JSON"))
}

#[test]
fn the_cluster() {
    let job = Job::new();
    for path in ["config", "overview", "taskmanagers"] {
        insta::assert_snapshot!(path, shown(&job, &format!("/{path}")));
    }
}

#[test]
fn the_job() {
    let (job, all) = (Job::new(), Job::new().id());
    insta::assert_snapshot!("jobs", shown(&job, "/jobs"));
    insta::assert_snapshot!("jobs_overview", shown(&job, "/jobs/overview"));
    insta::assert_snapshot!("job", shown(&job, &format!("/jobs/{all}")));
    insta::assert_snapshot!("status", shown(&job, &format!("/jobs/{all}/status")));
    insta::assert_snapshot!("exceptions", shown(&job, &format!("/jobs/{all}/exceptions?maxExceptions=2")));
}

#[test]
fn its_checkpoints() {
    let job = Job::new();
    let of = |rest: &str| format!("/jobs/{}/checkpoints{rest}", job.id());
    insta::assert_snapshot!("checkpoints", shown(&job, &of("")));
    insta::assert_snapshot!("checkpoints_config", shown(&job, &of("/config")));
    let statistics = job.get(&of(""));
    let failed = &statistics["latest"]["failed"]["id"];
    insta::assert_snapshot!("checkpoint_failed", shown(&job, &of(&format!("/details/{failed}"))));
    for found in statistics["history"].as_array().expect("a list") {
        let details = job.get(&of(&format!("/details/{}", found["id"])));
        assert_eq!(details["id"], found["id"], "found by its id, and unlike all others");
    }
}

#[test]
fn its_savepoints() {
    let job = Job::new();
    for (name, trigger) in [("taken", TAKEN), ("broken", BROKEN), ("under_way", UNDER_WAY)] {
        let path = format!("/jobs/{}/savepoints/{trigger}", job.id());
        job.get("/jobs"); // the other instance tells of them
        insta::assert_snapshot!(format!("savepoint_{name}"), shown(&job, &path));
    }
}

#[test]
fn its_vertices() {
    let job = Job::new();
    for (name, id) in ["source", "decode", "view", "session_view", "sink"].into_iter().zip(job.vertices()) {
        if name == "session_view" {
            continue;
        }
        let of = |rest: &str| format!("/jobs/{}/vertices/{id}{rest}", job.id());
        insta::assert_snapshot!(format!("{name}"), shown(&job, &of("")));
        insta::assert_snapshot!(format!("{name}_backpressure"), shown(&job, &of("/backpressure")));
        insta::assert_snapshot!(format!("{name}_watermarks"), shown(&job, &of("/watermarks")));
        let names = job.get(&of("/metrics"));
        let names: Vec<_> =
            names.as_array().expect("a list").iter().map(|one| one["id"].as_str().expect("a name")).collect();
        insta::assert_snapshot!(
            format!("{name}_metrics"),
            shown(&job, &of(&format!("/metrics?get={},0.unheardOf", names.join(","))))
        );
        let first = names.iter().filter_map(|name| name.strip_prefix("0.")).collect::<Vec<_>>().join(",");
        insta::assert_snapshot!(
            format!("{name}_subtasks_metrics"),
            shown(&job, &of(&format!("/subtasks/metrics?get={first}")))
        );
    }
}

#[test]
fn aggregates_and_subtasks_can_be_chosen() {
    let job = Job::new();
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
    let mut here = here();
    here.reported_at_ms = NOW + 20_000;
    here.checkpoints.insert(0, checkpoint(0, 10, NOW + 18_000));
    let job = Job::of(here, &[]);
    let path = format!("/jobs/{}/checkpoints/details/{NOW}", job.id());
    let of = |job: &Job| {
        let round = job.get(&path);
        (round["status"].clone(), round["num_subtasks"].clone(), round["num_acknowledged_subtasks"].clone())
    };
    assert_eq!(of(&job), ("IN_PROGRESS".into(), 2.into(), 1.into()));
    job.says.0.lock().expect("nobody panicked").reported_at_ms = NOW + EVERY;
    assert_eq!(of(&job), ("COMPLETED".into(), 1.into(), 1.into()), "partition 1 had nothing new");
    let mut here = job.says.0.lock().expect("nobody panicked").clone();
    here.reported_at_ms = NOW + 20_000;
    here.checkpoints.insert(0, checkpoint(1, 10, NOW + 19_000));
    assert_eq!(of(&Job::of(here, &[])), ("COMPLETED".into(), 2.into(), 2.into()));
}
