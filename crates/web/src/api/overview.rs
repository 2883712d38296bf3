//! `/api/overview`.

use serde_json::{Value, json};

use super::{is_own_instance, stages};
use crate::{JobReport, JobServerContext};

/// Marks that a chart can show.
const MARKS_MAX: usize = 200;

/// The job at a glance.
pub(super) fn render_overview(console: &JobServerContext, job: &JobReport, with_history: bool) -> Value {
    let (pipeline, every_ms) = (&console.pipeline, console.pipeline.checkpoint.interval_ms);
    let instances = job.instances.iter().map(|one| {
        json!({
            "instance": one.instance, "host": one.host, "pid": one.pid, "version": one.version, "listen": one.listen,
            "here": is_own_instance(job, one), "state": one.state, "started_at_ms": one.started_at_ms,
            "reported_at_ms": one.reported_at_ms, "workers": one.workers.len(), "partitions": one.partitions.len(),
        })
    });
    let marks = job.newest_items(|one| &one.marks, |mark| mark.at_ms).into_iter().take(MARKS_MAX).map(
        |(one, mark)| json!({ "at_ms": mark.at_ms, "kind": mark.kind, "text": mark.text, "instance": one.instance }),
    );
    let quantiles = |(p50, p99): (Option<f64>, Option<f64>)| json!({ "p50_ms": p50, "p99_ms": p99 });
    let mut overview = json!({
        "now_ms": job.now_ms,
        "job": {
            "id": console.job_id(), "name": pipeline.name, "topic": pipeline.source.kafka().topic,
            "group": pipeline.source.kafka().group, "state": job.state(), "started_at_ms": job.started_at_ms(),
            "version": job.instances.first().map(|here| here.version.as_str()),
        },
        "instances": instances.collect::<Vec<_>>(),
        "totals": job.totals(),
        "checkpoint": job.last_checkpoint(every_ms),
        "freshness": {
            "append": quantiles(job.freshness(|freshness| &freshness.append)),
            "event_time": quantiles(job.freshness(|freshness| &freshness.event_time)),
        },
        "stages": stages::render_stages(pipeline, job),
        "attention": job.attention_items(every_ms),
        "marks": marks.collect::<Vec<_>>(),
    });
    if with_history {
        overview["history"] = json!(job.history());
    }
    overview
}
