//! `windrow state list`: the checkpoints and savepoints of a pipeline's job.

use serde_json::{Value, json};
use windrow_engine::CheckpointStore;
use windrow_engine::checkpoint::default_savepoint;
use windrow_engine::checkpoint::inspect::{self, Found, FoundSavepoint};

use super::{age_ms, unanswered, watermark, when};
use crate::cli::StateListArgs;
use crate::exit::{Exit, Failure};
use crate::state_place::StatePlace;
use crate::status::{bytes, count, span_ms};
use crate::{pipeline_file, print, table};

pub(crate) fn run(args: &StateListArgs) -> Result<Exit, Failure> {
    let pipeline = pipeline_file::load(args.pipeline.pipeline.as_deref(), &args.pipeline.set.overrides)?;
    let place = StatePlace::of(&pipeline)?;
    let found = inspect::list(&*place.store).map_err(|fault| unanswered(&fault))?;
    let savepoints = inspect::savepoints(&*place.store).map_err(|fault| unanswered(&fault))?;
    if args.json {
        let listed = json!({
            "pipeline": pipeline.name,
            "group": pipeline.source.group,
            "place": place.name(),
            "checkpoints": found.iter().map(as_json).collect::<Vec<_>>(),
            "savepoints": savepoints.iter().map(|found| savepoint_as_json(&*place.store, found)).collect::<Vec<_>>(),
        });
        print::data(&format!("{listed:#}\n"))?;
        return Ok(Exit::Success);
    }
    let (name, group) = (&pipeline.name, &pipeline.source.group);
    let mut out = format!("pipeline {name}, group {group}, in {}\n\n", place.name());
    out += &if found.is_empty() { "no checkpoints\n".to_owned() } else { as_table(&found) };
    out.push('\n');
    out += &if savepoints.is_empty() { "no savepoints\n".to_owned() } else { savepoints_as_table(&savepoints) };
    for reason in found.iter().filter_map(|found| found.manifest.as_ref().err()) {
        out += &format!("\nunreadable: {reason}\n");
    }
    for reason in savepoints.iter().filter_map(|found| found.content.as_ref().err()) {
        out += &format!("\nunreadable: {reason}\n");
    }
    print::data(&out)?;
    Ok(Exit::Success)
}

fn as_table(found: &[Found]) -> String {
    let mut rows = table::with_head([
        "partition",
        "checkpoint",
        "epoch",
        "taken",
        "age",
        "offset",
        "watermark",
        "entities",
        "layers",
        "size",
        "format",
    ]);
    for found in found {
        let id = [found.partition.to_string(), found.id.number.to_string(), found.id.epoch.to_string()];
        let rest = match &found.manifest {
            Err(_) => ["unreadable", "", "", "", "", "", ""].map(str::to_owned),
            Ok(manifest) => [
                when(manifest.taken_at_ms),
                span_ms(age_ms(manifest.taken_at_ms) / 1_000 * 1_000),
                manifest.offset.to_string(),
                watermark(manifest.watermark_ms),
                count(manifest.entities),
                manifest.layers.len().to_string(),
                bytes(manifest.bytes()),
            ],
        };
        let format = found.format.map_or_else(|| "?".to_owned(), |format| format.to_string());
        rows.add_row(id.into_iter().chain(rest).chain([format]));
    }
    format!("{rows}\n")
}

fn savepoints_as_table(savepoints: &[FoundSavepoint]) -> String {
    let mut rows = table::with_head(["savepoint", "taken", "age", "partitions", "size"]);
    for found in savepoints {
        let row = match &found.content {
            Ok(Some(content)) => [
                when(content.taken_at_ms),
                span_ms(age_ms(content.taken_at_ms) / 1_000 * 1_000),
                content.partitions.len().to_string(),
                bytes(content.bytes),
            ],
            Ok(None) => ["incomplete", "", "", ""].map(str::to_owned),
            Err(_) => ["unreadable", "", "", ""].map(str::to_owned),
        };
        rows.add_row([found.id.clone()].into_iter().chain(row));
    }
    format!("{rows}\n")
}

fn as_json(found: &Found) -> Value {
    let mut object = json!({
        "partition": found.partition,
        "number": found.id.number,
        "epoch": found.id.epoch,
        "format": found.format,
    });
    let more = match &found.manifest {
        Err(reason) => json!({ "unreadable": reason.to_string() }),
        Ok(manifest) => json!({
            "taken_at_ms": manifest.taken_at_ms,
            "age_ms": age_ms(manifest.taken_at_ms),
            "offset": manifest.offset,
            "watermark_ms": manifest.watermark_ms,
            "entities": manifest.entities,
            "layers": manifest.layers.len(),
            "bytes": manifest.bytes(),
            "windrow": manifest.windrow,
            "from": manifest.from,
        }),
    };
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

fn savepoint_as_json(store: &dyn CheckpointStore, found: &FoundSavepoint) -> Value {
    let content = found.content.as_ref().ok().and_then(Option::as_ref);
    json!({
        "id": found.id,
        "location": format!("{}/{}", store.place(), default_savepoint(&found.id)),
        "complete": content.is_some(),
        "taken_at_ms": content.map(|content| content.taken_at_ms),
        "age_ms": content.map(|content| age_ms(content.taken_at_ms)),
        "partitions": content.map(|content| content.partitions.len()),
        "bytes": content.map(|content| content.bytes),
        "unreadable": found.content.as_ref().err().map(ToString::to_string),
    })
}
