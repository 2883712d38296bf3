//! The reports of two instances of a job.

use windrow_web::report::{
    ChartMark, CheckpointCounts, CheckpointReport, CheckpointStatus, ExceptionReport, InstanceReport, InstanceState,
    PartitionReport, ReachabilityReport, RedisReport, RestoreReport, SavepointReport, ViewReport, WorkerReport,
};

/// All times depend on this one, far enough in the future that no report counts as old: 2100-01-01T00:00:00Z.
pub(crate) const NOW: i64 = 4_102_444_800_000;
pub(crate) const CHECKPOINT_INTERVAL_MS: i64 = 30_000;
/// Savepoints requested from the other instance.
pub(crate) const TAKEN_SAVEPOINT: &str = "00000000000000000000000000000001";
pub(crate) const BROKEN_SAVEPOINT: &str = "00000000000000000000000000000002";
pub(crate) const UNFINISHED_SAVEPOINT: &str = "00000000000000000000000000000003";

fn worker_report(records: u64, busy: f64, backpressured: f64) -> WorkerReport {
    WorkerReport {
        records,
        bytes: records * 200,
        records_per_s: 1_000.0,
        dead_letters: 2,
        entities: 500,
        busy_ms: 400_000,
        idle_ms: 500_000,
        backpressured_ms: 100_000,
        busy_ms_per_s: busy,
        idle_ms_per_s: 1_000.0 - busy - backpressured,
        backpressured_ms_per_s: backpressured,
        decode_share: 0.5,
        ..WorkerReport::default()
    }
}

fn partition_report(partition: i32, worker: usize) -> PartitionReport {
    let offset = 10_000 + i64::from(partition);
    PartitionReport {
        partition,
        epoch: 3,
        worker,
        offset: Some(offset),
        end_offset: Some(offset + 40),
        lag: Some(40),
        watermark_ms: Some(NOW - 10_000 - i64::from(partition) * 1_000),
        event_time_ms: Some(NOW - i64::from(partition) * 1_000),
        last_record_at_ms: Some(NOW - 100),
        records: 9_000,
        records_per_s: 500.0,
        entities: 250,
        state_bytes: 40_000,
        checkpoint_offset: Some(offset - 700),
        checkpoint_age_ms: Some(12_000),
        ..PartitionReport::default()
    }
}

pub(crate) fn checkpoint_report(partition: i32, number: u64, began_at_ms: i64) -> CheckpointReport {
    CheckpointReport {
        partition,
        epoch: 3,
        number,
        began_at_ms,
        ended_at_ms: Some(began_at_ms + 250 + i64::from(partition) * 10),
        offset: 9_000,
        added_bytes: 4_000,
        state_bytes: 40_000,
        status: CheckpointStatus::Completed,
        place: format!("memory:partitions/{partition}"),
        ..CheckpointReport::default()
    }
}

fn savepoint_part_report(partition: i32) -> CheckpointReport {
    CheckpointReport {
        savepoint: Some("20991231T235900Z-12ab".to_owned()),
        place: "file:/savepoints/savepoint-ecommerce-20991231T235900Z-12ab".to_owned(),
        added_bytes: 40_000,
        ..checkpoint_report(partition, 7, NOW - 60_000 + 400)
    }
}

fn view_reports(rows: u64) -> Vec<ViewReport> {
    ["user_features", "user_session_features"]
        .map(|name| ViewReport { name: name.to_owned(), rows, rows_per_s: 20.0, late_events: 5, entities: 250 })
        .to_vec()
}

