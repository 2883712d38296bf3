//! `windrow state list`: lists the checkpoints and savepoints of a job.

use serde_json::{Value, json};
use windrow_engine::CheckpointStore;
use windrow_engine::checkpoint::default_savepoint_folder;
use windrow_engine::checkpoint::inspect::{self, StoredCheckpoint, StoredSavepoint};

use super::{age_ms, format_timestamp, format_watermark, store_fault_to_failure};
use crate::cli::StateListArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::format::{format_byte_size, format_count, format_duration_ms};
use crate::job_state_folder::JobStateFolder;
use crate::{pipeline_file, print, table};

pub(crate) fn run(args: &StateListArgs) -> Result<ExitStatus, CommandFailure> {
    let pipeline =
        pipeline_file::load(args.pipeline_args.pipeline_path.as_deref(), &args.pipeline_args.override_args.overrides)?;
    let place = JobStateFolder::open_for_pipeline(&pipeline)?;
    let found = inspect::list_checkpoints(&*place.store).map_err(store_fault_to_failure)?;
    let savepoints = inspect::list_savepoints(&*place.store).map_err(store_fault_to_failure)?;
    if args.json {
        let listed = json!({
            "pipeline": pipeline.name,
            "group": pipeline.source.kafka().consumer_group,
            "place": place.location(),
            "checkpoints": found.iter().map(checkpoint_as_json).collect::<Vec<_>>(),
            "savepoints": savepoints.iter().map(|found| savepoint_as_json(&*place.store, found)).collect::<Vec<_>>(),
        });
        print::write_stdout(&format!("{listed:#}\n"))?;
        return Ok(ExitStatus::Success);
    }
    let (name, group) = (&pipeline.name, &pipeline.source.kafka().consumer_group);
    let mut out = format!("state of pipeline {name}, group {group}, in {}\n\n", place.location());
    out += &if found.is_empty() { "no checkpoints\n".to_owned() } else { format_checkpoints(&found) };
    out.push('\n');
    out += &if savepoints.is_empty() { "no savepoints\n".to_owned() } else { format_savepoints(&savepoints) };
    for reason in found.iter().filter_map(|found| found.manifest.as_ref().err()) {
        out += &format!("\nunreadable: {reason}\n");
    }
    for reason in savepoints.iter().filter_map(|found| found.savepoint_summary.as_ref().err()) {
        out += &format!("\nunreadable: {reason}\n");
    }
    print::write_stdout(&out)?;
    Ok(ExitStatus::Success)
}

fn format_checkpoints(found: &[StoredCheckpoint]) -> String {
    let mut rows = table::create_table_with_header([
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
        let id = [
            found.partition.to_string(),
            found.checkpoint_id.checkpoint_number.to_string(),
            found.checkpoint_id.epoch.to_string(),
        ];
        let rest = match &found.manifest {
            Err(_) => ["unreadable", "", "", "", "", "", ""].map(str::to_owned),
            Ok(manifest) => [
                format_timestamp(manifest.taken_at_ms),
                format_duration_ms(age_ms(manifest.taken_at_ms) / 1_000 * 1_000),
                manifest.offset.to_string(),
                format_watermark(manifest.watermark_ms),
                format_count(manifest.entity_count),
                manifest.layers.len().to_string(),
                format_byte_size(manifest.state_byte_count()),
            ],
        };
        let format = found.manifest_format_version.map_or_else(|| "?".to_owned(), |format| format.to_string());
        rows.add_row(id.into_iter().chain(rest).chain([format]));
    }
    format!("{rows}\n")
}

fn format_savepoints(savepoints: &[StoredSavepoint]) -> String {
    let mut rows = table::create_table_with_header(["savepoint", "taken", "age", "partitions", "size"]);
    for found in savepoints {
        let row = match &found.savepoint_summary {
            Ok(Some(content)) => [
                format_timestamp(content.taken_at_ms),
                format_duration_ms(age_ms(content.taken_at_ms) / 1_000 * 1_000),
                content.partition_numbers.len().to_string(),
                format_byte_size(content.total_state_byte_count),
            ],
            Ok(None) => ["incomplete", "", "", ""].map(str::to_owned),
            Err(_) => ["unreadable", "", "", ""].map(str::to_owned),
        };
        rows.add_row([found.savepoint_id.clone()].into_iter().chain(row));
    }
    format!("{rows}\n")
}

fn checkpoint_as_json(found: &StoredCheckpoint) -> Value {
    let mut object = json!({
        "partition": found.partition,
        "number": found.checkpoint_id.checkpoint_number,
        "epoch": found.checkpoint_id.epoch,
        "format": found.manifest_format_version,
    });
    let more = match &found.manifest {
        Err(reason) => json!({ "unreadable": reason.to_string() }),
        Ok(manifest) => json!({
            "taken_at_ms": manifest.taken_at_ms,
            "age_ms": age_ms(manifest.taken_at_ms),
            "offset": manifest.offset,
            "watermark_ms": manifest.watermark_ms,
            "entities": manifest.entity_count,
            "layers": manifest.layers.len(),
            "bytes": manifest.state_byte_count(),
            "windrow": manifest.windrow_version,
            "from": manifest.origin_savepoint_place,
        }),
    };
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

fn savepoint_as_json(store: &dyn CheckpointStore, found: &StoredSavepoint) -> Value {
    let content = found.savepoint_summary.as_ref().ok().and_then(Option::as_ref);
    json!({
        "id": found.savepoint_id,
        "location": format!("{}/{}", store.place(), default_savepoint_folder(&found.savepoint_id)),
        "complete": content.is_some(),
        "taken_at_ms": content.map(|content| content.taken_at_ms),
        "age_ms": content.map(|content| age_ms(content.taken_at_ms)),
        "partitions": content.map(|content| content.partition_numbers.len()),
        "bytes": content.map(|content| content.total_state_byte_count),
        "unreadable": found.savepoint_summary.as_ref().err().map(ToString::to_string),
    })
}
