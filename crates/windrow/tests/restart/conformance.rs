//! The job computes Flink's results, however often it is killed or moved.

#[path = "../support/rows.rs"]
mod compare;

use std::sync::Arc;

use windrow_engine::halt::OutputFault;
use windrow_engine::{Halt, Offset};

use crate::conformance_cases::{ConformanceCase, read_conformance_case, read_conformance_cases};
use crate::job::{JobSetup, RunOutcome};
use crate::scripted_source::{ScriptAction, ScriptedSource};
use compare::compare_rows;

/// At most so many restarts per case, since each writes a checkpoint to the disk.
const MAX_RESTARTS: usize = 60;

pub(crate) fn assert_answers(setup: &JobSetup, answers: &str, what: &str) {
    assert_same_rows(answers, &setup.rows.lines(), what);
}

pub(crate) fn assert_same_rows(answers: &str, found: &str, what: &str) {
    // Late events are not rows. A killed worker may have reported one twice.
    let rows = |text: &str| -> String {
        text.lines().filter(|line| !line.contains("\"late\"")).map(|line| format!("{line}\n")).collect()
    };
    match compare_rows(&rows(answers), &rows(found)) {
        Ok(count) => println!("{what}: {count} rows agree"),
        Err(differences) => panic!("{what}: {differences}"),
    }
}

fn as_offset(at: usize) -> Offset {
    Offset::try_from(at).expect("small")
}

#[test]
fn straight() {
    for ConformanceCase { name, events, results: answers } in read_conformance_cases() {
        let folder = tempfile::tempdir().expect("a folder");
        let setup = JobSetup::in_folder(folder.path());
        setup.run(ScriptedSource::new(&events, Vec::new())).expect_end();
        assert_answers(&setup, &answers, &name);
    }
}

/// Repeats: a checkpoint after k events, some more events, a kill, a restore.
#[test]
fn killed_and_restored_after_every_kth_event() {
    for ConformanceCase { name, events, results: answers } in read_conformance_cases() {
        let k = (events.len() / MAX_RESTARTS).max(1);
        let folder = tempfile::tempdir().expect("a folder");
        let setup = JobSetup::in_folder(folder.path());
        for at in (k..events.len()).step_by(k) {
            let unsaved = (at / k) % 7 * k / 3;
            let kill = (at + unsaved).min(events.len());
            let then = vec![(as_offset(at), ScriptAction::AwaitCheckpoint), (as_offset(kill), ScriptAction::Kill)];
            setup.run(ScriptedSource::new(&events, then)).expect_killed();
        }
        setup.run(ScriptedSource::new(&events, Vec::new())).expect_end();
        assert_answers(&setup, &answers, &format!("{name}, killed after every {k}"));
    }
}

/// All windows fire at the end of bounded input, so a second run has nothing to do.
#[test]
fn a_run_that_ended_leaves_nothing_open() {
    for ConformanceCase { name, events, results: answers } in read_conformance_cases() {
        let folder = tempfile::tempdir().expect("a folder");
        let setup = JobSetup::in_folder(folder.path());
        let then = vec![(as_offset(events.len() / 2), ScriptAction::AwaitCheckpoint)];
        setup.run(ScriptedSource::new(&events, then)).expect_end();
        setup.run(ScriptedSource::new(&events, Vec::new())).expect_end();
        assert_answers(&setup, &answers, &format!("{name}, run twice"));
    }
}

/// The partition is revoked and assigned twice.
#[test]
fn moved_to_another_worker_midway() {
    for ConformanceCase { name, events, results: answers } in read_conformance_cases() {
        let folder = tempfile::tempdir().expect("a folder");
        let setup = JobSetup::in_folder(folder.path());
        for at in [events.len() / 3, events.len() / 2] {
            let run = setup.run(ScriptedSource::new(&events, vec![(as_offset(at), ScriptAction::Revoke)]));
            assert!(matches!(run, RunOutcome::Ended(_)), "{run}");
        }
        setup.run(ScriptedSource::new(&events, Vec::new())).expect_end();
        assert_answers(&setup, &answers, &format!("{name}, moved"));
    }
}

/// While a worker is paused, another claims its partition and reads to the end. The paused worker then resumes, but writes
/// neither row nor checkpoint.
#[test]
fn a_sleeper_that_wakes_up_changes_nothing() {
    let mut refused = 0;
    for ConformanceCase { name, events, results: answers } in read_conformance_cases() {
        let folder = tempfile::tempdir().expect("a folder");
        let setup = JobSetup::in_folder(folder.path());
        let (early, middle) = (events.len() / 4, events.len() / 2);
        let meanwhile = {
            let (setup, events) = (setup.clone(), Arc::clone(&events));
            move || setup.run(ScriptedSource::new(&events, Vec::new())).expect_end()
        };
        let then = vec![
            (as_offset(early), ScriptAction::AwaitCheckpoint),
            (as_offset(middle), ScriptAction::Run(Arc::new(meanwhile))),
        ];
        let run = setup.run(ScriptedSource::new(&events, then));
        assert!(
            matches!(run, RunOutcome::Halted(Halt::Output(OutputFault::UnfinishedPartitions { .. }))),
            "its input did not end here: {run}"
        );
        assert_answers(&setup, &answers, &format!("{name}, with a sleeper"));
        refused += setup.rows.refused_rows();
    }
    assert!(refused > 0, "no sleeper had anything to write, so this shows nothing");
}

/// Another worker claims the partition and dies, although the group still assigns it to this one. This worker claims it
/// back, and no row is lost or written twice.
#[test]
fn a_partition_that_was_taken_by_mistake_is_claimed_back() {
    let ConformanceCase { name, events, results: answers } = read_conformance_case("late");
    let folder = tempfile::tempdir().expect("a folder");
    let setup = JobSetup::in_folder(folder.path());
    let meanwhile = {
        let (setup, events) = (setup.clone(), Arc::clone(&events));
        move || setup.run(ScriptedSource::new(&events, vec![(200, ScriptAction::Kill)])).expect_killed()
    };
    let then = vec![
        (100, ScriptAction::AwaitCheckpoint),
        (150, ScriptAction::Run(Arc::new(meanwhile))),
        (300, ScriptAction::AwaitSecondStart),
    ];
    setup.run(ScriptedSource::new(&events, then)).expect_end();
    assert_answers(&setup, &answers, &name);
}
