//! `windrow state show`: shows the contents of a savepoint, or of the newest checkpoints of a job.

use std::collections::BTreeMap;
use std::fmt::Write;

use comfy_table::{ColumnConstraint, Width};
use serde_json::{Value, json};
use windrow_core::EventTime;
use windrow_engine::checkpoint::CheckpointManifest;
use windrow_engine::checkpoint::inspect::{FolderKind, StateByteCounts, StateObjectReader};

use super::{StateFolder, age_ms, format_timestamp, format_watermark, store_fault_to_failure};
use crate::cli::StateShowArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::format::{format_byte_size, format_count, format_count_with_noun, format_duration_ms, format_event_time};
use crate::{print, progress_bar, table};

/// The largest width in characters of the table column that shows the definition of a feature view.
const DEFINITION_COLUMN_WIDTH: u16 = 72;

/// The manifest of a checkpoint, and the sizes before compression of the state in the checkpoint's objects.
struct InspectedCheckpoint<'a> {
    manifest: &'a CheckpointManifest,
    contents: StateByteCounts,
}

/// Totals of a feature view over all partitions: the number of rows computed so far, and the number of bytes of its
/// state before compression.
struct ViewTotals<'a> {
    name: &'a str,
    definition: &'a str,
    rows: u64,
    unpacked_bytes: u64,
    /// The first complete window of each feature whose earlier windows may lack events, the latest one of all partitions.
    complete_from_ms_by_feature: BTreeMap<&'a str, i64>,
}

pub(crate) fn run(args: &StateShowArgs) -> Result<ExitStatus, CommandFailure> {
    let folder = StateFolder::open_folder(&args.state_location, args.partition)?;
    let newest = folder.find_newest_manifest_per_partition();
    let total: u64 = newest.iter().map(|manifest| manifest.state_byte_count()).sum();
    let bar = progress_bar::create_progress_bar(total, "{bar:40} {binary_bytes}/{binary_total_bytes} read {eta}");
    let mut objects = StateObjectReader::new(&*folder.store);
    let mut opened: Vec<InspectedCheckpoint<'_>> = Vec::with_capacity(newest.len());
    for manifest in newest {
        let contents = objects
            .measure_checkpoint_objects(manifest, |part| bar.inc(part.object_byte_count))
            .map_err(store_fault_to_failure)?;
        opened.push(InspectedCheckpoint { manifest, contents });
    }
    bar.finish_and_clear();
    let views = sum_view_totals(&opened);
    if args.json {
        print::write_stdout(&format!("{:#}\n", contents_as_json(&folder, &opened, &views)))?;
    } else {
        print::write_stdout(&format_contents(&folder, &opened, &views))?;
    }
    let unreadable = folder.stored_checkpoints.iter().filter_map(|found| found.manifest.as_ref().err());
    let unusable = opened.iter().flat_map(|checkpoint| &checkpoint.contents.unusable_objects);
    for reason in folder.find_unreadable_savepoint_object().into_iter().chain(unreadable).chain(unusable) {
        print::write_stderr_line(&format!("cannot be used: {reason}"));
    }
    Ok(ExitStatus::Success)
}

