//! A checkpoint store that fails, forgets its answers, or is full.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use windrow_engine::{Checkpoints, Ended, Halt, Stop};

use crate::conformance::{assert_answers, cases};
use crate::job::{Run, Setup, folder_store};
use crate::script::{Script, Then};
use crate::stores::Wayward;

/// Errors before and after the deed, few and many, with kills in between: the same answers.
#[test]
fn errors_and_lost_answers_change_nothing() {
    let (name, events, answers) = cases().into_iter().find(|(name, ..)| name == "late").expect("a case");
    for (fails, forgets) in [(0, 10), (10, 0), (12, 3), (3, 12)] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Wayward::around(folder_store(folder.path()));
        let setup = Setup::in_store(Arc::<Wayward>::clone(&store));
        store.fails.store(fails, Ordering::Relaxed);
        store.forgets.store(forgets, Ordering::Relaxed);
        for kill in [90, 180, 270] {
            let run = setup.run(Script::new(&events, vec![(kill, Then::Kill)]));
            assert!(matches!(run, Run::Killed), "{run}");
        }
        let run = setup.run(Script::new(&events, Vec::new()));
        // The very last checkpoint may have met an error.
        assert!(matches!(run, Run::Ended(Ended::Exhausted | Ended::StoppedUnsaved)), "{run}");
        assert_answers(&setup, &answers, &format!("{name}, {fails} and {forgets}"));
    }
}

/// A full disk stops no event; when there is room again, the next checkpoint is complete.
#[test]
fn a_full_disk_is_lived_with() {
    let (name, events, answers) = cases().into_iter().find(|(name, ..)| name == "late").expect("a case");
    let folder = tempfile::tempdir().expect("a folder");
    let store = Wayward::around(folder_store(folder.path()));
    let setup = Setup::in_store(Arc::<Wayward>::clone(&store));
    let (full, room) = (Arc::clone(&store), Arc::clone(&store));
    let then = vec![
        (50, Then::AwaitCheckpoint),
        (50, Then::Sleep(Arc::new(move || full.full.store(true, Ordering::Relaxed)))),
        (200, Then::Sleep(Arc::new(move || room.full.store(false, Ordering::Relaxed)))),
        (250, Then::AwaitCheckpoint),
        (300, Then::Kill),
    ];
    setup.run(Script::new(&events, then)).expect_killed();
    setup.run(Script::new(&events, Vec::new())).expect_end();
    assert_answers(&setup, &answers, &name);
}

/// A store that is away when a partition is opened is waited for, and a stop is heard meanwhile.
#[test]
fn a_stop_is_heard_while_the_store_is_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Wayward::around(folder_store(folder.path()));
    store.fails.store(100, Ordering::Relaxed);
    let setup = Setup::in_store(store);
    let stop = Stop::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(700));
            stop.request();
        });
        let run = setup.run_until(Script::new(&Arc::new(Vec::new()), Vec::new()), &stop);
        assert!(matches!(run, Run::Ended(Ended::Stopped)), "{run}");
    });
}

/// Rows that the store lost are written again from the last checkpoint on.
#[test]
fn rows_that_were_lost_are_written_again() {
    let (name, events, answers) = cases().into_iter().find(|(name, ..)| name == "random").expect("a case");
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup::in_folder(folder.path());
    let straight = {
        let folder = tempfile::tempdir().expect("a folder");
        let setup = Setup::in_folder(folder.path());
        setup.run(Script::new(&events, Vec::new())).expect_end();
        setup.rows.lines()
    };
    let rows = setup.rows.clone();
    // The one checkpoint is taken as soon as there is something to keep.
    let then =
        vec![(1_000, Then::AwaitAny), (3_000, Then::Sleep(Arc::new(move || rows.empty()))), (4_000, Then::AwaitSeek)];
    let checkpoints = Checkpoints { every: Duration::from_secs(3_600), ..setup.checkpoints.clone() };
    let setup = Setup { checkpoints, ..setup };
    setup.run(Script::new(&events, then)).expect_end();
    let found = setup.rows.lines();
    // Whatever fired behind the last checkpoint is there; what fired before it went with the store.
    let behind: Vec<_> = straight.lines().skip_while(|line| !found.starts_with(line)).collect();
    assert!(!behind.is_empty() && behind.len() < straight.lines().count(), "{name}: {} lines", behind.len());
    let same = behind.join("\n") == found.trim_end();
    let (wanted, got) = (behind.len(), found.lines().count());
    assert!(same, "{name}: {wanted} rows wanted, {got} found, of {}", answers.lines().count());
}

/// A store in which everybody can create everything cannot tell who owns a partition: it is refused.
#[test]
fn a_store_without_conditional_writes_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Wayward::around(folder_store(folder.path()));
    store.overwrites.store(true, Ordering::Relaxed);
    let halt = Setup::in_store(store).run(Script::new(&Arc::new(Vec::new()), Vec::new())).expect_halt();
    assert!(matches!(halt, Halt::CheckpointStore(_)) && halt.to_string().contains("conditional writes"), "{halt}");
}
