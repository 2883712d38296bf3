//! Metrics of the rows written to Redis, and of the rows that are not yet written.

use super::families::{HistogramSample, MetricFamilies};
use crate::report::RedisWriterReport;

pub(super) fn add_redis_metrics(families: &mut MetricFamilies, redis: &RedisWriterReport) {
    families.add_counter("windrow_redis_rows_written_total", "Rows written to Redis.", [redis.rows_written.into()]);
    families.add_counter(
        "windrow_redis_rows_refused_total",
        "Rows that Redis refused, such as a key that holds another type.",
        [redis.rows_refused.into()],
    );
    families.add_counter(
        "windrow_redis_rows_dropped_total",
        "Rows discarded because another owner has claimed their partition and writes them.",
        [redis.rows_of_lost_partitions.into()],
    );
    // The durations of single transactions are not measured, so the histogram has no bounds.
    families.add_histogram(
        "windrow_redis_transaction_seconds",
        "Transactions with Redis, and the time they took together.",
        HistogramSample { buckets: Vec::new(), count: redis.transaction_count, sum: redis.total_transaction_s },
    );
    families.add_gauge(
        "windrow_redis_waiting_bytes",
        "Bytes of rows that wait to be written to Redis.",
        [redis.unacknowledged_bytes.into()],
    );
    families.add_gauge(
        "windrow_redis_waiting_limit_bytes",
        "Bytes of rows that may wait; at this limit the workers stop reading.",
        [redis.unacknowledged_bytes_max.into()],
    );
    families.add_counter(
        "windrow_redis_reconnects_total",
        "Connections to Redis opened after the first.",
        [redis.reconnect_count.into()],
    );
}
