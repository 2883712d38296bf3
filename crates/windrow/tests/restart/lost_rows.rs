//! The row store loses rows that a complete checkpoint counts, as a failover to a replica that lags does.

use std::sync::Arc;

use parking_lot::Mutex;
use windrow_core::EventTime;
use windrow_engine::{
    CheckpointConfig, ClaimOutcome, Halt, MissingRowsPolicy, MissingRowsRecord, Offset, OpeningAbandonment,
    PartitionClaim, RowFence, StopSignal, WorkerMetrics, WorkerOutcome,
};

use crate::conformance::{assert_answers, assert_same_rows};
use crate::conformance_cases::{ConformanceCase, read_conformance_case};
use crate::job::{JobSetup, RunOutcome};
use crate::memory_rows::MemoryRowStore;
use crate::scripted_source::{ScriptAction, ScriptedSource};

/// Whether the worker lives while the row store loses rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum WorkerDuringLoss {
    Running,
    Killed,
}

/// The offsets at which something happens. The row store goes back to the rows that it had at `copied_at`.
#[derive(Clone, Copy, Debug)]
struct LossOffsets {
    first_checkpoint: Offset,
    copied_at: Offset,
    lost_at: Offset,
}

/// Runs the job to its end. In between, the row store goes back to an earlier copy of itself. Returns the rows that are
/// said to be missing.
fn run_with_loss(
    setup: &JobSetup,
    events: &Arc<Vec<String>>,
    at: LossOffsets,
    worker: WorkerDuringLoss,
) -> Vec<MissingRowsRecord> {
    let copy = Arc::new(Mutex::new(MemoryRowStore::default()));
    let (copied, restored) = (Arc::clone(&copy), copy);
    let (rows, lost_rows) = (setup.rows.clone(), setup.rows.clone());
    let lose_rows = move || lost_rows.go_back_to(&restored.lock());
    let mut script = vec![
        (at.first_checkpoint, ScriptAction::AwaitCheckpoint),
        (at.copied_at, ScriptAction::Run(Arc::new(move || *copied.lock() = rows.copy()))),
        (at.lost_at, ScriptAction::AwaitCheckpoint),
    ];
    let metrics = WorkerMetrics::new(2);
    if worker == WorkerDuringLoss::Running {
        script.push((at.lost_at, ScriptAction::Run(Arc::new(lose_rows))));
        script.push((at.lost_at + 500, ScriptAction::AwaitSecondStart));
        setup.run_with_metrics(ScriptedSource::new(events, script), &StopSignal::default(), &metrics).expect_end();
    } else {
        script.push((at.lost_at, ScriptAction::Kill));
        setup.run(ScriptedSource::new(events, script)).expect_killed();
        lose_rows();
        let script = ScriptedSource::new(events, Vec::new());
        setup.run_with_metrics(script, &StopSignal::default(), &metrics).expect_end();
    }
    metrics.missing_rows.recent_records()
}

#[test]
fn the_job_goes_back_to_a_checkpoint_that_counts_no_lost_row() {
    let ConformanceCase { name, events, results: answers } = read_conformance_case("random");
    let at = LossOffsets { first_checkpoint: 1_000, copied_at: 1_500, lost_at: 2_000 };
    for worker in [WorkerDuringLoss::Running, WorkerDuringLoss::Killed] {
        let folder = tempfile::tempdir().expect("a folder");
        let setup = JobSetup::in_folder(folder.path());
        assert_eq!(run_with_loss(&setup, &events, at, worker), []);
        assert_answers(&setup, &answers, &format!("{name}, {worker:?}"));
    }
}

