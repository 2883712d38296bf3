//! The reports of two instances of a job.

use windrow_web::report::{
    ChartMark, CheckpointCounts, CheckpointReport, CheckpointStatus, InstanceReport, InstanceState,
    LoggedProblemReport, PartitionReport, ReachabilityReport, RedisWriterReport, RequestedSavepointReport,
    RestoreReport, ViewReport, WorkerReport,
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
        records_read: records,
        bytes_read: records * 200,
        records_read_per_s: 1_000.0,
        undecodable_record_count: 2,
        entity_count: 500,
        busy_ms: 400_000,
        idle_ms: 500_000,
        backpressured_ms: 100_000,
        busy_ms_per_s: busy,
        idle_ms_per_s: 1_000.0 - busy - backpressured,
        backpressured_ms_per_s: backpressured,
        decode_share_of_busy_time: 0.5,
        ..WorkerReport::default()
    }
}

fn partition_report(partition: i32, worker: usize) -> PartitionReport {
    let offset = 10_000 + i64::from(partition);
    PartitionReport {
        partition,
        epoch: 3,
        worker_index: worker,
        next_offset: Some(offset),
        end_offset: Some(offset + 40),
        lag: Some(40),
        watermark_ms: Some(NOW - 10_000 - i64::from(partition) * 1_000),
        largest_event_time_ms: Some(NOW - i64::from(partition) * 1_000),
        last_record_processed_at_ms: Some(NOW - 100),
        records_read: 9_000,
        records_read_per_s: 500.0,
        entity_count: 250,
        last_checkpoint_bytes: 40_000,
        last_checkpoint_offset: Some(offset - 700),
        last_checkpoint_age_ms: Some(12_000),
        ..PartitionReport::default()
    }
}

pub(crate) fn checkpoint_report(partition: i32, number: u64, began_at_ms: i64) -> CheckpointReport {
    CheckpointReport {
        partition,
        epoch: 3,
        checkpoint_number: number,
        began_at_ms,
        ended_at_ms: Some(began_at_ms + 250 + i64::from(partition) * 10),
        offset: 9_000,
        added_bytes: 4_000,
        all_layers_bytes: 40_000,
        status: CheckpointStatus::Completed,
        location: format!("memory:partitions/{partition}"),
        ..CheckpointReport::default()
    }
}

fn savepoint_part_report(partition: i32) -> CheckpointReport {
    CheckpointReport {
        savepoint_id: Some("20991231T235900Z-12ab".to_owned()),
        location: "file:/savepoints/savepoint-ecommerce-20991231T235900Z-12ab".to_owned(),
        added_bytes: 40_000,
        ..checkpoint_report(partition, 7, NOW - 60_000 + 400)
    }
}

fn view_reports(rows: u64) -> Vec<ViewReport> {
    ["user_features", "user_session_features"]
        .map(|name| ViewReport {
            name: name.to_owned(),
            rows_fired: rows,
            rows_fired_per_s: 20.0,
            late_event_count: 5,
            entity_count: 250,
            ..ViewReport::default()
        })
        .to_vec()
}

