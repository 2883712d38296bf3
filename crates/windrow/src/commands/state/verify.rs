//! `windrow state verify`: checks that everything in a savepoint or a job's folder can be used.

use std::fmt::Write;

use serde_json::{Value, json};
use windrow_engine::checkpoint::UnusableObject;
use windrow_engine::checkpoint::inspect::{self, FolderKind, StateObjectReader, StoredCheckpoint};

use super::{StateFolder, store_fault_to_failure};
use crate::cli::StateVerifyArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::format::{format_byte_size, format_count_with_noun};
use crate::state_comparison::StateComparison;
use crate::state_problem::StateProblem;
use crate::{pipeline_file, print, progress_bar};

/// The result of verifying one checkpoint. The list `unusable_objects` is empty if all objects of the checkpoint can be
/// used.
struct CheckpointVerdict<'a> {
    stored_checkpoint: &'a StoredCheckpoint,
    unusable_objects: Vec<UnusableObject>,
}

impl CheckpointVerdict<'_> {
    fn verdict_code(&self) -> &'static str {
        match &*self.unusable_objects {
            [] => "ok",
            unusable if unusable.iter().all(UnusableObject::has_newer_format) => "newer",
            _ => "damaged",
        }
    }
}

pub(crate) fn run(args: &StateVerifyArgs) -> Result<ExitStatus, CommandFailure> {
    let folder = StateFolder::open_folder(&args.state_location, args.partition)?;
    let verdicts = verify_checkpoints(&folder)?;
    let pipeline = args.pipeline_path.as_deref().map(|path| pipeline_file::load(Some(path), &[])).transpose()?;
    let newest = folder.find_newest_manifest_per_partition();
    let comparison = pipeline.map(|pipeline| StateComparison::compare(&pipeline, &newest));
    let outcome = require_usable_state(&folder, &verdicts, comparison.as_ref());
    if args.json {
        print::write_stdout(&format!(
            "{:#}\n",
            verdicts_as_json(&folder, &verdicts, comparison.as_ref(), outcome.is_ok())
        ))?;
    } else {
        print::write_stdout(&format_verdicts(&folder, &verdicts, comparison.as_ref()))?;
    }
    outcome.map(|()| ExitStatus::Success).map_err(CommandFailure::from)
}

fn verify_checkpoints(folder: &StateFolder) -> Result<Vec<CheckpointVerdict<'_>>, CommandFailure> {
    let readable = folder.stored_checkpoints.iter().filter_map(|found| found.manifest.as_ref().ok());
    let total: u64 = readable.map(windrow_engine::checkpoint::CheckpointManifest::state_byte_count).sum();
    let bar = progress_bar::create_progress_bar(total, "{bar:40} {binary_bytes}/{binary_total_bytes} verified {eta}");
    let mut objects = StateObjectReader::new(&*folder.store);
    let mut verdicts = Vec::with_capacity(folder.stored_checkpoints.len());
    for found in &folder.stored_checkpoints {
        let unusable = match &found.manifest {
            Err(reason) => vec![reason.clone()],
            Ok(manifest) => {
                objects
                    .measure_checkpoint_objects(manifest, |part| bar.inc(part.object_byte_count))
                    .map_err(store_fault_to_failure)?
                    .unusable_objects
            }
        };
        // A running job may have deleted the checkpoint after this command listed it. A deleted checkpoint is not
        // damaged, so it gets no verdict.
        if !unusable.is_empty() && !inspect::checkpoint_exists(&*folder.store, found).map_err(store_fault_to_failure)? {
            continue;
        }
        verdicts.push(CheckpointVerdict { stored_checkpoint: found, unusable_objects: unusable });
    }
    bar.finish_and_clear();
    Ok(verdicts)
}

/// Fails if a job cannot use the state in `folder`. If there are several problems, the error is the most severe one.
fn require_usable_state(
    folder: &StateFolder,
    verdicts: &[CheckpointVerdict<'_>],
    comparison: Option<&StateComparison>,
) -> Result<(), StateProblem> {
    let place = folder.store.place().to_owned();
    let count = |code: &str| verdicts.iter().filter(|verdict| verdict.verdict_code() == code).count();
    let (damaged, newer, missing) = (count("damaged"), count("newer"), folder.missing_savepoint_partitions());
    match &folder.kind {
        FolderKind::UnreadableSavepoint(object) => {
            return Err(StateProblem::UnusableSavepoint { place, object: object.clone() });
        }
        FolderKind::IncompleteSavepoint => return Err(StateProblem::IncompleteSavepoint { place }),
        FolderKind::Savepoint(_) | FolderKind::Job { .. } | FolderKind::Nothing => {}
    }
    if damaged > 0 || !missing.is_empty() {
        return Err(StateProblem::Damaged {
            place,
            checkpoint_count: verdicts.len(),
            damaged_count: damaged,
            missing_partitions: missing,
        });
    }
    if newer > 0 {
        return Err(StateProblem::NewerFormat { place, newer_count: newer });
    }
    comparison.map_or(Ok(()), StateProblem::require_kept_state)
}

fn format_verdicts(
    folder: &StateFolder,
    verdicts: &[CheckpointVerdict<'_>],
    comparison: Option<&StateComparison>,
) -> String {
    let mut out = format!("{} in {}\n", folder.folder_kind_name(), folder.store.place());
    for verdict in verdicts {
        let found = verdict.stored_checkpoint;
        let size = found.manifest.as_ref().map_or_else(
            |_| String::new(),
            |manifest| {
                let objects = manifest.layers.iter().map(|layer| layer.parts.len() as u64).sum();
                format!(
                    ": {}, {}",
                    format_count_with_noun(objects, "object"),
                    format_byte_size(manifest.state_byte_count())
                )
            },
        );
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "{:<8} partition {}, checkpoint {}{size}",
            verdict.verdict_code(),
            found.partition,
            found.checkpoint_id
        );
        for reason in &verdict.unusable_objects {
            let _ = writeln!(out, "         {reason}");
        }
    }
    for partition in folder.missing_savepoint_partitions() {
        let _ = writeln!(out, "missing  partition {partition}");
    }
    if let Some(comparison) = comparison {
        out.push('\n');
        out += &comparison.format_as_table();
    }
    out
}

fn verdicts_as_json(
    folder: &StateFolder,
    verdicts: &[CheckpointVerdict<'_>],
    comparison: Option<&StateComparison>,
    usable: bool,
) -> Value {
    let verdict = |verdict: &CheckpointVerdict<'_>| {
        let unusable =
            |unusable: &UnusableObject| json!({ "object": unusable.object_name, "reason": unusable.fault.to_string() });
        json!({
            "partition": verdict.stored_checkpoint.partition,
            "number": verdict.stored_checkpoint.checkpoint_id.checkpoint_number,
            "epoch": verdict.stored_checkpoint.checkpoint_id.epoch,
            "verdict": verdict.verdict_code(),
            "bytes": verdict.stored_checkpoint.manifest.as_ref().ok().map(windrow_engine::checkpoint::CheckpointManifest::state_byte_count),
            "unusable": verdict.unusable_objects.iter().map(unusable).collect::<Vec<_>>(),
        })
    };
    json!({
        "kind": folder.folder_kind_code(),
        "place": folder.store.place(),
        "usable": usable,
        "checkpoints": verdicts.iter().map(verdict).collect::<Vec<_>>(),
        "missing_partitions": folder.missing_savepoint_partitions(),
        "other_pipeline": comparison.and_then(|comparison| comparison.mismatch_reason.as_ref()),
        "views": comparison.map(StateComparison::views_as_json),
    })
}
