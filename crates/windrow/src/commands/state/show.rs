//! `windrow state show`: shows the contents of a savepoint, or of the newest checkpoints of a job.

use std::fmt::Write;

use comfy_table::{ColumnConstraint, Width};
use serde_json::{Value, json};
use windrow_engine::checkpoint::CheckpointManifest;
use windrow_engine::checkpoint::inspect::{FolderKind, StateContents, StateObjectReader};

use super::{StateFolder, age_ms, format_timestamp, format_watermark, store_unavailable};
use crate::cli::StateShowArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::format::{format_byte_size, format_count, format_duration_ms, format_plural};
use crate::{print, progress_bar, table};

/// Width of the column with a view's definition, in characters.
const DEFINITION_WIDTH: u16 = 72;

/// A checkpoint, and the contents of its state objects.
struct InspectedCheckpoint<'a> {
    manifest: &'a CheckpointManifest,
    contents: StateContents,
}

/// Rows and bytes of a feature view over all partitions.
struct ViewTotals<'a> {
    name: &'a str,
    definition: &'a str,
    rows: u64,
    bytes: u64,
}

pub(crate) fn run(args: &StateShowArgs) -> Result<ExitStatus, CommandFailure> {
    let folder = StateFolder::open(&args.path, args.partition)?;
    let newest = folder.newest_manifests();
    let total: u64 = newest.iter().map(|manifest| manifest.bytes()).sum();
    let bar = progress_bar::create_progress_bar(total, "{bar:40} {binary_bytes}/{binary_total_bytes} read {eta}");
    let mut objects = StateObjectReader::new(&*folder.store);
    let mut opened: Vec<InspectedCheckpoint<'_>> = Vec::with_capacity(newest.len());
    for manifest in newest {
        let contents = objects.read(manifest, |part| bar.inc(part.bytes)).map_err(store_unavailable)?;
        opened.push(InspectedCheckpoint { manifest, contents });
    }
    bar.finish_and_clear();
    let views = sum_views(&opened);
    if args.json {
        print::write_stdout(&format!("{:#}\n", as_json(&folder, &opened, &views)))?;
    } else {
        print::write_stdout(&format_text(&folder, &opened, &views))?;
    }
    let unreadable = folder.found.iter().filter_map(|found| found.manifest.as_ref().err());
    let unusable = opened.iter().flat_map(|checkpoint| &checkpoint.contents.unusable);
    for reason in folder.unusable_savepoint().into_iter().chain(unreadable).chain(unusable) {
        print::write_stderr_line(&format!("cannot be used: {reason}"));
    }
    Ok(ExitStatus::Success)
}

