//! The plan: what feeds what.

use serde_json::{Value, json};

use super::look::Look;
use super::stage::Stage;

/// As in `/jobs/:id`.
pub(super) fn plan(look: &Look<'_>) -> Value {
    let nodes: Vec<Value> = look.stages().into_iter().map(|stage| node(look, stage)).collect();
    json!({ "jid": look.id, "name": look.pipeline.name, "type": "STREAMING", "nodes": nodes })
}

fn node(look: &Look<'_>, stage: Stage) -> Value {
    let inputs: Vec<Value> = inputs(look, stage)
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

fn inputs(look: &Look<'_>, stage: Stage) -> Vec<Stage> {
    match stage {
        Stage::Source => Vec::new(),
        Stage::Decode => vec![Stage::Source],
        Stage::View(_) => vec![Stage::Decode],
        Stage::Sink => (0..look.pipeline.views.len()).map(Stage::View).collect(),
    }
}
