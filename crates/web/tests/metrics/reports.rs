//! A report with every field set, each to another number if possible.

use windrow_web::InstanceReport;
use windrow_web::report::{
    CheckpointCounts, CheckpointReport, CheckpointStatus, FreshnessReport, HistogramReport, InstanceState,
    PartitionReport, ReachabilityReport, RedisReport, RestoreReport, ViewReport, WorkerReport,
};

const NOW: i64 = 1_764_054_000_000;

pub(crate) fn full_report() -> InstanceReport {
    InstanceReport {
        instance: "00ff00ff00ff00ff".to_owned(),
        host: "rack\"7\\a\nwindrow_dependency_up 0".to_owned(),
        pid: 4_711,
        version: "0.1.0".to_owned(),
        listen: "127.0.0.1:8081".to_owned(),
        started_at_ms: NOW - 3_600_000,
        reported_at_ms: NOW,
        state: InstanceState::Running,
        workers: vec![worker_report(1), worker_report(2)],
        views: vec![view_report("user_features", 3), view_report("<script>alert(1)</script>{}\" 1\n", 4)],
        partitions: vec![partition_report(0, 1), partition_report(7, 0)],
        topic_partitions: 8,
        kafka: ReachabilityReport { away_since_ms: Some(NOW - 12_500), reason: Some("refused".to_owned()) },
        redis: redis_report(),
        checkpoint_store: ReachabilityReport { away_since_ms: Some(NOW - 2_250), reason: Some("full".to_owned()) },
        freshness: FreshnessReport {
            event_time: histogram_report(&[0.5, 10.0, 60.0], &[1, 2, 0, 4], 321.5),
            append: histogram_report(&[0.001, 0.25], &[5, 6, 7], 12.25),
        },
        checkpoints: vec![
            checkpoint_report(0, 9, CheckpointStatus::InProgress),
            checkpoint_report(0, 8, CheckpointStatus::Failed),
            CheckpointReport {
                savepoint: Some("s".to_owned()),
                ..checkpoint_report(0, 7, CheckpointStatus::Completed)
            },
            checkpoint_report(0, 6, CheckpointStatus::Completed),
            checkpoint_report(7, 5, CheckpointStatus::Completed),
            checkpoint_report(0, 4, CheckpointStatus::Completed),
            checkpoint_report(3, 3, CheckpointStatus::Completed),
        ],
        checkpoint_counts: CheckpointCounts {
            completed: 101,
            failed: 102,
            in_progress: 103,
            restored: 104,
            fenced: 105,
        },
        restored: vec![restore_report(7, 30), restore_report(3, 20), restore_report(0, 10), restore_report(7, 5)],
        ..InstanceReport::default()
    }
}

fn worker_report(n: u32) -> WorkerReport {
    let k = u64::from(n);
    WorkerReport {
        records: 1_000_000 * k,
        bytes: 250_000_000 * k,
        records_per_s: 48_200.0,
        dead_letters: 10 + k,
        refused_rows: 20 + k,
        rows_there: 30 + k,
        entities: 40 + k,
        busy_ms: 1_234_500 * k,
        idle_ms: 2_345_600 * k,
        backpressured_ms: 3_456 * k,
        busy_ms_per_s: 410.0,
        idle_ms_per_s: 550.0,
        backpressured_ms_per_s: 40.0,
        decode_share: 0.5 + f64::from(n) / 100.0,
        pause_ms_max: 12.0 * f64::from(n),
        beat_age_ms: 35 * k,
    }
}

fn view_report(name: &str, n: u64) -> ViewReport {
    ViewReport { name: name.to_owned(), rows: 1_000 * n, rows_per_s: 3.5, late_events: 100 * n, entities: 10 * n }
}

fn partition_report(partition: i32, worker: usize) -> PartitionReport {
    let n = i64::from(partition) + 1;
    PartitionReport {
        partition,
        epoch: 3 + n.unsigned_abs(),
        worker,
        offset: Some(1_000 * n),
        end_offset: Some(1_010 * n),
        lag: Some(10 * n.unsigned_abs()),
        watermark_ms: Some(NOW - 10_000 * n),
        event_time_ms: Some(NOW - 9_000 * n),
        idle: partition == 7,
        last_record_at_ms: Some(NOW - 125 * n),
        last_appended_ms: Some(NOW - 225 * n),
        records: 900 * n.unsigned_abs(),
        records_per_s: 12.0,
        entities: 60 * n.unsigned_abs(),
        state_bytes: 41_000_000 * n.unsigned_abs(),
        checkpoint_offset: Some(990 * n),
        checkpoint_age_ms: Some(12_000 * n.unsigned_abs()),
    }
}

fn redis_report() -> RedisReport {
    RedisReport {
        reach: ReachabilityReport { away_since_ms: Some(NOW - 64_000), reason: Some("gone".to_owned()) },
        rows_written: 201,
        rows_per_s: 202.0,
        transactions: 203,
        transaction_seconds: 204.5,
        transaction_ms: 205.0,
        waiting_bytes: 206,
        waiting_bytes_limit: 8_388_608,
        rows_refused: 207,
        rows_dropped: 208,
        reconnects: 209,
    }
}

fn histogram_report(bounds: &[f64], counts: &[u64], sum: f64) -> HistogramReport {
    HistogramReport { bounds: bounds.to_vec(), counts: counts.to_vec(), sum, p50_ms: Some(1.0), p99_ms: Some(2.0) }
}

fn checkpoint_report(partition: i32, number: u32, status: CheckpointStatus) -> CheckpointReport {
    let n = i64::from(number);
    CheckpointReport {
        partition,
        epoch: 4,
        number: n.unsigned_abs(),
        savepoint: None,
        status,
        began_at_ms: NOW - 100_000 + n,
        ended_at_ms: Some(NOW - 100_000 + 111 * n),
        offset: 990,
        added_bytes: 400_000 + n.unsigned_abs(),
        state_bytes: 41_000_000,
        failure: None,
        place: "file:checkpoints".to_owned(),
    }
}

fn restore_report(partition: i32, n: u32) -> RestoreReport {
    RestoreReport {
        partition,
        epoch: 3,
        number: 2,
        at_ms: NOW - 3_500_000 + 1_000 * i64::from(n),
        took_ms: 10 * u64::from(n),
        savepoint: None,
        offset: Some(900),
    }
}
