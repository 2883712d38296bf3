//! Renders `/jobs/:id/checkpoints/config`.

use serde_json::{Value, json};

use crate::flink::flink_job::FlinkJob;

/// A checkpoint request fails if it is still pending after the checkpoint interval plus this time, in milliseconds.
pub(crate) const CHECKPOINT_TIMEOUT_MS: i64 = 600_000;

/// Renders the checkpoint settings under Flink's names.
pub(crate) fn render_checkpoint_config(job: &FlinkJob<'_>) -> Value {
    json!({
        "mode": "exactly_once",
        "interval": job.pipeline.checkpoint.checkpoint_interval_ms,
        "timeout": CHECKPOINT_TIMEOUT_MS,
        "min_pause": 0,
        "max_concurrent": 1,
        // A stop of the job keeps the checkpoints, so that the job can continue from them after its next start.
        "externalization": { "enabled": true, "delete_on_cancellation": false },
        "state_backend": "windrow",
        "checkpoint_storage": job.checkpoint_location,
        "unaligned_checkpoints": false,
        // A failed checkpoint never fails the job.
        "tolerable_failed_checkpoints": i32::MAX,
        "aligned_checkpoint_timeout": 0,
        "checkpoints_after_tasks_finish": false,
        "state_changelog_enabled": false,
        "changelog_periodic_materialization_interval": 0,
        "changelog_storage": "none",
    })
}
