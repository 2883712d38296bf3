//! The plan: what feeds what.

use serde_json::{Value, json};

use super::look::FlinkJob;
use super::stage::Vertex;

/// As in `/jobs/:id`.
pub(super) fn render_plan(look: &FlinkJob<'_>) -> Value {
    let nodes: Vec<Value> = look.vertices().into_iter().map(|stage| render_node(look, stage)).collect();
    json!({ "jid": look.id, "name": look.pipeline.name, "type": "STREAMING", "nodes": nodes })
}

fn render_node(look: &FlinkJob<'_>, stage: Vertex) -> Value {
    let inputs: Vec<Value> = vertex_inputs(look, stage)
        .iter()
        .enumerate()
        .map(|(num, from)| {
            json!({ "num": num, "id": look.vertex_id(from), "ship_strategy": "FORWARD", "exchange": "pipelined_bounded" })
        })
        .collect();
    json!({
        "id": look.vertex_id(&stage),
        "parallelism": look.subtasks(stage).len(),
        "operator": "",
        "operator_strategy": "",
        "description": stage.description(look.pipeline),
        "inputs": inputs,
        "optimizer_properties": {},
    })
}

fn vertex_inputs(look: &FlinkJob<'_>, stage: Vertex) -> Vec<Vertex> {
    match stage {
        Vertex::Source => Vec::new(),
        Vertex::Decode => vec![Vertex::Source],
        Vertex::View(_) => vec![Vertex::Decode],
        Vertex::Sink => (0..look.pipeline.views.len()).map(Vertex::View).collect(),
    }
}
