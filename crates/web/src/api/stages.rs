//! Builds the JSON of the pipeline's stages: Kafka, decoding, one stage for each feature view, and Redis.

use serde_json::{Value, json};
use windrow_core::text::{format_count_with_noun, format_window};
use windrow_spec::Pipeline;
use windrow_spec::login_redaction::redact_url_credentials_and_query;

use crate::job::thresholds::{MAX_BACKPRESSURE_SHARE, MAX_BUSY_SHARE};
use crate::job::{AttentionLevel, JobReport};
use crate::report::{ReachabilityReport, RedisWriterReport};

/// Returns the JSON of all stages, from Kafka to Redis.
pub(super) fn render_stages(pipeline: &Pipeline, job: &JobReport) -> Vec<Value> {
    let totals = job.compute_totals();
    let busy_level = if totals.busy_share > MAX_BUSY_SHARE { AttentionLevel::Soon } else { AttentionLevel::Well };
    let decode = json!({
        "id": "decode", "kind": "decode", "name": "decode", "detail": "json", "rate_per_s": totals.records_per_s,
        "level": busy_level, "facts": { "dead_letters": totals.dead_letter_count },
    });
    let mut stages = vec![render_source_stage(pipeline, job), decode];
    let view_reports = job.sum_view_reports();
    stages.extend(pipeline.views.iter().map(|view| {
        let name = &*view.name;
        let report = view_reports.iter().find(|report| report.name == name).cloned().unwrap_or_default();
        json!({
            "id": format!("view-{name}"), "kind": "feature_view", "name": name,
            "detail": format_window(view.window), "rate_per_s": report.rows_fired_per_s, "level": busy_level,
            "facts": { "rows": report.rows_fired, "late_events": report.late_event_count, "entities": report.entity_count },
        })
    }));
    stages.push(render_sink_stage(pipeline, job));
    stages
}

fn render_source_stage(pipeline: &Pipeline, job: &JobReport) -> Value {
    let (totals, kafka) = (job.compute_totals(), job.kafka_reachability());
    let partitions = format_count_with_noun(totals.partition_count as u64, "partition");
    let level = dependency_attention_level(&kafka, job.is_falling_behind());
    json!({
        "id": "source", "kind": "source", "name": "Kafka",
        "detail": format!("{}, {partitions}", pipeline.source.kafka().topic),
        "rate_per_s": totals.records_per_s, "level": level,
        "facts": { "lag": totals.lag, "behind_ms": totals.behind_ms },
        "away_since_ms": kafka.unreachable_since_ms, "reason": kafka.unreachable_reason,
    })
}

fn render_sink_stage(pipeline: &Pipeline, job: &JobReport) -> Value {
    let (totals, redis) = (job.compute_totals(), job.redis_reachability());
    let sum = |select: fn(&RedisWriterReport) -> u64| -> u64 {
        job.instances.iter().map(|instance| select(&instance.redis_writer)).sum()
    };
    let slowest =
        job.instances.iter().map(|instance| instance.redis_writer.recent_mean_transaction_ms).fold(0.0, f64::max);
    json!({
        "id": "sink", "kind": "sink", "name": "Redis", "detail": redact_url_credentials_and_query(&pipeline.sink.redis().redis_url),
        "rate_per_s": totals.rows_per_s,
        "level": dependency_attention_level(&redis, totals.backpressured_share > MAX_BACKPRESSURE_SHARE),
        "facts": {
            "transaction_ms": slowest,
            "waiting_bytes": sum(|redis| redis.unacknowledged_bytes),
            "waiting_bytes_limit": sum(|redis| redis.unacknowledged_bytes_max),
            "refused_rows": totals.refused_row_count,
        },
        "away_since_ms": redis.unreachable_since_ms, "reason": redis.unreachable_reason,
    })
}

fn dependency_attention_level(dependency: &ReachabilityReport, slows_the_job: bool) -> AttentionLevel {
    if dependency.is_unreachable() {
        AttentionLevel::Act
    } else if slows_the_job {
        AttentionLevel::Soon
    } else {
        AttentionLevel::Well
    }
}
