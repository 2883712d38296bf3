//! States that are large against the parts of a snapshot, with windows that fire while a snapshot is being saved.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use windrow_engine::checkpoint::inspect::{StateObjectReader, list_checkpoints};
use windrow_engine::checkpoint::{CheckpointConfig, SnapshotLimits};
use windrow_engine::{CheckpointState, StopSignal, WorkerMetrics};
use windrow_test_support::wait_until;

use crate::job::{JobSetup, shipped_pipeline};
use crate::scripted_source::{ScriptAction, ScriptedSource};
use crate::seeded_random::{SeededRandom, read_or_create_seed};

/// Small bounds, so that a state of some hundred KiB is large.
const LIMITS: SnapshotLimits =
    SnapshotLimits { save_bytes_per_poll: 2 * 1024, state_part_bytes: 8 * 1024, max_unwritten_bytes: 32 * 1024 };
const USERS: u64 = 60;
/// Longer than a part.
const LONGEST_NOTE_BYTES: u64 = 3 * 8 * 1024;

/// Adds a view that holds the last note of each user.
fn job_with_notes(folder: &Path) -> JobSetup {
    let pipeline = shipped_pipeline(&[
        "event.fields.note=string",
        "event.max_field_bytes=1048576",
        r#"feature_view.notes={ window.tumbling = { size = "1h" }, key = "notes:{user_id}", ttl = "1h", features = { note = { last = "note" } } }"#,
        r#"feature_view.note_sessions={ window.session = { gap = "7m" }, key = "sessions:{user_id}:{window_start}", ttl = "1h", features = { note = { max = "note" } } }"#,
    ]);
    let setup = JobSetup::in_folder(folder);
    let checkpoints = CheckpointConfig { snapshot_limits: LIMITS, ..setup.checkpoints };
    JobSetup { pipeline: Arc::new(pipeline), checkpoints, ..setup }
}

/// Generates events in order, between 1 s and 30 s apart, with a leap of an hour now and then, which fires everything.
fn generate_events(random: &mut SeededRandom, count: usize) -> Arc<Vec<String>> {
    let mut second = 1_767_261_600;
    let mut event = || {
        second += if random.between(0, 60) == 0 { 3_600 } else { random.between(1, 30) };
        let (user, time) = (random.between(0, USERS), jiff::Timestamp::from_second(second_as_i64(second)));
        let length = if random.between(0, 8) == 0 { LONGEST_NOTE_BYTES } else { 2_000 };
        // Random letters, so that compression does not hide the size of a part.
        let note: String = (0..random.between(0, length)).map(|_| letter(random)).collect();
        format!(
            r#"{{"event_time":"{}","event_type":"view","user_id":"{user}","price":1.5,"note":"{note}"}}"#,
            time.expect("a time")
        )
    };
    Arc::new((0..count).map(|_| event()).collect())
}

fn second_as_i64(second: u64) -> i64 {
    i64::try_from(second).expect("small")
}

fn letter(random: &mut SeededRandom) -> char {
    char::from(b'a' + u8::try_from(random.between(0, 26)).expect("small"))
}

/// Checks that every checkpoint in `folder` can be read, and that no part is larger than the bound. Returns the size of the
/// largest part, or 0 if no checkpoint has state yet.
fn assert_checkpoints_readable(setup: &JobSetup, folder: &Path) -> u32 {
    let store = &*setup.checkpoints.checkpoint_store;
    let mut reader = StateObjectReader::new(store);
    let checkpoints = list_checkpoints(store).expect("the store answers");
    assert!(!checkpoints.is_empty(), "no checkpoint");
    for checkpoint in checkpoints {
        let manifest = checkpoint.manifest.expect("a readable manifest");
        let measured = reader.measure_checkpoint_objects(&manifest, |_| {}).expect("the store answers");
        assert_eq!(measured.unusable_objects, [], "checkpoint {}", manifest.checkpoint_id);
    }
    let mut largest = 0;
    let state_folder = folder.join("partition-0/state");
    if !state_folder.exists() {
        return largest;
    }
    for entry in fs::read_dir(state_folder).expect("a folder") {
        let object = fs::read(entry.expect("an entry").path()).expect("readable");
        // The header of a state object holds the size before compression.
        largest = largest.max(u32::from_le_bytes(object[12..16].try_into().expect("four bytes")));
    }
    println!("largest part: {largest} bytes");
    assert!(largest as usize <= LIMITS.state_part_bytes, "a part has {largest} bytes");
    largest
}

