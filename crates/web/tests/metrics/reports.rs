//! A report with every field set, each to another number if possible.

use windrow_web::InstanceReport;
use windrow_web::report::{
    CheckpointCounts, CheckpointReport, CheckpointStatus, DelayHistogramReport, FeatureOverflowReport, FreshnessReport,
    InstanceState, ParkedPartitionReport, PartitionReport, ReachabilityReport, RedisWriterReport, RestoreReport,
    ViewReport, WorkerReport,
};

const NOW: i64 = 1_764_054_000_000;

pub(crate) fn full_report() -> InstanceReport {
    InstanceReport {
        instance_id: "00ff00ff00ff00ff".to_owned(),
        host: "rack\"7\\a\nwindrow_dependency_up 0".to_owned(),
        pid: 4_711,
        version: "0.1.0".to_owned(),
        listen_address: "127.0.0.1:8081".to_owned(),
        started_at_ms: NOW - 3_600_000,
        reported_at_ms: NOW,
        state: InstanceState::Running,
        workers: vec![worker_report(1), worker_report(2)],
        views: vec![view_report("user_features", 3), view_report("<script>alert(1)</script>{}\" 1\n", 4)],
        owned_partitions: vec![partition_report(0, 1), partition_report(7, 0)],
        topic_partition_count: 8,
        kafka_reachability: ReachabilityReport {
            unreachable_since_ms: Some(NOW - 12_500),
            unreachable_reason: Some("refused".to_owned()),
        },
        redis_writer: redis_report(),
        checkpoint_store_reachability: ReachabilityReport {
            unreachable_since_ms: Some(NOW - 2_250),
            unreachable_reason: Some("full".to_owned()),
        },
        freshness: FreshnessReport {
            delay_since_event_time: histogram_report(&[0.5, 10.0, 60.0], &[1, 2, 0, 4], 321.5),
            delay_since_kafka_timestamp: histogram_report(&[0.001, 0.25], &[5, 6, 7], 12.25),
        },
        recent_checkpoints: vec![
            checkpoint_report(0, 9, CheckpointStatus::InProgress),
            checkpoint_report(0, 8, CheckpointStatus::Failed),
            CheckpointReport {
                savepoint_id: Some("s".to_owned()),
                ..checkpoint_report(0, 7, CheckpointStatus::Completed)
            },
            checkpoint_report(0, 6, CheckpointStatus::Completed),
            checkpoint_report(7, 5, CheckpointStatus::Completed),
            checkpoint_report(0, 4, CheckpointStatus::Completed),
            checkpoint_report(3, 3, CheckpointStatus::Completed),
        ],
        checkpoint_counts: CheckpointCounts {
            completed_count: 101,
            failed_count: 102,
            in_progress_count: 103,
            restored_partition_count: 104,
            fenced_partition_count: 105,
            missing_row_count: 106,
        },
        parked_partitions: vec![ParkedPartitionReport { partition: 5, ..ParkedPartitionReport::default() }],
        recent_restores: vec![
            restore_report(7, 30),
            restore_report(3, 20),
            restore_report(0, 10),
            restore_report(7, 5),
        ],
        ..InstanceReport::default()
    }
}

fn worker_report(n: u32) -> WorkerReport {
    let k = u64::from(n);
    WorkerReport {
        records_read: 1_000_000 * k,
        bytes_read: 250_000_000 * k,
        records_read_per_s: 48_200.0,
        undecodable_record_count: 10 + k,
        future_event_count: 4,
        late_event_count: 3 + k,
        misplaced_record_count: 5,
        misread_event_time_count: 6,
        oversized_text_count: 3,
        refused_row_count: 20 + k,
        rows_already_written: 30 + k,
        entity_count: 40 + k,
        busy_ms: 1_234_500 * k,
        idle_ms: 2_345_600 * k,
        backpressured_ms: 3_456 * k,
        busy_ms_per_s: 410.0,
        idle_ms_per_s: 550.0,
        backpressured_ms_per_s: 40.0,
        decode_share_of_busy_time: 0.5 + f64::from(n) / 100.0,
        longest_snapshot_pause_ms: 12.0 * f64::from(n),
        heartbeat_age_ms: 35 * k,
    }
}