/// Returns the report of the instance that answers: partitions 0 and 1 on two workers.
pub(crate) fn own_report() -> InstanceReport {
    InstanceReport {
        instance: "aaaaaaaaaaaaaaaa".to_owned(),
        host: "alpha".to_owned(),
        pid: 10,
        version: "0.1.0".to_owned(),
        listen: "127.0.0.1:8081".to_owned(),
        started_at_ms: NOW - 1_000_000,
        reported_at_ms: NOW,
        state: InstanceState::Running,
        workers: vec![worker_report(20_000, 400.0, 50.0), worker_report(10_000, 200.0, 300.0)],
        views: view_reports(300),
        partitions: vec![partition_report(0, 0), partition_report(1, 1)],
        topic_partitions: 4,
        redis: RedisReport {
            reach: ReachabilityReport::default(),
            rows_written: 600,
            rows_per_s: 40.0,
            transactions: 60,
            transaction_seconds: 1.2,
            transaction_ms: 20.0,
            ..RedisReport::default()
        },
        checkpoints: vec![
            checkpoint_report(0, 9, NOW - 12_000),
            checkpoint_report(1, 9, NOW - 11_000),
            savepoint_part_report(0),
            savepoint_part_report(1),
            checkpoint_report(0, 8, NOW - 42_000),
            CheckpointReport {
                status: CheckpointStatus::Failed,
                failure: Some("the store is full".to_owned()),
                ..checkpoint_report(1, 8, NOW - 41_000)
            },
            checkpoint_report(0, 6, NOW - 72_000),
            checkpoint_report(1, 6, NOW - 71_000),
        ],
        checkpoint_counts: CheckpointCounts { completed: 5, failed: 1, in_progress: 0, restored: 2, fenced: 0 },
        restored: vec![RestoreReport {
            partition: 1,
            epoch: 2,
            number: 40,
            at_ms: NOW - 999_000,
            took_ms: 30,
            savepoint: Some("file:/savepoints/first".to_owned()),
            offset: Some(1_000),
        }],
        marks: vec![ChartMark { at_ms: NOW - 990_000, kind: "assigned".to_owned(), text: "0, 1".to_owned() }],
        exceptions: vec![
            ExceptionReport {
                at_ms: NOW - 40_000,
                level: "error".to_owned(),
                target: "windrow_engine::checkpoint".to_owned(),
                message: "the store is full".to_owned(),
            },
            ExceptionReport {
                at_ms: NOW - 50_000,
                level: "warn".to_owned(),
                target: "windrow_connectors::kafka".to_owned(),
                message: "away <script>".to_owned(),
            },
        ],
        ..InstanceReport::default()
    }
}

/// Partition 2 on one worker; partition 3 has no owner.
pub(crate) fn other_report() -> InstanceReport {
    let savepoint = |request: &str, status, failure: Option<&str>| SavepointReport {
        request: request.to_owned(),
        status,
        saved: 1,
        partitions: 4,
        location: "file:/savepoints/savepoint-ecommerce-20991231T235900Z-12ab".to_owned(),
        failure: failure.map(str::to_owned),
    };
    InstanceReport {
        instance: "bbbbbbbbbbbbbbbb".to_owned(),
        host: "beta".to_owned(),
        started_at_ms: NOW - 900_000,
        reported_at_ms: NOW - 3_000,
        listen: String::new(),
        workers: vec![worker_report(5_000, 100.0, 0.0)],
        views: view_reports(100),
        partitions: vec![PartitionReport {
            idle: true,
            lag: Some(0),
            last_record_at_ms: Some(NOW - 20_000),
            checkpoint_offset: Some(10_002),
            ..partition_report(2, 0)
        }],
        redis: RedisReport { rows_written: 190, rows_per_s: 40.0, transaction_seconds: 0.2, ..RedisReport::default() },
        // The savepoint was taken while it owned partition 3 too.
        checkpoints: vec![savepoint_part_report(2), savepoint_part_report(3), checkpoint_report(2, 5, NOW - 71_500)],
        checkpoint_counts: CheckpointCounts { completed: 1, ..CheckpointCounts::default() },
        restored: Vec::new(),
        marks: Vec::new(),
        exceptions: vec![ExceptionReport {
            at_ms: NOW - 45_000,
            level: "warn".to_owned(),
            target: "windrow_connectors::redis".to_owned(),
            message: "Redis is unreachable".to_owned(),
        }],
        savepoints: vec![
            savepoint(TAKEN_SAVEPOINT, CheckpointStatus::Completed, None),
            savepoint(BROKEN_SAVEPOINT, CheckpointStatus::Failed, Some("partition 3 has no owner")),
            savepoint(UNFINISHED_SAVEPOINT, CheckpointStatus::InProgress, None),
        ],
        ..own_report()
    }
}