/// Windows fire, snapshots are saved, and the worker is killed, all at random moments in a large state. Every complete
/// checkpoint can be read, and the rows are those of a run without interruption.
#[test]
fn windows_fire_into_snapshots_of_a_large_state() {
    let seed = read_or_create_seed();
    let mut random = SeededRandom::new(seed);
    let events = generate_events(&mut random, 1_500);
    let folder = tempfile::tempdir().expect("a folder");
    let straight = job_with_notes(folder.path());
    straight.run(ScriptedSource::new(&events, Vec::new())).expect_end();

    let folder = tempfile::tempdir().expect("a folder");
    let setup = job_with_notes(folder.path());
    let (mut begin, mut completed, mut largest_part) = (0, 0, 0);
    for _ in 0..4 {
        // The worker saves a piece of the snapshot at each of these offsets.
        let mut actions: Vec<(i64, ScriptAction)> = Vec::new();
        let kill_at = begin + second_as_i64(random.between(100, 350));
        let mut offset = begin;
        while offset < kill_at {
            let polls = random.between(1, 40);
            actions.extend((0..polls).map(|_| (offset, ScriptAction::Run(Arc::new(|| ())))));
            offset += second_as_i64(random.between(1, 12));
        }
        actions.push((kill_at, ScriptAction::AwaitAnyCheckpoint));
        actions.push((kill_at, ScriptAction::Kill));
        let metrics = WorkerMetrics::new(setup.pipeline.views.len());
        let store_users = Arc::strong_count(&setup.checkpoints.checkpoint_store);
        setup.run_with_metrics(ScriptedSource::new(&events, actions), &StopSignal::default(), &metrics).expect_killed();
        // Until its end, the checkpoint thread of the killed worker still replaces and deletes checkpoints.
        wait_until("the checkpoint thread ends", || {
            Arc::strong_count(&setup.checkpoints.checkpoint_store) == store_users
        });
        let failed = metrics.checkpoint_metrics.failed_checkpoints.get();
        let records = metrics.checkpoint_metrics.recent_checkpoints();
        let is_failed = |state: &CheckpointState| matches!(state, CheckpointState::Failed(_));
        assert!(!records.iter().any(|record| is_failed(&record.state)), "{failed} failed: {records:?}");
        completed += metrics.checkpoint_metrics.completed_checkpoints.get();
        largest_part = assert_checkpoints_readable(&setup, folder.path()).max(largest_part);
        begin = kill_at;
    }
    println!("{completed} checkpoints");
    assert!(largest_part > 0, "no checkpoint has state");
    setup.run(ScriptedSource::new(&events, Vec::new())).expect_end();
    let (found, expected) = (setup.rows.lines(), straight.rows.lines());
    assert!(found == expected, "{} rows, expected {}", found.lines().count(), expected.lines().count());
}

/// A snapshot whose parts the reader would refuse fails. The job goes on, and no checkpoint counts as complete.
#[test]
fn parts_that_cannot_be_read_fail_the_checkpoint() {
    let mut random = SeededRandom::new(1);
    let events = generate_events(&mut random, 20);
    let folder = tempfile::tempdir().expect("a folder");
    let setup = job_with_notes(folder.path());
    let limits = SnapshotLimits { state_part_bytes: usize::MAX, ..SnapshotLimits::default() };
    let setup = JobSetup { checkpoints: CheckpointConfig { snapshot_limits: limits, ..setup.checkpoints }, ..setup };
    let note = "x".repeat(1_000_000);
    let large = |user: usize| {
        format!(r#"{{"event_time":"2026-01-01T09:00:00Z","event_type":"view","user_id":"{user}","note":"{note}"}}"#)
    };
    let events: Arc<Vec<String>> = Arc::new((0..10).map(large).chain(events.iter().cloned()).collect());
    let metrics = WorkerMetrics::new(setup.pipeline.views.len());
    let pause = || ScriptAction::Run(Arc::new(|| std::thread::sleep(Duration::from_millis(1))));
    let mut actions = vec![(0, ScriptAction::AwaitAnyCheckpoint)];
    // In the meantime, the snapshot of the large notes begins.
    actions.extend((0..200).map(|_| (10, pause())));
    actions.push((30, ScriptAction::AwaitCheckpoint));
    setup.run_with_metrics(ScriptedSource::new(&events, actions), &StopSignal::default(), &metrics).expect_end();
    let records = metrics.checkpoint_metrics.recent_checkpoints();
    let reasons: Vec<&String> = records
        .iter()
        .filter_map(|record| match &record.state {
            CheckpointState::Failed(reason) => Some(reason),
            _ => None,
        })
        .collect();
    assert!(reasons.iter().any(|reason| reason.contains("more than the 8388608 that can be read")), "{records:?}");
}