fn sum_view_totals<'a>(opened: &'a [InspectedCheckpoint<'_>]) -> Vec<ViewTotals<'a>> {
    let mut sums: Vec<ViewTotals<'_>> = Vec::new();
    for InspectedCheckpoint { manifest, contents } in opened {
        for (view, &bytes) in manifest.views.iter().zip(&contents.state_byte_counts_by_view) {
            let same = |sum: &ViewTotals<'_>| (sum.name, sum.definition) == (&*view.view_name, &*view.view_definition);
            let index = sums.iter().position(same).unwrap_or_else(|| {
                sums.push(ViewTotals {
                    name: &view.view_name,
                    definition: &view.view_definition,
                    rows: 0,
                    unpacked_bytes: 0,
                    complete_from_ms_by_feature: BTreeMap::new(),
                });
                sums.len() - 1
            });
            let sum = &mut sums[index];
            sum.rows += view.last_row_number;
            sum.unpacked_bytes += bytes;
            for feature in &view.features {
                if let Some(complete_from_ms) = feature.complete_from_ms {
                    let latest =
                        sum.complete_from_ms_by_feature.entry(&feature.feature_name).or_insert(complete_from_ms);
                    *latest = complete_from_ms.max(*latest);
                }
            }
        }
    }
    sums
}

fn format_contents(folder: &StateFolder, opened: &[InspectedCheckpoint<'_>], views: &[ViewTotals<'_>]) -> String {
    let mut lines = vec![("what", folder.folder_kind_name().to_owned()), ("place", folder.store.place().to_owned())];
    if let FolderKind::Savepoint(content) = &folder.kind {
        lines.push(("id", content.savepoint_id.clone()));
        let (at, age) =
            (format_timestamp(content.taken_at_ms), format_duration_ms(age_ms(content.taken_at_ms) / 1_000 * 1_000));
        lines.push(("taken", format!("{at}, {age} ago")));
    }
    for missing in folder.missing_savepoint_partitions() {
        lines.push(("missing", format!("partition {missing}")));
    }
    if let Some(InspectedCheckpoint { manifest, .. }) = opened.last() {
        let id = manifest.topic_id.as_ref().map_or_else(String::new, |id| format!(" (id {id})"));
        let partitions = format_count_with_noun(u64::from(manifest.topic_partition_count.unsigned_abs()), "partition");
        lines.push(("pipeline", manifest.pipeline_name.clone()));
        lines.push(("topic", format!("{}{id}, {partitions}", manifest.topic)));
        lines.push(("read as", manifest.decoding_and_lateness_description.clone()));
        let format = folder
            .stored_checkpoints
            .iter()
            .find(|found| found.checkpoint_id == manifest.checkpoint_id)
            .and_then(|found| found.manifest_format_version);
        let format = format.map_or_else(|| "?".to_owned(), |format| format.to_string());
        lines.push((
            "written by",
            format!("Windrow {} ({}), format {format}", manifest.windrow_version, manifest.process_name),
        ));
        if let Some(from) = &manifest.origin_savepoint_place {
            lines.push(("begun from", from.clone()));
        }
    }
    let mut out = String::new();
    for (name, what) in lines {
        let _ = writeln!(out, "{name:<11} {what}"); // writing to a string does not fail
    }
    let mut rows = table::create_table_with_header([
        "partition",
        "checkpoint",
        "epoch",
        "taken",
        "offset",
        "watermark",
        "entities",
        "layers",
        "size",
        "unpacked",
    ]);
    for InspectedCheckpoint { manifest, contents } in opened {
        rows.add_row([
            manifest.partition.to_string(),
            manifest.checkpoint_id.checkpoint_number.to_string(),
            manifest.checkpoint_id.epoch.to_string(),
            format_timestamp(manifest.taken_at_ms),
            manifest.offset.to_string(),
            format_watermark(manifest.watermark_ms),
            format_count(manifest.entity_count),
            manifest.layers.len().to_string(),
            format_byte_size(manifest.state_byte_count()),
            format_byte_size(contents.entity_key_byte_count + contents.state_byte_counts_by_view.iter().sum::<u64>()),
        ]);
    }
    let _ = writeln!(out, "\n{rows}");
    let mut rows = table::create_table_with_header(["feature view", "rows", "unpacked", "definition"]);
    for sum in views {
        rows.add_row([sum.name, &format_count(sum.rows), &format_byte_size(sum.unpacked_bytes), sum.definition]);
    }
    if let Some(definition) = rows.column_mut(3) {
        definition.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(DEFINITION_COLUMN_WIDTH)));
    }
    let _ = writeln!(out, "\n{rows}");
    if views.iter().any(|sum| !sum.complete_from_ms_by_feature.is_empty()) {
        let mut rows = table::create_table_with_header(["feature view", "feature", "complete from"]);
        for sum in views {
            for (feature, complete_from_ms) in &sum.complete_from_ms_by_feature {
                rows.add_row([sum.name, feature, &format_event_time(EventTime::from_ms(*complete_from_ms))]);
            }
        }
        let _ = writeln!(out, "\n{rows}\n\nWindows of these features that start earlier may lack events.");
    }
    out
}

fn contents_as_json(folder: &StateFolder, opened: &[InspectedCheckpoint<'_>], views: &[ViewTotals<'_>]) -> Value {
    let content = match &folder.kind {
        FolderKind::Savepoint(content) => Some(content),
        _ => None,
    };
    let job = opened.last().map(|checkpoint| checkpoint.manifest);
    let partition = |InspectedCheckpoint { manifest, contents }: &InspectedCheckpoint<'_>| {
        json!({
            "partition": manifest.partition,
            "number": manifest.checkpoint_id.checkpoint_number,
            "epoch": manifest.checkpoint_id.epoch,
            "taken_at_ms": manifest.taken_at_ms,
            "offset": manifest.offset,
            "watermark_ms": manifest.watermark_ms,
            "entities": manifest.entity_count,
            "layers": manifest.layers.len(),
            "bytes": manifest.state_byte_count(),
            "unpacked_key_bytes": contents.entity_key_byte_count,
            "unpacked_view_bytes": contents.state_byte_counts_by_view,
            "windrow": manifest.windrow_version,
            "owner": manifest.process_name,
            "from": manifest.origin_savepoint_place,
            "unusable": contents.unusable_objects.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    };
    let view = |sum: &ViewTotals<'_>| {
        json!({
            "name": sum.name,
            "definition": sum.definition,
            "rows": sum.rows,
            "unpacked_bytes": sum.unpacked_bytes,
            "complete_from_ms": sum.complete_from_ms_by_feature,
        })
    };
    let unreadable = folder.stored_checkpoints.iter().filter_map(|found| found.manifest.as_ref().err());
    json!({
        "kind": folder.folder_kind_code(),
        "place": folder.store.place(),
        "id": content.map(|content| &content.savepoint_id),
        "taken_at_ms": content.map(|content| content.taken_at_ms),
        "pipeline": job.map(|job| &job.pipeline_name),
        "topic": job.map(|job| &job.topic),
        "topic_id": job.and_then(|job| job.topic_id.as_ref()),
        "topic_partitions": job.map(|job| job.topic_partition_count),
        "reading": job.map(|job| &job.decoding_and_lateness_description),
        "format": folder.stored_checkpoints.iter().filter_map(|found| found.manifest_format_version).max(),
        "partitions": opened.iter().map(partition).collect::<Vec<_>>(),
        "missing_partitions": folder.missing_savepoint_partitions(),
        "views": views.iter().map(view).collect::<Vec<_>>(),
        "unreadable": folder.find_unreadable_savepoint_object().into_iter().chain(unreadable).map(ToString::to_string).collect::<Vec<_>>(),
    })
}
