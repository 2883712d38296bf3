//! Pipelines that change between two runs, `--from`, and state of other jobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use windrow_engine::Halt;
use windrow_engine::halt::{ChangedViews, DroppedFeature, DroppedView, ForeignState, ViewChange};

use crate::conformance::assert_answers;
use crate::conformance_cases::{ConformanceCase, read_conformance_case};
use crate::job::{JobSetup, shipped_pipeline};
use crate::scripted_source::{ScriptAction, ScriptedSource};
use crate::shared_job::open_folder_store;

const CHANGED_SESSION_GAP: &str = r#"feature_view.session_features.window.session={ gap = "20m" }"#;

fn late_case() -> (Arc<Vec<String>>, String) {
    let ConformanceCase { events, results: answers, .. } = read_conformance_case("late");
    (events, answers)
}

fn rows_of_view(view: &str, lines: &str) -> String {
    lines.lines().filter(|line| line.contains(view)).map(|line| format!("{line}\n")).collect()
}

/// A changed view halts the job with a list of the state that would be lost. With `--drop-state` this view starts empty,
/// and the other keeps its state.
#[test]
fn a_changed_view_needs_permission_and_the_others_keep_their_state() {
    let (events, answers) = late_case();
    let folder = tempfile::tempdir().expect("a folder");
    let setup = JobSetup::in_folder(folder.path());
    setup
        .run(ScriptedSource::new(&events, vec![(150, ScriptAction::AwaitCheckpoint), (150, ScriptAction::Kill)]))
        .expect_killed();

    let mut changed = JobSetup { pipeline: Arc::new(shipped_pipeline(&[CHANGED_SESSION_GAP])), ..setup };
    let halt = changed.run(ScriptedSource::new(&events, Vec::new())).expect_halt();
    let Halt::ChangedViews(ChangedViews { dropped_views: dropped, kept_view_names: kept, .. }) = halt else {
        panic!("{halt}")
    };
    let [
        DroppedView {
            view_name: name,
            view_change: ViewChange::Redefined { stored_definition: stored, pipeline_definition: current },
        },
    ] = &*dropped
    else {
        panic!("{dropped:?}")
    };
    assert_eq!((name.as_str(), kept), ("session_features", vec!["user_features".to_owned()]));
    assert!(stored.contains("session(600000)") && current.contains("session(1200000)"), "{stored}; {current}");

    changed.checkpoints.droppable_state_names = ["session_features".to_owned()].into();
    changed.run(ScriptedSource::new(&events, Vec::new())).expect_end();
    let (wanted, found) =
        (rows_of_view("user_features", &answers), rows_of_view("user_features", &changed.rows.lines()));
    super::conformance::assert_same_rows(&wanted, &found, "user_features");
}

/// A feature is added, another is renamed: nothing is lost, and no permission is needed. Only what is removed needs it.
#[test]
fn features_come_and_go_and_the_others_keep_their_state() {
    let (events, answers) = late_case();
    let folder = tempfile::tempdir().expect("a folder");
    let setup = JobSetup::in_folder(folder.path());
    setup
        .run(ScriptedSource::new(&events, vec![(150, ScriptAction::AwaitCheckpoint), (150, ScriptAction::Kill)]))
        .expect_killed();

    let more = shipped_pipeline(&[
        r#"feature_view.session_features.features={ length = { duration = "seconds" }, events = { count = "*" }, top = { max = "price" } }"#,
    ]);
    let setup = JobSetup { pipeline: Arc::new(more), ..setup };
    // It dies before its first checkpoint, and after it.
    setup.run(ScriptedSource::new(&events, vec![(170, ScriptAction::Kill)])).expect_killed();
    setup
        .run(ScriptedSource::new(&events, vec![(200, ScriptAction::AwaitCheckpoint), (200, ScriptAction::Kill)]))
        .expect_killed();

    let fewer = shipped_pipeline(&[
        r#"feature_view.session_features.features={ event_count = { count = "*" }, top = { min = "price" } }"#,
    ]);
    let mut changed = JobSetup { pipeline: Arc::new(fewer), ..setup };
    let halt = changed.run(ScriptedSource::new(&events, Vec::new())).expect_halt();
    let Halt::ChangedViews(ChangedViews { dropped_views, kept_view_names, .. }) = halt else { panic!("{halt}") };
    let dropped = |name: &str, stored: &str, current: Option<&str>| DroppedFeature {
        feature_name: name.to_owned(),
        stored_definition: stored.to_owned(),
        pipeline_definition: current.map(str::to_owned),
    };
    let view_change = ViewChange::FeaturesChanged {
        dropped_features: vec![
            dropped("top", "double max(price)", Some("double min(price)")),
            dropped("length", "duration in seconds", None),
        ],
        kept_feature_names: vec!["event_count".to_owned()],
    };
    assert_eq!(dropped_views, [DroppedView { view_name: "session_features".to_owned(), view_change }]);
    assert_eq!(kept_view_names, ["user_features"]);
    changed.checkpoints.droppable_state_names = ["session_features.top".to_owned()].into();
    let halt = changed.run(ScriptedSource::new(&events, Vec::new())).expect_halt();
    assert!(matches!(&halt, Halt::ChangedViews(views) if views.dropped_views.len() == 1), "{halt}");
    changed.checkpoints.droppable_state_names.insert("session_features.length".to_owned());
    changed.run(ScriptedSource::new(&events, Vec::new())).expect_end();

    let found = changed.rows.lines();
    let (wanted, rows) = (rows_of_view("user_features", &answers), rows_of_view("user_features", &found));
    super::conformance::assert_same_rows(&wanted, &rows, "user_features");
    // Whatever its name is, the count of a session has all its events.
    let counts = |lines: &str| -> BTreeMap<String, u64> {
        let rows = lines.lines().filter(|line| line.contains("\"session_features\"") && !line.contains("\"late\""));
        rows.map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).expect("a row");
            let count = row["event_count"].as_u64().or_else(|| row["events"].as_u64()).expect("a count");
            (format!("{} {}", row["user_id"], row["window_start"]), count)
        })
        .collect()
    };
    assert_eq!(counts(&found), counts(&answers));
}

