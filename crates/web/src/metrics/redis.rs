//! Metrics of the rows written to Redis, and of the rows that are not yet written.

use super::families::{MetricFamilies, count_as_f64};
use crate::report::RedisWriterReport;

pub(super) fn add_redis_metrics(families: &mut MetricFamilies, redis: &RedisWriterReport) {
    families.add_counter(
        "windrow_redis_rows_written_total",
        "Rows written to Redis.",
        [count_as_f64(redis.rows_written).into()],
    );
    families.add_counter(
        "windrow_redis_rows_refused_total",
        "Rows that Redis refused, such as a key that holds another type.",
        [count_as_f64(redis.rows_refused).into()],
    );
    families.add_counter(
        "windrow_redis_rows_dropped_total",
        "Rows discarded because another owner has claimed their partition and writes them.",
        [count_as_f64(redis.rows_of_lost_partitions).into()],
    );
    families.add_summary(
        "windrow_redis_transaction_seconds",
        "Transactions with Redis, and the time they took together.",
        redis.transaction_count,
        redis.total_transaction_s,
    );
    families.add_gauge(
        "windrow_redis_waiting_bytes",
        "Bytes of rows that wait to be written to Redis.",
        [count_as_f64(redis.unacknowledged_bytes).into()],
    );
    families.add_gauge(
        "windrow_redis_waiting_limit_bytes",
        "Bytes of rows that may wait; at this limit the workers stop reading.",
        [count_as_f64(redis.unacknowledged_bytes_max).into()],
    );
    families.add_counter(
        "windrow_redis_reconnects_total",
        "Connections to Redis opened after the first.",
        [count_as_f64(redis.reconnect_count).into()],
    );
}
