//! The source loses records that the job has read, as Kafka does in an unclean election. Other records take their offsets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use windrow_engine::{CheckpointConfig, ClaimOutcome, Halt, Offset, OpeningAbandonment, PartitionClaim, RowFence};

use crate::conformance_cases::{ConformanceCase, read_conformance_case};
use crate::job::JobSetup;
use crate::memory_rows::MemoryRowStore;
use crate::scripted_source::{ScriptAction, ScriptedSource};

/// The log keeps this many of its first records.
const KEPT_RECORDS: usize = 1_700;
/// A checkpoint before the lost records, and one after the first of them.
const CHECKPOINTS: [Offset; 2] = [1_500, 2_500];

/// Returns the log after the loss: the first records, then `added` others.
fn shorter_log(events: &Arc<Vec<String>>, added: usize) -> Arc<Vec<String>> {
    let others = &events[events.len() - added..];
    Arc::new([&events[..KEPT_RECORDS], others].concat())
}

/// Returns the last row of each view, entity and window.
fn last_rows(lines: &str) -> BTreeMap<String, Value> {
    let rows = lines.lines().filter(|line| !line.contains("\"late\""));
    let rows = rows.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    rows.map(|row| {
        (format!("{} {} {} {}", row["feature_view"], row["user_id"], row["window_start"], row["window_end"]), row)
    })
    .collect()
}

/// Asserts that each row of `log` is right. Rows of lost records may be there besides them.
fn assert_rows_of_log(setup: &JobSetup, log: &Arc<Vec<String>>, what: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let straight = JobSetup::in_folder(folder.path());
    straight.run(ScriptedSource::new(log, Vec::new())).expect_end();
    let (expected, found) = (last_rows(&straight.rows.lines()), last_rows(&setup.rows.lines()));
    let wrong: Vec<_> = expected.iter().filter(|&(key, row)| found.get(key) != Some(row)).collect();
    let first: Vec<_> = wrong.iter().take(5).map(|(key, row)| (row, found.get(*key))).collect();
    assert!(wrong.is_empty(), "{what}: {} of {} rows are wrong: {first:#?}", wrong.len(), expected.len());
    println!("{what}: {} rows agree", expected.len());
}

fn setup_with_kept_checkpoints(folder: &std::path::Path, keep: usize) -> JobSetup {
    let setup = JobSetup::in_folder(folder);
    let checkpoints = CheckpointConfig { kept_checkpoints_per_partition: keep, ..setup.checkpoints.clone() };
    JobSetup { checkpoints, ..setup }
}

fn script(end: ScriptAction) -> Vec<(Offset, ScriptAction)> {
    let waits = CHECKPOINTS.map(|offset| (offset, ScriptAction::AwaitCheckpoint));
    [&waits[..], &[(2_600, end)]].concat()
}

/// With one kept checkpoint, none begins at an offset that the log still has, and the partition begins anew.
#[test]
fn the_partition_goes_back_behind_lost_records_and_counts_nothing_twice() {
    let ConformanceCase { name, events, .. } = read_conformance_case("random");
    let log = shorter_log(&events, 300);
    for keep in [3, 1] {
        let folder = tempfile::tempdir().expect("a folder");
        let setup = setup_with_kept_checkpoints(folder.path(), keep);
        setup.run(ScriptedSource::new(&events, script(ScriptAction::Kill))).expect_killed();
        setup.rows.allow_rewriting();
        setup.run(ScriptedSource::new(&log, Vec::new())).expect_end();
        assert_rows_of_log(&setup, &log, &format!("{name}, {keep} kept"));
    }
}

/// The worker lives while the log is cut behind its position. The newest checkpoint may begin before the cut. The log
/// may also grow beyond the offsets of all checkpoints before the worker asks where it ends.
#[test]
fn a_running_worker_goes_back_too() {
    let ConformanceCase { name, events, .. } = read_conformance_case("random");
    let (log, grown) = (shorter_log(&events, 300), shorter_log(&events, 1_500));
    for (keep, later_log) in [(3, &log), (1, &log), (3, &grown), (1, &grown)] {
        let folder = tempfile::tempdir().expect("a folder");
        let setup = setup_with_kept_checkpoints(folder.path(), keep);
        setup.rows.allow_rewriting();
        let mut source = ScriptedSource::new(&events, Vec::new());
        source.grown_log = Some(Arc::clone(later_log));
        let (shorter, cut) = (Arc::clone(&source.shorter_log), Arc::clone(&log));
        source.actions = script(ScriptAction::Run(Arc::new(move || *shorter.lock() = Some(Arc::clone(&cut)))));
        setup.run(source).expect_end();
        assert_rows_of_log(&setup, later_log, &format!("{name}, {keep} kept, {} records", later_log.len()));
    }
}