/// While the features of a view change, the rows of the other views keep their numbers.
#[test]
fn other_views_keep_their_row_numbers_when_features_change() {
    let (events, _) = late_case();
    let folder = tempfile::tempdir().expect("a folder");
    let mut setup = JobSetup::in_folder(folder.path());
    let fingerprints = |setup: &JobSetup, at| {
        let then = vec![(at, ScriptAction::AwaitCheckpoint), (at, ScriptAction::Kill)];
        setup.run(ScriptedSource::new(&events, then)).expect_killed();
        let kept =
            windrow_engine::checkpoint::inspect::list_checkpoints(&*open_folder_store(folder.path())).expect("listed");
        let newest = kept.last().and_then(|found| found.manifest.as_ref().ok()).expect("a checkpoint");
        let of_view = |name: &str| {
            let view = newest.views.iter().find(|view| view.view_name == name).expect("the view");
            view.row_numbering_fingerprint
        };
        (of_view("user_features"), of_view("session_features"))
    };
    let before = fingerprints(&setup, 100);
    let features = r#"feature_view.session_features.features={ n = { count = "*" }, duration_seconds = { duration = "seconds" } }"#;
    setup.pipeline = Arc::new(shipped_pipeline(&[features]));
    let renamed = fingerprints(&setup, 150);
    assert_eq!(renamed.0, before.0, "this view has not changed");
    assert_ne!(renamed.1, before.1, "this one has other rows");
    let longer = r#"feature_view.user_features.window.sliding={ size = "2h", slide = "10m" }"#;
    setup.pipeline = Arc::new(shipped_pipeline(&[features, longer]));
    let longer = fingerprints(&setup, 200);
    assert_ne!(longer.0, renamed.0, "this view has other windows");
    assert_ne!(longer.1, renamed.1, "users keep their slots for longer, so rows may have another order");
}

/// One view is removed and another is added.
#[test]
fn a_view_can_go_and_another_come() {
    let (events, answers) = late_case();
    let folder = tempfile::tempdir().expect("a folder");
    let setup = JobSetup::in_folder(folder.path());
    setup
        .run(ScriptedSource::new(&events, vec![(150, ScriptAction::AwaitCheckpoint), (150, ScriptAction::Kill)]))
        .expect_killed();
    let mut other = shipped_pipeline(&[
        r#"feature_view.more={ window.tumbling = { size = "1h" }, key = "more:{user_id}", ttl = "1h", features = { n = { count = "*" } } }"#,
    ]);
    other.views.retain(|view| &*view.name != "session_features");
    let mut changed = JobSetup { pipeline: Arc::new(other), ..setup };
    let halt = changed.run(ScriptedSource::new(&events, Vec::new())).expect_halt();
    let Halt::ChangedViews(views) = halt else { panic!("{halt}") };
    let removed = DroppedView { view_name: "session_features".to_owned(), view_change: ViewChange::Removed };
    assert_eq!(views.dropped_views, [removed]);
    changed.checkpoints.droppable_state_names = ["session_features".to_owned()].into();
    changed
        .run(ScriptedSource::new(&events, vec![(250, ScriptAction::AwaitCheckpoint), (250, ScriptAction::Kill)]))
        .expect_killed();
    // The next run finds state of exactly these views.
    changed.checkpoints.droppable_state_names.clear();
    changed.run(ScriptedSource::new(&events, Vec::new())).expect_end();
    let (wanted, found) =
        (rows_of_view("user_features", &answers), rows_of_view("user_features", &changed.rows.lines()));
    super::conformance::assert_same_rows(&wanted, &found, "user_features");
    assert!(changed.rows.lines().contains("\"more\""), "the new view fires");
}

