//! A checkpoint store that fails, loses its responses, or is full.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use windrow_engine::halt::CheckpointStoreFault;
use windrow_engine::{CheckpointConfig, Halt, StopSignal, WorkerOutcome};

use crate::conformance::assert_answers;
use crate::conformance_cases::{ConformanceCase, read_conformance_case};
use crate::faulty_store::FaultyStore;
use crate::job::{JobSetup, RunOutcome};
use crate::scripted_source::{ScriptAction, ScriptedSource};
use crate::shared_job::open_folder_store;

/// Errors before and after a call takes effect, with kills in between, do not change the rows.
#[test]
fn errors_and_lost_answers_change_nothing() {
    let ConformanceCase { name, events, results: answers } = read_conformance_case("late");
    for (fails, forgets) in [(0, 10), (10, 0), (12, 3), (3, 12)] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = FaultyStore::wrap(open_folder_store(folder.path()));
        let setup = JobSetup::in_store(Arc::<FaultyStore>::clone(&store));
        store.failing_percent.store(fails, Ordering::Relaxed);
        store.lost_answer_percent.store(forgets, Ordering::Relaxed);
        for kill in [90, 180, 270] {
            let run = setup.run(ScriptedSource::new(&events, vec![(kill, ScriptAction::Kill)]));
            assert!(matches!(run, RunOutcome::Killed), "{run}");
        }
        let run = setup.run(ScriptedSource::new(&events, Vec::new()));
        // The last checkpoint may have failed.
        assert!(
            matches!(run, RunOutcome::Ended(WorkerOutcome::InputExhausted | WorkerOutcome::StoppedWithoutCheckpoint)),
            "{run}"
        );
        assert_answers(&setup, &answers, &format!("{name}, {fails} and {forgets}"));
    }
}

/// A full disk does not stop processing. The next checkpoint completes when there is space again.
#[test]
fn a_full_disk_is_lived_with() {
    let ConformanceCase { name, events, results: answers } = read_conformance_case("late");
    let folder = tempfile::tempdir().expect("a folder");
    let store = FaultyStore::wrap(open_folder_store(folder.path()));
    let setup = JobSetup::in_store(Arc::<FaultyStore>::clone(&store));
    let (full, room) = (Arc::clone(&store), Arc::clone(&store));
    let then = vec![
        (50, ScriptAction::AwaitCheckpoint),
        (50, ScriptAction::Run(Arc::new(move || full.is_full.store(true, Ordering::Relaxed)))),
        (200, ScriptAction::Run(Arc::new(move || room.is_full.store(false, Ordering::Relaxed)))),
        (250, ScriptAction::AwaitCheckpoint),
        (300, ScriptAction::Kill),
    ];
    setup.run(ScriptedSource::new(&events, then)).expect_killed();
    setup.run(ScriptedSource::new(&events, Vec::new())).expect_end();
    assert_answers(&setup, &answers, &name);
}

/// A worker that waits for an unreachable store before it opens a partition still stops when asked to.
#[test]
fn a_stop_is_heard_while_the_store_is_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = FaultyStore::wrap(open_folder_store(folder.path()));
    store.failing_percent.store(100, Ordering::Relaxed);
    let setup = JobSetup::in_store(store);
    let stop = StopSignal::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(700));
            stop.request();
        });
        let run = setup.run_with_stop(ScriptedSource::new(&Arc::new(Vec::new()), Vec::new()), &stop);
        assert!(matches!(run, RunOutcome::Ended(WorkerOutcome::Stopped)), "{run}");
    });
}

/// When the row store loses rows, the worker writes them again from its last checkpoint on.
#[test]
fn rows_that_were_lost_are_written_again() {
    let ConformanceCase { name, events, results: answers } = read_conformance_case("random");
    let folder = tempfile::tempdir().expect("a folder");
    let setup = JobSetup::in_folder(folder.path());
    let straight = {
        let folder = tempfile::tempdir().expect("a folder");
        let setup = JobSetup::in_folder(folder.path());
        setup.run(ScriptedSource::new(&events, Vec::new())).expect_end();
        setup.rows.lines()
    };
    let rows = setup.rows.clone();
    // The only checkpoint is taken as soon as there is state.
    let then = vec![
        (1_000, ScriptAction::AwaitAnyCheckpoint),
        (3_000, ScriptAction::Run(Arc::new(move || rows.clear()))),
        (4_000, ScriptAction::AwaitSecondStart),
    ];
    let checkpoints = CheckpointConfig { checkpoint_interval: Duration::from_secs(3_600), ..setup.checkpoints.clone() };
    let setup = JobSetup { checkpoints, ..setup };
    setup.run(ScriptedSource::new(&events, then)).expect_end();
    let found = setup.rows.lines();
    // Rows that fired after the last checkpoint are there; earlier ones were lost with the store.
    let behind: Vec<_> = straight.lines().skip_while(|line| !found.starts_with(line)).collect();
    assert!(!behind.is_empty() && behind.len() < straight.lines().count(), "{name}: {} lines", behind.len());
    let same = behind.join("\n") == found.trim_end();
    let (wanted, got) = (behind.len(), found.lines().count());
    assert!(same, "{name}: {wanted} rows wanted, {got} found, of {}", answers.lines().count());
}

/// Without conditional writes a store cannot decide who owns a partition, so it is refused.
#[test]
fn a_store_without_conditional_writes_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = FaultyStore::wrap(open_folder_store(folder.path()));
    store.overwrites_existing.store(true, Ordering::Relaxed);
    let halt = JobSetup::in_store(store).run(ScriptedSource::new(&Arc::new(Vec::new()), Vec::new())).expect_halt();
    let Halt::CheckpointStore(CheckpointStoreFault::Refused { source, .. }) = halt else { panic!("{halt}") };
    assert!(source.to_string().contains("conditional writes"), "{source}");
}

/// A source may report the id of its topic only after the job began. Checkpoints contain it from then on, so that a restart
/// notices another topic with the same name.
#[test]
fn a_topic_id_that_becomes_known_is_in_later_checkpoints() {
    let events = read_conformance_case("random").events;
    let folder = tempfile::tempdir().expect("a folder");
    let mut setup = JobSetup::in_folder(folder.path());
    setup.checkpoints.state_identity.topic_id = None;
    setup.checkpoints.topic_identity_check = Arc::new(|| Ok(Some("known later".to_owned())));
    let script = vec![(1_500, ScriptAction::AwaitCheckpoint), (1_501, ScriptAction::Kill)];
    setup.run(ScriptedSource::new(&events, script)).expect_killed();
    setup.checkpoints.state_identity.topic_id = Some("another".to_owned());
    let halt = setup.run(ScriptedSource::new(&events, Vec::new())).expect_halt();
    assert!(matches!(halt, Halt::TopicRecreated(_)), "{halt}");
    setup.checkpoints.state_identity.topic_id = Some("known later".to_owned());
    setup.run(ScriptedSource::new(&events, Vec::new())).expect_end();
}
