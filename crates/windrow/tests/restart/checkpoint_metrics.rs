//! Metrics of checkpoints and restores.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use windrow_engine::{
    CheckpointConfig, CheckpointRecord, CheckpointState, StopSignal, TimelineMarkKind, WorkerMetrics,
};
use windrow_test_support::HANG_TIMEOUT;

use crate::conformance_cases::{ConformanceCase, read_conformance_case};
use crate::faulty_store::FaultyStore;
use crate::job::JobSetup;
use crate::scripted_source::{ScriptAction, ScriptedSource};
use crate::shared_job::open_folder_store;

fn is_complete(event: &CheckpointRecord) -> bool {
    matches!(event.state, CheckpointState::Complete { .. })
}

/// Complete checkpoints, a failed one, and the one from which the next owner restores.
#[test]
fn checkpoints_are_told_one_by_one() {
    let ConformanceCase { events, .. } = read_conformance_case("late");
    let folder = tempfile::tempdir().expect("a folder");
    let store = FaultyStore::wrap(open_folder_store(folder.path()));
    let setup = JobSetup::in_store(Arc::<FaultyStore>::clone(&store));
    let (full, tried, room) = (Arc::clone(&store), Arc::clone(&store), Arc::clone(&store));
    let await_attempt = move || {
        let began = Instant::now();
        while tried.refused_creates.load(Ordering::Relaxed) == 0 {
            assert!(began.elapsed() < HANG_TIMEOUT, "no attempt");
            thread::sleep(Duration::from_millis(1));
        }
    };
    let then = vec![
        (50, ScriptAction::AwaitCheckpoint),
        (50, ScriptAction::Run(Arc::new(move || full.is_full.store(true, Ordering::Relaxed)))),
        // The turn before the first of these cuts a snapshot; the turn after it sends the snapshot to the checkpoint thread.
        (60, ScriptAction::Run(Arc::new(|| ()))),
        (60, ScriptAction::Run(Arc::new(await_attempt))),
        (200, ScriptAction::Run(Arc::new(move || room.is_full.store(false, Ordering::Relaxed)))),
        (250, ScriptAction::AwaitCheckpoint),
        (300, ScriptAction::Kill),
    ];
    let metrics = WorkerMetrics::new(2);
    setup.run_with_metrics(ScriptedSource::new(&events, then), &StopSignal::default(), &metrics).expect_killed();

    let records = metrics.checkpoint_metrics.recent_checkpoints();
    assert!(records.is_sorted_by_key(|event| std::cmp::Reverse(event.started_at_ms)), "{records:?}");
    let counts =
        (metrics.checkpoint_metrics.completed_checkpoints.get(), metrics.checkpoint_metrics.failed_checkpoints.get());
    let failed: Vec<_> = records.iter().filter(|event| matches!(event.state, CheckpointState::Failed(_))).collect();
    let completed: Vec<_> = records.iter().filter(|event| is_complete(event)).collect();
    assert_eq!(counts, (completed.len() as u64, failed.len() as u64), "{records:?}");
    let CheckpointState::Failed(reason) = &failed.last().expect("the disk was full").state else { unreachable!() };
    assert!(reason.contains("cannot write the state object"), "{reason}");
    assert!(
        metrics
            .recent_events
            .timeline_marks()
            .iter()
            .any(|mark| mark.kind == TimelineMarkKind::CheckpointFailed && mark.label.contains(reason))
    );

    let last = completed.iter().max_by_key(|event| event.checkpoint_number).expect("checkpoints are complete");
    assert!(last.offset >= 250 && last.ended_at_ms >= Some(last.started_at_ms), "{last:?}");
    assert_eq!((last.partition, last.epoch, &last.savepoint_id), (0, 1, &None));
    assert_eq!(last.store_place, setup.checkpoints.checkpoint_store.place());
    let CheckpointState::Complete { added_bytes, state_bytes } = last.state else { unreachable!() };
    assert!(0 < added_bytes && added_bytes <= state_bytes, "{last:?}");
    assert_eq!(metrics.checkpoint_metrics.recent_restores(), []);

    // The next owner.
    let metrics = WorkerMetrics::new(2);
    let checkpoints = CheckpointConfig { checkpoint_interval: Duration::from_secs(3_600), ..setup.checkpoints.clone() };
    let stop = StopSignal::default();
    let asks = stop.clone();
    let then = vec![(320, ScriptAction::Run(Arc::new(move || asks.request())))];
    let ended = JobSetup { checkpoints, ..setup }.run_with_metrics(ScriptedSource::new(&events, then), &stop, &metrics);
    assert!(ended.to_string().contains("Stopped"), "{ended}");
    let [restored] = &metrics.checkpoint_metrics.recent_restores()[..] else { panic!("one partition was restored") };
    assert_eq!(
        (restored.restored_checkpoint_id.epoch, restored.restored_checkpoint_id.checkpoint_number),
        (last.epoch, last.checkpoint_number.expect("complete"))
    );
    assert_eq!(
        (restored.partition, restored.start_offset, &restored.origin_savepoint_place),
        (0, Some(last.offset), &None)
    );
    assert_eq!(metrics.checkpoint_metrics.checkpoints_in_progress_count(), 0);
    // The last checkpoint, taken at the stop.
    let [facts] = &metrics.partition_statuses.list_published()[..] else { panic!("one partition is owned") };
    assert_eq!((facts.epoch, facts.next_offset, facts.last_checkpoint_offset), (2, Some(320), Some(320)));
    assert!(facts.last_checkpoint_total_bytes > 0 && facts.last_checkpoint_at_ms.is_some(), "{facts:?}");
}
