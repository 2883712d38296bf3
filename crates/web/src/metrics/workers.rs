//! Metrics of each worker thread.

use super::families::{MetricFamilies, MetricSample, count_as_f64};
use crate::report::WorkerReport;

pub(super) fn add_worker_metrics(families: &mut MetricFamilies, workers: &[WorkerReport]) {
    families.add_counter(
        "windrow_worker_records_total",
        "Records read from Kafka, dead letters included.",
        samples_by_worker(workers, |worker| worker.records_read),
    );
    families.add_counter(
        "windrow_worker_read_bytes_total",
        "Bytes of the records read from Kafka.",
        samples_by_worker(workers, |worker| worker.bytes_read),
    );
    families.add_counter(
        "windrow_worker_dead_letters_total",
        "Records that were not events and became dead letters.",
        samples_by_worker(workers, |worker| worker.undecodable_record_count),
    );
    families.add_counter(
        "windrow_worker_future_events_total",
        "Events that are later than the wall clock allows. They became dead letters.",
        samples_by_worker(workers, |worker| worker.future_event_count),
    );
    families.add_counter(
        "windrow_worker_late_events_total",
        "Events that were late for at least one feature view. With [late_events], their records are stored.",
        samples_by_worker(workers, |worker| worker.late_event_count),
    );
    families.add_counter(
        "windrow_misplaced_records_total",
        "Records in another partition than the other records of their entity, from the moment on that this is known.",
        samples_by_worker(workers, |worker| worker.misplaced_record_count),
    );
    families.add_counter(
        "windrow_worker_misread_event_times_total",
        "Events whose time is years away from the time of their record, but near it in another unit or format.",
        samples_by_worker(workers, |worker| worker.misread_event_time_count),
    );
    families.add_counter(
        "windrow_worker_oversized_texts_total",
        "Texts in events that were too long for the aggregates that would keep them, and NULL to these.",
        samples_by_worker(workers, |worker| worker.oversized_text_count),
    );
    families.add_counter(
        "windrow_worker_refused_rows_total",
        "Rows that Redis refused and the worker gave up.",
        samples_by_worker(workers, |worker| worker.refused_row_count),
    );
    families.add_counter(
        "windrow_worker_rows_there_total",
        "Rows computed again after a restart that were already in Redis and were not written again.",
        samples_by_worker(workers, |worker| worker.rows_already_written),
    );
    families.add_gauge(
        "windrow_worker_entities",
        "Entities (users) that have state in the worker.",
        samples_by_worker(workers, |worker| worker.entity_count),
    );
    families.add_counter(
        "windrow_worker_time_seconds_total",
        "Time the worker spent on records (busy), waiting for records (idle), and waiting for Redis to take rows \
         (backpressured).",
        workers.iter().enumerate().flat_map(|(number, worker)| {
            [("busy", worker.busy_ms), ("idle", worker.idle_ms), ("backpressured", worker.backpressured_ms)].map(
                |(state, ms)| {
                    MetricSample::new(
                        [("worker", number.to_string()), ("state", state.to_owned())],
                        count_as_f64(ms) / 1_000.0,
                    )
                },
            )
        }),
    );
    families.add_gauge(
        "windrow_worker_decode_ratio",
        "The share of busy time that goes into decoding, between 0 and 1; the rest goes into windows.",
        samples_by_worker(workers, |worker| worker.decode_share_of_busy_time),
    );
    families.add_gauge(
        "windrow_worker_checkpoint_pause_max_seconds",
        "The longest that saving state has kept the worker from its records since the start.",
        samples_by_worker(workers, |worker| worker.longest_snapshot_pause_ms / 1_000.0),
    );
    families.add_gauge(
        "windrow_worker_beat_age_seconds",
        "Time since the worker's loop last completed a turn; a large value means that it hangs.",
        samples_by_worker(workers, |worker| count_as_f64(worker.heartbeat_age_ms) / 1_000.0),
    );
}

fn samples_by_worker<V>(
    workers: &[WorkerReport],
    value: impl Fn(&WorkerReport) -> V,
) -> impl Iterator<Item = MetricSample<V>> {
    workers
        .iter()
        .enumerate()
        .map(move |(number, worker)| MetricSample::new([("worker", number.to_string())], value(worker)))
}
