//! Renders the plan: the vertices and their inputs.

use serde_json::{Value, json};

use super::flink_job::FlinkJob;
use super::vertex::Vertex;

/// Renders the plan in `/jobs/:id`.
pub(super) fn render_plan(job: &FlinkJob<'_>) -> Value {
    let nodes: Vec<Value> = job.vertices().into_iter().map(|vertex| render_plan_node(job, vertex)).collect();
    json!({ "jid": job.id, "name": job.pipeline.name, "type": "STREAMING", "nodes": nodes })
}

fn render_plan_node(job: &FlinkJob<'_>, vertex: Vertex) -> Value {
    let inputs: Vec<Value> = vertex_inputs(job, vertex)
        .into_iter()
        .enumerate()
        .map(|(num, from)| {
            json!({ "num": num, "id": job.vertex_id(from), "ship_strategy": "FORWARD", "exchange": "pipelined_bounded" })
        })
        .collect();
    json!({
        "id": job.vertex_id(vertex),
        "parallelism": job.subtasks(vertex).len(),
        "operator": "",
        "operator_strategy": "",
        "description": vertex.description(job.pipeline),
        "inputs": inputs,
        "optimizer_properties": {},
    })
}

fn vertex_inputs(job: &FlinkJob<'_>, vertex: Vertex) -> Vec<Vertex> {
    match vertex {
        Vertex::Source => Vec::new(),
        Vertex::Decode => vec![Vertex::Source],
        Vertex::View(_) => vec![Vertex::Decode],
        Vertex::Sink => (0..job.pipeline.views.len()).map(Vertex::View).collect(),
    }
}
