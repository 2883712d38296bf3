//! `/api/overview`: a summary of the job.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::item_with_instance::is_own_instance;
use super::stages::render_stages;
use crate::answers::to_json_text;
use crate::job::{JobReport, ReportedItem};
use crate::live::{LiveFeeds, MESSAGE_INTERVAL, message_builder_with_context};
use crate::query::QueryParameters;
use crate::report::{ChartMark, InstanceReport};
use crate::server_context::{JobServerContext, SharedContext};

/// The largest number of chart marks, which are vertical lines in charts, in one answer.
const MAX_CHART_MARKS: usize = 200;
/// The server sends a message to the open overview pages every second. Only every tenth message contains the history,
/// because the history changes only every ten seconds.
const HISTORY_EVERY_N_MESSAGES: u64 = 10;

#[derive(Deserialize)]
pub(super) struct OverviewQuery {
    #[serde(default = "include_history_by_default")]
    history: bool,
}

const fn include_history_by_default() -> bool {
    true
}

pub(super) async fn get_overview(
    State(context): SharedContext,
    QueryParameters(query): QueryParameters<OverviewQuery>,
) -> impl IntoResponse {
    let job = context.assemble_job_report().await;
    Json(if query.history { render_overview_with_history(&context, &job) } else { render_overview(&context, &job) })
}

pub(super) async fn stream_overview(
    State(context): SharedContext,
    Extension(feeds): Extension<LiveFeeds>,
) -> impl IntoResponse {
    let message = async |context: Arc<JobServerContext>, number: u64| {
        let job = context.assemble_job_report().await;
        to_json_text(&if number.is_multiple_of(HISTORY_EVERY_N_MESSAGES) {
            render_overview_with_history(&context, &job)
        } else {
            render_overview(&context, &job)
        })
    };
    feeds.stream_page_messages("overview".to_owned(), MESSAGE_INTERVAL, message_builder_with_context(&context, message))
}

fn render_overview_with_history(context: &JobServerContext, job: &JobReport) -> Value {
    let mut overview = render_overview(context, job);
    overview["history"] = json!(job.build_job_history());
    overview
}

fn render_overview(context: &JobServerContext, job: &JobReport) -> Value {
    let (pipeline, every_ms) = (&context.pipeline, context.pipeline.checkpoint.checkpoint_interval_ms);
    let instances: Vec<Value> = job.instances.iter().map(|instance| render_instance(job, instance)).collect();
    let marks = job.items_newest_first(|instance| &instance.recent_chart_marks, |mark| mark.occurred_at_ms);
    json!({
        "now_ms": job.assembled_at_ms,
        "job": {
            "id": context.job_id(), "name": pipeline.name, "topic": pipeline.source.kafka().topic,
            "group": pipeline.source.kafka().consumer_group, "state": job.compute_job_state(), "started_at_ms": job.oldest_instance_started_at_ms(),
            "version": job.instances.first().map(|own| own.version.as_str()),
        },
        "instances": instances,
        "totals": job.compute_totals(),
        "checkpoint": job.summarize_newest_checkpoints(every_ms),
        "freshness": {
            "append": job.largest_freshness_quantiles(|freshness| &freshness.delay_since_kafka_timestamp),
            "event_time": job.largest_freshness_quantiles(|freshness| &freshness.delay_since_event_time),
        },
        "stages": render_stages(pipeline, job),
        "attention": job.attention_items(every_ms),
        "marks": marks.iter().take(MAX_CHART_MARKS).map(render_chart_mark).collect::<Vec<_>>(),
    })
}

fn render_instance(job: &JobReport, instance: &InstanceReport) -> Value {
    json!({
        "instance": instance.instance_id, "host": instance.host, "pid": instance.pid, "version": instance.version,
        "listen": instance.listen_address, "here": is_own_instance(job, instance), "state": instance.state,
        "started_at_ms": instance.started_at_ms, "reported_at_ms": instance.reported_at_ms,
        "workers": instance.workers.len(), "partitions": instance.owned_partitions.len(),
    })
}

fn render_chart_mark(mark: &ReportedItem<'_, ChartMark>) -> Value {
    let ReportedItem { reporting_instance: instance, item } = *mark;
    json!({ "at_ms": item.occurred_at_ms, "kind": item.mark_kind, "text": item.mark_label, "instance": instance.instance_id })
}
