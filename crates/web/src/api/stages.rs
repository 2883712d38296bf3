//! The pipeline as a picture: Kafka, decoding, each feature view, Redis.

use serde_json::{Value, json};
use windrow_spec::Pipeline;

use crate::JobReport;
use crate::job::{AttentionLevel, BACKPRESSURE_SHARE_MAX, BUSY_SHARE_MAX};
use crate::report::ReachabilityReport;
use crate::secrets::redact_url_login;
use crate::words::{format_count, format_window};

pub(super) fn render_stages(pipeline: &Pipeline, job: &JobReport) -> Vec<Value> {
    let totals = job.totals();
    let (kafka, redis) = (job.kafka_reachability(), job.redis_reachability());
    let soon = |soon: bool| if soon { AttentionLevel::Soon } else { AttentionLevel::Well };
    let level = |reach: &ReachabilityReport, held: bool| {
        if reach.away_since_ms.is_some() { AttentionLevel::Act } else { soon(held) }
    };
    let busy = soon(totals.busy > BUSY_SHARE_MAX);
    let partitions = format_count(totals.partitions, "partition");
    let mut stages = vec![
        json!({
            "id": "source", "kind": "source", "name": "Kafka",
            "detail": format!("{}, {partitions}", pipeline.source.kafka().topic),
            "rate_per_s": totals.records_per_s, "level": level(&kafka, job.is_falling_behind()),
            "facts": { "lag": totals.lag, "behind_ms": totals.behind_ms },
            "away_since_ms": kafka.away_since_ms, "reason": kafka.reason,
        }),
        json!({
            "id": "decode", "kind": "decode", "name": "decode", "detail": "json", "rate_per_s": totals.records_per_s,
            "level": busy, "facts": { "dead_letters": totals.dead_letters },
        }),
    ];
    let known = job.views();
    stages.extend(pipeline.views.iter().map(|view| {
        let name = &*view.name;
        let report = known.iter().find(|report| report.name == name).cloned().unwrap_or_default();
        json!({
            "id": format!("view-{name}"), "kind": "feature_view", "name": name,
            "detail": format_window(view.window), "rate_per_s": report.rows_per_s, "level": busy,
            "facts": { "rows": report.rows, "late_events": report.late_events, "entities": report.entities },
        })
    }));
    let sum =
        |of: fn(&crate::report::RedisReport) -> u64| -> u64 { job.instances.iter().map(|one| of(&one.redis)).sum() };
    let slowest = job.instances.iter().map(|one| one.redis.transaction_ms).fold(0.0, f64::max);
    stages.push(json!({
        "id": "sink", "kind": "sink", "name": "Redis", "detail": redact_url_login(&pipeline.sink.redis().url),
        "rate_per_s": totals.rows_per_s, "level": level(&redis, totals.backpressured > BACKPRESSURE_SHARE_MAX),
        "facts": {
            "transaction_ms": slowest,
            "waiting_bytes": sum(|redis| redis.waiting_bytes),
            "waiting_bytes_limit": sum(|redis| redis.waiting_bytes_limit),
            "refused_rows": totals.refused_rows,
        },
        "away_since_ms": redis.away_since_ms, "reason": redis.reason,
    }));
    stages
}