/// Returns the report of the instance that answers: partitions 0 and 1 on two workers.
pub(crate) fn own_report() -> InstanceReport {
    InstanceReport {
        instance_id: "aaaaaaaaaaaaaaaa".to_owned(),
        host: "alpha".to_owned(),
        pid: 10,
        version: "0.1.0".to_owned(),
        listen_address: "127.0.0.1:8081".to_owned(),
        started_at_ms: NOW - 1_000_000,
        reported_at_ms: NOW,
        state: InstanceState::Running,
        workers: vec![worker_report(20_000, 400.0, 50.0), worker_report(10_000, 200.0, 300.0)],
        views: view_reports(300),
        owned_partitions: vec![partition_report(0, 0), partition_report(1, 1)],
        topic_partition_count: 4,
        redis_writer: RedisWriterReport {
            reachability: ReachabilityReport::default(),
            rows_written: 600,
            rows_written_per_s: 40.0,
            transaction_count: 60,
            total_transaction_s: 1.2,
            recent_mean_transaction_ms: 20.0,
            ..RedisWriterReport::default()
        },
        recent_checkpoints: vec![
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
        checkpoint_counts: CheckpointCounts {
            completed_count: 5,
            failed_count: 1,
            in_progress_count: 0,
            restored_partition_count: 2,
            fenced_partition_count: 0,
            missing_row_count: 0,
        },
        recent_restores: vec![RestoreReport {
            partition: 1,
            checkpoint_epoch: 2,
            checkpoint_number: 40,
            restored_at_ms: NOW - 999_000,
            restore_duration_ms: 30,
            origin_savepoint_location: Some("file:/savepoints/first".to_owned()),
            resume_offset: Some(1_000),
        }],
        recent_chart_marks: vec![ChartMark {
            occurred_at_ms: NOW - 990_000,
            mark_kind: "assigned".to_owned(),
            mark_label: "0, 1".to_owned(),
        }],
        recent_logged_problems: vec![
            LoggedProblemReport {
                logged_at_ms: NOW - 40_000,
                log_level: "error".to_owned(),
                logging_module: "windrow_engine::checkpoint".to_owned(),
                log_message: "the store is full".to_owned(),
            },
            LoggedProblemReport {
                logged_at_ms: NOW - 50_000,
                log_level: "warn".to_owned(),
                logging_module: "windrow_connectors::kafka".to_owned(),
                log_message: "away <script>".to_owned(),
            },
        ],
        ..InstanceReport::default()
    }
}

/// Partition 2 on one worker; partition 3 has no owner.
pub(crate) fn other_report() -> InstanceReport {
    let savepoint = |request: &str, status, failure: Option<&str>| RequestedSavepointReport {
        request_name: request.to_owned(),
        status,
        saved_partition_count: 1,
        partition_count: 4,
        location: "file:/savepoints/savepoint-ecommerce-20991231T235900Z-12ab".to_owned(),
        failure: failure.map(str::to_owned),
    };
    InstanceReport {
        instance_id: "bbbbbbbbbbbbbbbb".to_owned(),
        host: "beta".to_owned(),
        started_at_ms: NOW - 900_000,
        reported_at_ms: NOW - 3_000,
        listen_address: String::new(),
        workers: vec![worker_report(5_000, 100.0, 0.0)],
        views: view_reports(100),
        owned_partitions: vec![PartitionReport {
            is_idle: true,
            lag: Some(0),
            last_record_processed_at_ms: Some(NOW - 20_000),
            last_checkpoint_offset: Some(10_002),
            ..partition_report(2, 0)
        }],
        redis_writer: RedisWriterReport {
            rows_written: 190,
            rows_written_per_s: 40.0,
            total_transaction_s: 0.2,
            ..RedisWriterReport::default()
        },
        // The savepoint was taken while it owned partition 3 too.
        recent_checkpoints: vec![
            savepoint_part_report(2),
            savepoint_part_report(3),
            checkpoint_report(2, 5, NOW - 71_500),
        ],
        checkpoint_counts: CheckpointCounts { completed_count: 1, ..CheckpointCounts::default() },
        recent_restores: Vec::new(),
        recent_chart_marks: Vec::new(),
        recent_logged_problems: vec![LoggedProblemReport {
            logged_at_ms: NOW - 45_000,
            log_level: "warn".to_owned(),
            logging_module: "windrow_connectors::redis".to_owned(),
            log_message: "Redis is unreachable".to_owned(),
        }],
        requested_savepoints: vec![
            savepoint(TAKEN_SAVEPOINT, CheckpointStatus::Completed, None),
            savepoint(BROKEN_SAVEPOINT, CheckpointStatus::Failed, Some("partition 3 has no owner")),
            savepoint(UNFINISHED_SAVEPOINT, CheckpointStatus::InProgress, None),
        ],
        ..own_report()
    }
}