#[test]
fn rows_that_no_checkpoint_produces_again_are_named() {
    let ConformanceCase { name, events, results: answers } = read_conformance_case("random");
    let straight = {
        let folder = tempfile::tempdir().expect("a folder");
        let setup = JobSetup::in_folder(folder.path());
        setup.run(ScriptedSource::new(&events, Vec::new())).expect_end();
        setup.rows.lines()
    };
    let at = LossOffsets { first_checkpoint: 1_000, copied_at: 1_500, lost_at: 2_500 };
    for worker in [WorkerDuringLoss::Running, WorkerDuringLoss::Killed] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut setup = JobSetup::in_folder(folder.path());
        // Only the newest checkpoint is kept, and the store goes back behind it.
        setup.checkpoints = CheckpointConfig { kept_checkpoints_per_partition: 1, ..setup.checkpoints };
        let records = run_with_loss(&setup, &events, at, worker);
        let found = setup.rows.lines();
        let found_lines: Vec<&str> = found.lines().collect();
        let lost: Vec<serde_json::Value> = straight
            .lines()
            .filter(|line| !line.contains("\"late\"") && !found_lines.contains(line))
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert!(!lost.is_empty(), "{worker:?}: nothing was lost, so this shows nothing");
        let counted: u64 = records.iter().map(|record| record.missing_rows.row_count()).sum();
        assert_eq!(counted, lost.len() as u64, "{worker:?}: {records:?}");
        for MissingRowsRecord { missing_rows, .. } in &records {
            println!("{name}, {worker:?}: {missing_rows}");
            let view_rows: Vec<_> =
                lost.iter().filter(|row| row["feature_view"] == missing_rows.view_name.as_str()).collect();
            assert_eq!(view_rows.len() as u64, missing_rows.row_count(), "{missing_rows}");
            let (after, by) = (missing_rows.windows_ended_after_ms, missing_rows.windows_ended_by_ms);
            for row in view_rows {
                let end = row["window_end"].as_i64().expect("a time");
                assert!(after < Some(end) && Some(end) <= by, "{row} is not one of {missing_rows}");
            }
            let after = EventTime::from_ms(after.expect("an earlier cut is known"));
            assert!(missing_rows.to_string().contains(&format!("ended after {after} and by")), "{missing_rows}");
        }
        let written_again = format!("{found}{}", lost.iter().map(|row| format!("{row}\n")).collect::<String>());
        assert_same_rows(&answers, &written_again, &format!("{name}, {worker:?}, with the missing rows"));
    }
}

/// Redis was emptied. The job goes back as far as it can.
#[test]
fn an_emptied_row_store_gets_the_rows_since_the_oldest_checkpoint() {
    let ConformanceCase { events, .. } = read_conformance_case("random");
    let folder = tempfile::tempdir().expect("a folder");
    let setup = JobSetup::in_folder(folder.path());
    let script = [1_000, 1_500, 2_000, 2_500].map(|offset| (offset, ScriptAction::AwaitCheckpoint));
    let script = [&script[..], &[(2_500, ScriptAction::Kill)]].concat();
    setup.run(ScriptedSource::new(&events, script)).expect_killed();
    setup.rows.clear();
    let metrics = WorkerMetrics::new(2);
    setup.run_with_metrics(ScriptedSource::new(&events, Vec::new()), &StopSignal::default(), &metrics).expect_end();
    let [restored] = &metrics.checkpoint_metrics.recent_restores()[..] else { panic!("one restore") };
    assert!(restored.start_offset < Some(2_500), "{restored:?}");
    let missing = metrics.missing_rows.recent_records();
    assert!(missing.iter().all(|record| record.missing_rows.first_row_number == 1), "{missing:?}");
    assert!(missing.iter().all(|record| Some(record.missing_rows.end_offset) == restored.start_offset), "{missing:?}");
}

/// Requests a stop when a claim accepts that rows are missing. So the worker never hears that the claim was granted.
struct StopAtAcceptedLoss {
    rows: MemoryRowStore,
    stop: StopSignal,
}

impl RowFence for StopAtAcceptedLoss {
    fn claim_partition(&self, claim: &PartitionClaim, abandonment: &OpeningAbandonment) -> Result<ClaimOutcome, Halt> {
        if claim.missing_rows == MissingRowsPolicy::GrantClaim {
            self.stop.request();
        }
        self.rows.claim_partition(claim, abandonment)
    }
}

/// After the claim, the fence no longer shows which rows are missing, and no later owner could name them.
#[test]
fn missing_rows_are_named_before_the_claim_that_accepts_them() {
    let ConformanceCase { events, .. } = read_conformance_case("random");
    let folder = tempfile::tempdir().expect("a folder");
    let mut setup = JobSetup::in_folder(folder.path());
    setup.checkpoints = CheckpointConfig { kept_checkpoints_per_partition: 1, ..setup.checkpoints };
    let script = vec![(2_500, ScriptAction::AwaitCheckpoint), (2_500, ScriptAction::Kill)];
    setup.run(ScriptedSource::new(&events, script)).expect_killed();
    setup.rows.clear();
    let (stop, metrics) = (StopSignal::default(), WorkerMetrics::new(2));
    setup.checkpoints.row_fence = Arc::new(StopAtAcceptedLoss { rows: setup.rows.clone(), stop: stop.clone() });
    let outcome = setup.run_with_metrics(ScriptedSource::new(&events, Vec::new()), &stop, &metrics);
    assert!(matches!(outcome, RunOutcome::Ended(WorkerOutcome::Stopped)), "{outcome}");
    assert_eq!(metrics.checkpoint_metrics.recent_restores(), [], "the worker has opened the partition");
    assert!(metrics.missing_rows.row_count.get() > 0, "no missing rows");
}