/// The next owner dies at once. Then the log grows beyond the offsets of the old checkpoints, which must not be used.
#[test]
fn checkpoints_of_lost_records_stay_discarded() {
    let ConformanceCase { name, events, .. } = read_conformance_case("random");
    let (log, grown) = (shorter_log(&events, 300), shorter_log(&events, 1_500));
    for keep in [3, 1] {
        let folder = tempfile::tempdir().expect("a folder");
        let setup = setup_with_kept_checkpoints(folder.path(), keep);
        setup.run(ScriptedSource::new(&events, script(ScriptAction::Kill))).expect_killed();
        setup.rows.allow_rewriting();
        let at_once = (0..2_000).map(|offset| (offset, ScriptAction::Kill)).collect();
        setup.run(ScriptedSource::new(&log, at_once)).expect_killed();
        setup.run(ScriptedSource::new(&grown, Vec::new())).expect_end();
        assert_rows_of_log(&setup, &grown, &format!("{name}, {keep} kept"));
    }
}

/// A job that began from the state of another job has no checkpoint of its own before the lost records. The other job's
/// state is not this job's to continue: its objects are in another store.
#[test]
fn a_job_that_began_from_other_state_begins_anew() {
    let ConformanceCase { name, events, .. } = read_conformance_case("random");
    let (log, grown) = (shorter_log(&events, 300), shorter_log(&events, 1_500));
    let (origin, folder) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let before = vec![(CHECKPOINTS[0], ScriptAction::AwaitCheckpoint), (CHECKPOINTS[0] + 1, ScriptAction::Kill)];
    JobSetup::in_folder(origin.path()).run(ScriptedSource::new(&events, before)).expect_killed();
    let setup = setup_with_kept_checkpoints(folder.path(), 1).restored_from(origin.path());
    let after = vec![(CHECKPOINTS[1], ScriptAction::AwaitCheckpoint), (2_600, ScriptAction::Kill)];
    setup.run(ScriptedSource::new(&events, after)).expect_killed();
    setup.rows.allow_rewriting();
    let at_once = (0..2_000).map(|offset| (offset, ScriptAction::Kill)).collect();
    setup.run(ScriptedSource::new(&log, at_once)).expect_killed();
    setup.run(ScriptedSource::new(&grown, Vec::new())).expect_end();
    assert_rows_of_log(&setup, &grown, &name);
}

/// Cuts the log at the first claim, and grants the claim once the worker knows of it.
struct CutDuringClaim {
    rows: MemoryRowStore,
    cut_log: Mutex<Option<Arc<Vec<String>>>>,
    shorter_log: Arc<Mutex<Option<Arc<Vec<String>>>>>,
}

impl RowFence for CutDuringClaim {
    fn claim_partition(&self, claim: &PartitionClaim, abandonment: &OpeningAbandonment) -> Result<ClaimOutcome, Halt> {
        if let Some(cut_log) = self.cut_log.lock().take() {
            *self.shorter_log.lock() = Some(cut_log);
            while self.shorter_log.lock().is_some() {
                thread::sleep(Duration::from_millis(1));
            }
        }
        self.rows.claim_partition(claim, abandonment)
    }
}

/// The worker hears of the loss between the check of the start offset and the granted claim.
#[test]
fn a_loss_during_the_claim_is_not_forgotten() {
    let ConformanceCase { name, events, .. } = read_conformance_case("random");
    let (log, grown) = (shorter_log(&events, 300), shorter_log(&events, 1_500));
    let folder = tempfile::tempdir().expect("a folder");
    let mut setup = setup_with_kept_checkpoints(folder.path(), 3);
    setup.run(ScriptedSource::new(&events, script(ScriptAction::Kill))).expect_killed();
    setup.rows.allow_rewriting();
    let mut source = ScriptedSource::new(&events, Vec::new());
    source.grown_log = Some(Arc::clone(&grown));
    let (rows, cut_log) = (setup.rows.clone(), Mutex::new(Some(log)));
    setup.checkpoints.row_fence =
        Arc::new(CutDuringClaim { rows, cut_log, shorter_log: Arc::clone(&source.shorter_log) });
    setup.run(source).expect_end();
    assert_rows_of_log(&setup, &grown, &name);
}
