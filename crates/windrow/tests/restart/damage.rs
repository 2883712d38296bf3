//! Damaged checkpoints.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use windrow_engine::Halt;
use windrow_engine::checkpoint::inspect::list_checkpoints;
use windrow_engine::checkpoint::{ObjectDamage, ObjectFault};
use windrow_engine::halt::DamagedState;

use crate::faulty_store::FaultyStore;
use crate::folder_copy::copy_folder;
use crate::job::{JobSetup, RunOutcome};
use crate::scripted_source::{ScriptAction, ScriptedSource};
use crate::shared_job::open_folder_store;

/// Returns events of a few users, so that the objects stay small and every byte can be damaged.
fn small_events() -> Arc<Vec<String>> {
    let event = |minute: u32, user: u32| {
        format!(
            r#"{{"event_time":"2024-01-01T{:02}:{:02}:00","event_type":"view","user_id":"{user}","price":1.5}}"#,
            10 + minute / 60,
            minute % 60
        )
    };
    Arc::new((0..60).map(|n| event(n * 2, n % 3)).collect())
}

/// Runs a job that takes checkpoints at offsets 20 and 40 and is killed after each.
fn run_to_two_checkpoints(folder: &Path) -> JobSetup {
    let setup = JobSetup::in_folder(folder);
    let events = small_events();
    setup
        .run(ScriptedSource::new(&events, vec![(20, ScriptAction::AwaitCheckpoint), (20, ScriptAction::Kill)]))
        .expect_killed();
    setup
        .run(ScriptedSource::new(&events, vec![(40, ScriptAction::AwaitCheckpoint), (40, ScriptAction::Kill)]))
        .expect_killed();
    setup
}

fn expected_rows() -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = JobSetup::in_folder(folder.path());
    setup.run(ScriptedSource::new(&small_events(), Vec::new())).expect_end();
    sorted_rows(&setup.rows.lines())
}

fn sorted_rows(lines: &str) -> String {
    let mut lines: Vec<_> = lines.lines().filter(|line| !line.contains("\"late\"")).collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn partition_files(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let folder = folder.join("partition-0").join(kind);
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// Resumes from a damaged copy of the folder. The rows must be the same, whether the newest checkpoint is still readable
/// or the one before it is used.
fn assert_resumes_after_damage(
    made: &(tempfile::TempDir, JobSetup),
    expected: &str,
    what: &str,
    damage: impl FnOnce(&Path),
) {
    let folder = tempfile::tempdir().expect("a folder");
    copy_folder(made.0.path(), folder.path());
    damage(folder.path());
    let setup = JobSetup { rows: made.1.rows.copy(), ..JobSetup::in_folder(folder.path()) }.with_fence_of_rows();
    setup.run(ScriptedSource::new(&small_events(), Vec::new())).expect_end();
    assert_eq!(sorted_rows(&setup.rows.lines()), expected, "{what}");
}

fn create_two_checkpoints() -> (tempfile::TempDir, JobSetup) {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = run_to_two_checkpoints(folder.path());
    (folder, setup)
}

/// How many damaged folders are resumed at a time. A job mostly waits until the disk has its files.
const CONCURRENT_JOBS: usize = 8;

/// Flips one bit in every byte of the newest manifest and the newest state object, and cuts both at many lengths.
#[test]
fn every_flipped_byte_and_every_cut_is_survived() {
    let (made, expected) = (create_two_checkpoints(), expected_rows());
    for kind in ["checkpoint", "state"] {
        let newest = partition_files(made.0.path(), kind).pop().expect("a file");
        let bytes = fs::read(&newest).expect("readable");
        let name = newest.strip_prefix(made.0.path()).expect("inside");
        println!("{}: {} bytes", name.display(), bytes.len());
        let assert_resumes_with = |what: &str, damaged: &[u8]| {
            assert_resumes_after_damage(&made, &expected, &format!("{kind}, {what}"), |folder| {
                fs::write(folder.join(name), damaged).expect("written");
            });
        };
        let damage_at = |at: usize| {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            assert_resumes_with(&format!("byte {at}"), &flipped);
            // Cut at every length near the end, and at every third length elsewhere.
            if at.is_multiple_of(3) || at + 40 > bytes.len() {
                assert_resumes_with(&format!("cut at {at}"), &bytes[..at]);
            }
        };
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..CONCURRENT_JOBS {
                scope.spawn(|| {
                    while let at = next.fetch_add(1, Ordering::Relaxed)
                        && at < bytes.len()
                    {
                        damage_at(at);
                    }
                });
            }
        });
    }
}