fn sum_views<'a>(opened: &'a [InspectedCheckpoint<'_>]) -> Vec<ViewTotals<'a>> {
    let mut sums: Vec<ViewTotals<'_>> = Vec::new();
    for InspectedCheckpoint { manifest, contents } in opened {
        for (view, &bytes) in manifest.views.iter().zip(&contents.view_bytes) {
            let same = |sum: &&mut ViewTotals<'_>| (sum.name, sum.definition) == (&*view.name, &*view.definition);
            match sums.iter_mut().find(same) {
                Some(sum) => (sum.rows, sum.bytes) = (sum.rows + view.rows, sum.bytes + bytes),
                None => {
                    sums.push(ViewTotals { name: &view.name, definition: &view.definition, rows: view.rows, bytes });
                }
            }
        }
    }
    sums
}

fn format_text(folder: &StateFolder, opened: &[InspectedCheckpoint<'_>], views: &[ViewTotals<'_>]) -> String {
    let mut lines = vec![("what", folder.kind_name().to_owned()), ("place", folder.store.place().to_owned())];
    if let FolderKind::Savepoint(content) = &folder.kind {
        lines.push(("id", content.id.clone()));
        let (at, age) =
            (format_timestamp(content.taken_at_ms), format_duration_ms(age_ms(content.taken_at_ms) / 1_000 * 1_000));
        lines.push(("taken", format!("{at}, {age} ago")));
    }
    for missing in folder.missing_partitions() {
        lines.push(("missing", format!("partition {missing}")));
    }
    if let Some(InspectedCheckpoint { manifest, .. }) = opened.last() {
        let id = manifest.topic_id.as_ref().map_or_else(String::new, |id| format!(" (id {id})"));
        let partitions = format_plural(u64::from(manifest.partitions.unsigned_abs()), "partition");
        lines.push(("pipeline", manifest.pipeline.clone()));
        lines.push(("topic", format!("{}{id}, {partitions}", manifest.topic)));
        lines.push(("read as", manifest.reading.clone()));
        let format = folder.found.iter().find(|found| found.id == manifest.id).and_then(|found| found.format);
        let format = format.map_or_else(|| "?".to_owned(), |format| format.to_string());
        lines.push(("written by", format!("Windrow {} ({}), format {format}", manifest.windrow, manifest.owner)));
        if let Some(from) = &manifest.from {
            lines.push(("begun from", from.clone()));
        }
    }
    let mut out = String::new();
    for (name, what) in lines {
        let _ = writeln!(out, "{name:<11} {what}"); // writing to a string does not fail
    }
    let mut rows = table::table_with_header([
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
            manifest.id.number.to_string(),
            manifest.id.epoch.to_string(),
            format_timestamp(manifest.taken_at_ms),
            manifest.offset.to_string(),
            format_watermark(manifest.watermark_ms),
            format_count(manifest.entities),
            manifest.layers.len().to_string(),
            format_byte_size(manifest.bytes()),
            format_byte_size(contents.key_bytes + contents.view_bytes.iter().sum::<u64>()),
        ]);
    }
    let _ = writeln!(out, "\n{rows}");
    let mut rows = table::table_with_header(["feature view", "rows", "unpacked", "definition"]);
    for sum in views {
        rows.add_row([sum.name, &format_count(sum.rows), &format_byte_size(sum.bytes), sum.definition]);
    }
    if let Some(definition) = rows.column_mut(3) {
        definition.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(DEFINITION_WIDTH)));
    }
    let _ = writeln!(out, "\n{rows}");
    out
}

fn as_json(folder: &StateFolder, opened: &[InspectedCheckpoint<'_>], views: &[ViewTotals<'_>]) -> Value {
    let content = match &folder.kind {
        FolderKind::Savepoint(content) => Some(content),
        _ => None,
    };
    let job = opened.last().map(|checkpoint| checkpoint.manifest);
    let partition = |InspectedCheckpoint { manifest, contents }: &InspectedCheckpoint<'_>| {
        json!({
            "partition": manifest.partition,
            "number": manifest.id.number,
            "epoch": manifest.id.epoch,
            "taken_at_ms": manifest.taken_at_ms,
            "offset": manifest.offset,
            "watermark_ms": manifest.watermark_ms,
            "entities": manifest.entities,
            "layers": manifest.layers.len(),
            "bytes": manifest.bytes(),
            "unpacked_key_bytes": contents.key_bytes,
            "unpacked_view_bytes": contents.view_bytes,
            "windrow": manifest.windrow,
            "owner": manifest.owner,
            "from": manifest.from,
            "unusable": contents.unusable.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    };
    let view = |sum: &ViewTotals<'_>| json!({ "name": sum.name, "definition": sum.definition, "rows": sum.rows, "unpacked_bytes": sum.bytes });
    let unreadable = folder.found.iter().filter_map(|found| found.manifest.as_ref().err());
    json!({
        "kind": folder.kind_code(),
        "place": folder.store.place(),
        "id": content.map(|content| &content.id),
        "taken_at_ms": content.map(|content| content.taken_at_ms),
        "pipeline": job.map(|job| &job.pipeline),
        "topic": job.map(|job| &job.topic),
        "topic_id": job.and_then(|job| job.topic_id.as_ref()),
        "topic_partitions": job.map(|job| job.partitions),
        "reading": job.map(|job| &job.reading),
        "format": folder.found.iter().filter_map(|found| found.format).max(),
        "partitions": opened.iter().map(partition).collect::<Vec<_>>(),
        "missing_partitions": folder.missing_partitions(),
        "views": views.iter().map(view).collect::<Vec<_>>(),
        "unreadable": folder.unusable_savepoint().into_iter().chain(unreadable).map(ToString::to_string).collect::<Vec<_>>(),
    })
}