fn view_report(name: &str, n: u64) -> ViewReport {
    ViewReport {
        name: name.to_owned(),
        rows_fired: 1_000 * n,
        rows_fired_per_s: 3.5,
        late_event_count: 100 * n,
        late_after_idle_event_count: 7 * n,
        entity_count: 10 * n,
        feature_overflows: vec![FeatureOverflowReport { feature_name: "spent".to_owned(), overflow_count: n }],
        incomplete_features: Vec::new(),
    }
}

fn partition_report(partition: i32, worker: usize) -> PartitionReport {
    let n = i64::from(partition) + 1;
    PartitionReport {
        partition,
        epoch: 3 + n.unsigned_abs(),
        worker_index: worker,
        next_offset: Some(1_000 * n),
        end_offset: Some(1_010 * n),
        lag: Some(10 * n.unsigned_abs()),
        watermark_ms: Some(NOW - 10_000 * n),
        largest_event_time_ms: Some(NOW - 9_000 * n),
        is_idle: partition == 7,
        follows_clock: partition == 7,
        last_record_processed_at_ms: Some(NOW - 125 * n),
        last_record_kafka_timestamp_ms: Some(NOW - 225 * n),
        records_read: 900 * n.unsigned_abs(),
        records_read_per_s: 12.0,
        entity_count: 60 * n.unsigned_abs(),
        last_checkpoint_bytes: 41_000_000 * n.unsigned_abs(),
        last_checkpoint_offset: Some(990 * n),
        last_checkpoint_age_ms: Some(12_000 * n.unsigned_abs()),
    }
}

fn redis_report() -> RedisWriterReport {
    RedisWriterReport {
        reachability: ReachabilityReport {
            unreachable_since_ms: Some(NOW - 64_000),
            unreachable_reason: Some("gone".to_owned()),
        },
        rows_written: 201,
        rows_written_per_s: 202.0,
        transaction_count: 203,
        total_transaction_s: 204.5,
        recent_mean_transaction_ms: 205.0,
        unacknowledged_bytes: 206,
        unacknowledged_bytes_max: 8_388_608,
        rows_refused: 207,
        rows_of_lost_partitions: 208,
        reconnect_count: 209,
    }
}

fn histogram_report(bounds: &[f64], counts: &[u64], sum: f64) -> DelayHistogramReport {
    DelayHistogramReport {
        bucket_bounds_s: bounds.to_vec(),
        bucket_counts: counts.to_vec(),
        sum_s: sum,
        last_minute_p50_ms: Some(1.0),
        last_minute_p99_ms: Some(2.0),
    }
}

fn checkpoint_report(partition: i32, number: u32, status: CheckpointStatus) -> CheckpointReport {
    let n = i64::from(number);
    CheckpointReport {
        partition,
        epoch: 4,
        checkpoint_number: n.unsigned_abs(),
        savepoint_id: None,
        status,
        began_at_ms: NOW - 100_000 + n,
        ended_at_ms: Some(NOW - 100_000 + 111 * n),
        offset: 990,
        added_bytes: 400_000 + n.unsigned_abs(),
        all_layers_bytes: 41_000_000,
        failure: None,
        location: "file:checkpoints".to_owned(),
    }
}

fn restore_report(partition: i32, n: u32) -> RestoreReport {
    RestoreReport {
        partition,
        checkpoint_epoch: 3,
        checkpoint_number: 2,
        restored_at_ms: NOW - 3_500_000 + 1_000 * i64::from(n),
        restore_duration_ms: 10 * u64::from(n),
        origin_savepoint_location: None,
        resume_offset: Some(900),
    }
}