#[test]
fn a_missing_state_object_means_the_generation_before() {
    let (made, expected) = (create_two_checkpoints(), expected_rows());
    assert_resumes_after_damage(&made, &expected, "missing", |folder| {
        fs::remove_file(partition_files(folder, "state").pop().expect("a file")).expect("removed");
    });
    assert_resumes_after_damage(&made, &expected, "empty", |folder| {
        fs::write(partition_files(folder, "state").pop().expect("a file"), b"").expect("written");
    });
}

#[test]
fn objects_that_changed_places_are_noticed() {
    let (made, expected) = (create_two_checkpoints(), expected_rows());
    assert_resumes_after_damage(&made, &expected, "state objects exchanged", |folder| {
        let states = partition_files(folder, "state");
        fs::copy(&states[0], states.last().expect("a file")).expect("copied");
    });
    assert_resumes_after_damage(&made, &expected, "manifests exchanged", |folder| {
        let manifests = partition_files(folder, "checkpoint");
        fs::copy(&manifests[0], manifests.last().expect("a file")).expect("copied");
    });
}

/// Without a readable generation the job halts and does not start with empty state.
#[test]
fn without_a_good_generation_the_job_halts() {
    let made = create_two_checkpoints();
    for manifest in partition_files(made.0.path(), "checkpoint") {
        fs::write(manifest, b"nonsense").expect("written");
    }
    let before = partition_files(made.0.path(), "state");
    let halt = made.1.run(ScriptedSource::new(&small_events(), Vec::new())).expect_halt();
    let Halt::DamagedState(DamagedState::NoReadableCheckpoint { partition: 0, damaged, .. }) = halt else {
        panic!("{halt}")
    };
    assert!(
        damaged.iter().all(|checkpoint| checkpoint.unusable_object.fault == ObjectDamage::ChecksumMismatch.into()),
        "{damaged:?}"
    );
    assert_eq!(partition_files(made.0.path(), "state"), before, "nothing was deleted");
}

/// A newer format is not damage, so the generation before it is not used.
#[test]
fn a_newer_format_halts() {
    let made = create_two_checkpoints();
    let newest = partition_files(made.0.path(), "checkpoint").pop().expect("a file");
    let text = fs::read_to_string(&newest).expect("text");
    let (_, body) = text.split_once('\n').expect("a title line");
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(format!("2\n{body}").as_bytes());
    fs::write(&newest, format!("windrow-checkpoint 2 {:08x}\n{body}", hasher.finalize())).expect("written");
    let halt = made.1.run(ScriptedSource::new(&small_events(), Vec::new())).expect_halt();
    let Halt::NewerState(newer) = halt else { panic!("{halt}") };
    assert_eq!(newer.source, ObjectFault::Newer { found: 2, known: 1 });
}

/// The next complete checkpoint deletes leftovers of crashes, but none of the kept generations.
#[test]
fn what_nobody_needs_is_deleted() {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = JobSetup::in_folder(folder.path());
    let events = small_events();
    for at in [10, 20, 30, 40, 50] {
        let run = setup
            .run(ScriptedSource::new(&events, vec![(at, ScriptAction::AwaitCheckpoint), (at, ScriptAction::Kill)]));
        assert!(matches!(run, RunOutcome::Killed), "{run}");
        fs::write(folder.path().join("partition-0/state/0000000001-0000000000-0000"), b"left over").expect("written");
    }
    assert_eq!(partition_files(folder.path(), "checkpoint").len(), 3, "three generations");
    assert_eq!(partition_files(folder.path(), "epoch").len(), 1, "the newest epoch");
    setup.run(ScriptedSource::new(&events, vec![(60, ScriptAction::AwaitCheckpoint)])).expect_end();
    let left: Vec<_> = partition_files(folder.path(), "state");
    assert!(left.iter().all(|file| !file.ends_with("0000000001-0000000000-0000")), "{left:?}");
}

/// As the message suggests, `--from` restores from another location when the job's own checkpoints are unreadable.
#[test]
fn a_savepoint_helps_where_no_checkpoint_can_be_read() {
    let (made, expected) = (create_two_checkpoints(), expected_rows());
    let safe = tempfile::tempdir().expect("a folder");
    copy_folder(made.0.path(), safe.path());
    for manifest in partition_files(made.0.path(), "checkpoint") {
        fs::write(manifest, b"nonsense").expect("written");
    }
    made.1.clone().restored_from(safe.path()).run(ScriptedSource::new(&small_events(), Vec::new())).expect_end();
    assert_eq!(sorted_rows(&made.1.rows.lines()), expected);
}

