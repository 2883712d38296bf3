//! `/api/partitions`: all partitions of the topic, with the instance that owns each partition.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::item_with_instance::attribute_to_instance;
use crate::answers::to_json_text;
use crate::live::{LiveFeeds, MESSAGE_INTERVAL, message_builder_with_context};
use crate::server_context::{JobServerContext, SharedContext};

pub(super) async fn get_partitions(State(context): SharedContext) -> impl IntoResponse {
    Json(render_partitions(&context).await)
}

pub(super) async fn stream_partitions(
    State(context): SharedContext,
    Extension(feeds): Extension<LiveFeeds>,
) -> impl IntoResponse {
    let message = async |context: Arc<JobServerContext>, _| to_json_text(&render_partitions(&context).await);
    feeds.stream_page_messages(
        "partitions".to_owned(),
        MESSAGE_INTERVAL,
        message_builder_with_context(&context, message),
    )
}

async fn render_partitions(context: &JobServerContext) -> Value {
    let job = context.assemble_job_report().await;
    let parked = job.parked_partitions();
    let render_parked = |partition: i32| {
        let parked = parked.iter().find(|parked| parked.item.partition == partition);
        parked.map(|parked| json!(attribute_to_instance(&job, parked.reporting_instance, parked.item)))
    };
    let partitions: Vec<Value> = job
        .partitions_and_owners()
        .into_iter()
        .map(|partition| match partition.owner {
            Some(owner) => json!(attribute_to_instance(&job, owner.instance, owner.partition_report)),
            None => json!({
                "partition": partition.partition,
                "instance": null,
                "host": null,
                "parked": render_parked(partition.partition),
            }),
        })
        .collect();
    json!({ "now_ms": job.assembled_at_ms, "topic": context.pipeline.source.kafka().topic, "partitions": partitions })
}
