//! `/jobs/:id/checkpoints/config`

use serde_json::{Value, json};

use crate::flink::look::FlinkJob;

/// How checkpoints are taken, in Flink's words.
pub(in crate::flink) fn render_checkpoint_config(look: &FlinkJob<'_>) -> Value {
    json!({
        "mode": "exactly_once",
        "interval": look.pipeline.checkpoint.interval_ms,
        "timeout": 600_000,
        "min_pause": 0,
        "max_concurrent": 1,
        // A stopped job goes on from its checkpoints.
        "externalization": { "enabled": true, "delete_on_cancellation": false },
        "state_backend": "windrow",
        "checkpoint_storage": look.checkpoint_place,
        "unaligned_checkpoints": false,
        // Checkpoints that fail never fail the job.
        "tolerable_failed_checkpoints": i32::MAX,
        "aligned_checkpoint_timeout": 0,
        "checkpoints_after_tasks_finish": false,
        "state_changelog_enabled": false,
        "changelog_periodic_materialization_interval": 0,
        "changelog_storage": "none",
    })
}