/// A process that was suspended while it completed a checkpoint creates the manifest after the next owner has begun, and has
/// deleted the state objects. Such a checkpoint does not count, and the next completed one removes it.
#[test]
fn a_manifest_created_after_the_next_owner_has_begun_does_not_count() {
    let made = create_two_checkpoints();
    let store = open_folder_store(made.0.path());
    let list_ids = || -> Vec<_> {
        let listed = list_checkpoints(&*store).expect("a list");
        listed.iter().map(|checkpoint| checkpoint.checkpoint_id).collect()
    };
    let ids = list_ids();
    let (first, newest) = (ids[0], ids[ids.len() - 1]);
    assert!(first.epoch < newest.epoch, "{ids:?}");
    let manifest = partition_files(made.0.path(), "checkpoint").remove(0);
    let late = manifest.with_file_name(format!("{:010}-{:010}", first.epoch, newest.checkpoint_number));
    fs::write(&late, "its state objects are deleted").expect("written");
    assert_eq!(list_ids(), ids);

    // No owner looks at it, also if it could use no other checkpoint.
    let folder = tempfile::tempdir().expect("a folder");
    copy_folder(made.0.path(), folder.path());
    let is_late = |manifest: &PathBuf| manifest.file_name() == late.file_name();
    for manifest in partition_files(folder.path(), "checkpoint").into_iter().filter(|manifest| !is_late(manifest)) {
        fs::write(manifest, b"nonsense").expect("written");
    }
    let setup = JobSetup { rows: made.1.rows.copy(), ..JobSetup::in_folder(folder.path()) }.with_fence_of_rows();
    let halt = setup.run(ScriptedSource::new(&small_events(), Vec::new())).expect_halt();
    let Halt::DamagedState(DamagedState::NoReadableCheckpoint { damaged, .. }) = halt else { panic!("{halt}") };
    let tried: Vec<_> = damaged.iter().rev().map(|checkpoint| checkpoint.checkpoint_id).collect();
    assert_eq!(tried, ids);

    made.1.clone().with_fence_of_rows().run(ScriptedSource::new(&small_events(), Vec::new())).expect_end();
    assert_eq!(sorted_rows(&made.1.rows.lines()), expected_rows());
    assert!(!late.exists(), "{:?}", list_ids());
}

/// A store that is empty although rows were written, for example an unmounted disk, halts the job, however often it is
/// started again. The epochs that these starts claim in the empty store must not reach that of the fence.
#[test]
fn an_emptied_store_halts_the_job_at_each_start() {
    let made = create_two_checkpoints();
    fs::remove_dir_all(made.0.path().join("partition-0")).expect("removed");
    for start in 1..=10 {
        let halt = match made.1.run(ScriptedSource::new(&small_events(), Vec::new())) {
            RunOutcome::Halted(halt) => halt,
            other => panic!("start {start} begins with empty state: {other}"),
        };
        assert!(matches!(halt, Halt::DamagedState(DamagedState::MissingCheckpoint { .. })), "{halt}");
    }
}

/// The store cannot delete the claims that the fence has refused. Still no start begins with empty state, until an operator
/// deletes the fence.
#[test]
fn an_emptied_store_that_cannot_delete_halts_the_job_at_each_start() {
    let made = create_two_checkpoints();
    fs::remove_dir_all(made.0.path().join("partition-0")).expect("removed");
    let store = FaultyStore::wrap(open_folder_store(made.0.path()));
    store.refuses_deletes.store(true, Ordering::Relaxed);
    let in_store = || JobSetup::in_store(Arc::<FaultyStore>::clone(&store));
    let setup = JobSetup { rows: made.1.rows, ..in_store() }.with_fence_of_rows();
    for start in 1..=10 {
        let halt = match setup.run(ScriptedSource::new(&small_events(), Vec::new())) {
            RunOutcome::Halted(halt) => halt,
            other => panic!("start {start} begins with empty state: {other}"),
        };
        assert!(matches!(halt, Halt::DamagedState(DamagedState::MissingCheckpoint { .. })), "{halt}");
    }
    let without_fence = in_store();
    without_fence.run(ScriptedSource::new(&small_events(), Vec::new())).expect_end();
    assert_eq!(sorted_rows(&without_fence.rows.lines()), expected_rows());
}