#[test]
fn what_is_not_ours_is_refused() {
    let (events, _) = late_case();
    let folder = tempfile::tempdir().expect("a folder");
    let setup = JobSetup::in_folder(folder.path());
    setup
        .run(ScriptedSource::new(&events, vec![(50, ScriptAction::AwaitCheckpoint), (50, ScriptAction::Kill)]))
        .expect_killed();
    let halt = |change: fn(&mut JobSetup)| {
        let mut setup = setup.clone();
        change(&mut setup);
        setup.run(ScriptedSource::new(&events, Vec::new())).expect_halt()
    };
    let pipeline = halt(|setup| setup.checkpoints.state_identity.pipeline_name = "other".to_owned());
    assert!(matches!(pipeline, Halt::ForeignState(ForeignState::OtherJob { .. })), "{pipeline}");
    let topic = halt(|setup| setup.checkpoints.state_identity.topic = "other".to_owned());
    assert!(matches!(topic, Halt::ForeignState(ForeignState::OtherJob { .. })), "{topic}");
    let recreated = halt(|setup| setup.checkpoints.state_identity.topic_id = Some("another".to_owned()));
    assert!(matches!(recreated, Halt::TopicRecreated(_)), "{recreated}");
    let added = halt(|setup| setup.checkpoints.state_identity.partition_count = 2);
    assert!(matches!(added, Halt::PartitionsAdded(_)), "{added}");

    let mut accepting = setup.clone();
    accepting.checkpoints.state_identity.partition_count = 2;
    accepting.checkpoints.accepts_added_partitions = true;
    let then = vec![(50, ScriptAction::AwaitAnyCheckpoint), (50, ScriptAction::Kill)];
    accepting.run(ScriptedSource::new(&events, then)).expect_killed();
    // The decision is stored at once, so the next start needs no flag, even without new events.
    accepting.checkpoints.accepts_added_partitions = false;
    accepting.run(ScriptedSource::new(&events, Vec::new())).expect_end();
}

/// `--from` restores once. The same command again resumes from the job's own checkpoints.
#[test]
fn a_job_begins_from_another_place_once() {
    let (events, answers) = late_case();
    let (first, second) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let old = JobSetup::in_folder(first.path());
    old.run(ScriptedSource::new(&events, vec![(100, ScriptAction::AwaitCheckpoint), (100, ScriptAction::Kill)]))
        .expect_killed();

    let new = JobSetup { rows: old.rows, ..JobSetup::in_folder(second.path()) }
        .with_fence_of_rows()
        .restored_from(first.path());
    new.run(ScriptedSource::new(&events, vec![(200, ScriptAction::AwaitCheckpoint), (220, ScriptAction::Kill)]))
        .expect_killed();
    let kept =
        windrow_engine::checkpoint::inspect::list_checkpoints(&*open_folder_store(second.path())).expect("listed");
    let newest = kept.last().expect("a checkpoint").manifest.as_ref().expect("readable");
    assert!(
        newest
            .origin_savepoint_place
            .as_deref()
            .is_some_and(|from| from.ends_with(&first.path().display().to_string())),
        "{newest:?}"
    );

    // Without the first location, only the job's own checkpoints remain.
    drop(first);
    new.run(ScriptedSource::new(&events, Vec::new())).expect_end();
    assert_answers(&new, &answers, "from another place");
}

/// The order of a view's rows depends on the other views, which decide when an entity's slot is free. So row numbers are
/// comparable only while all views stay the same. After a view is dropped, no row counts as already written.
#[test]
fn row_numbers_end_with_the_set_of_views() {
    let (events, _) = late_case();
    let folder = tempfile::tempdir().expect("a folder");
    let mut setup = JobSetup::in_folder(folder.path());
    let beginning = |setup: &JobSetup, at| {
        let then = vec![(at, ScriptAction::AwaitCheckpoint), (at, ScriptAction::Kill)];
        setup.run(ScriptedSource::new(&events, then)).expect_killed();
        let kept =
            windrow_engine::checkpoint::inspect::list_checkpoints(&*open_folder_store(folder.path())).expect("listed");
        let newest = kept.last().and_then(|found| found.manifest.as_ref().ok()).expect("a checkpoint");
        let view = newest.views.iter().find(|view| view.view_name == "user_features").expect("the view");
        view.row_numbering_fingerprint
    };
    let first = beginning(&setup, 100);
    assert_eq!(beginning(&setup, 150), first, "nothing has changed");
    let mut one = shipped_pipeline(&[]);
    one.views.retain(|view| &*view.name == "user_features");
    setup.pipeline = Arc::new(one);
    setup.checkpoints.droppable_state_names = ["session_features".to_owned()].into();
    let second = beginning(&setup, 200);
    assert_ne!(second, first, "a view is gone");
    assert_eq!(beginning(&setup, 250), second, "nothing more has changed");
}
