//! `windrow check PIPELINE --against STATE`: shows which stored state a job with the pipeline file keeps.

use std::collections::BTreeSet;

use serde_json::json;
use windrow_engine::Partition;
use windrow_engine::checkpoint::CheckpointManifest;
use windrow_engine::checkpoint::inspect::FolderKind;
use windrow_spec::Pipeline;

use crate::cli::CheckArgs;
use crate::commands::state::StateFolder;
use crate::exit::{CommandFailure, ExitStatus};
use crate::format::format_count_with_noun;
use crate::state_comparison::StateComparison;
use crate::state_problem::StateProblem;
use crate::{job_state_folder, print};

pub(super) fn run(args: &CheckArgs, location: &str, pipeline: &Pipeline) -> Result<ExitStatus, CommandFailure> {
    let folder = open_state(location, pipeline)?;
    let newest = folder.find_newest_manifest_per_partition();
    require_readable_state(&folder, &newest)?;
    let comparison = StateComparison::compare(pipeline, &newest);
    if args.json {
        let compared = json!({
            "pipeline": pipeline.name,
            "kind": folder.folder_kind_code(),
            "place": folder.store.place(),
            "partitions": newest.len(),
            "other_pipeline": comparison.mismatch_reason,
            "drop_state": comparison.names_of_dropped_state(),
            "views": comparison.views_as_json(),
        });
        print::write_stdout(&format!("{compared:#}\n"))?;
    } else {
        let partitions = format_count_with_noun(newest.len() as u64, "partition");
        let (kind, place) = (folder.folder_kind_name(), folder.store.place());
        let text = format!("{kind} in {place}, {partitions}\n\n{}", comparison.format_as_table());
        print::write_stdout(&text)?;
    }
    StateProblem::require_kept_state(&comparison)?;
    Ok(ExitStatus::Success)
}

/// Opens the folder at `location`. If it is a checkpoint store, opens the folder of the pipeline's job in it.
fn open_state(location: &str, pipeline: &Pipeline) -> Result<StateFolder, CommandFailure> {
    match StateFolder::open_folder(location, None) {
        Err(failure) if failure.exit_status() == ExitStatus::ForeignState => {
            let job_folder = job_state_folder::locate_in_store(location, pipeline);
            StateFolder::open_folder(&job_folder, None).map_err(|in_store| match in_store.exit_status() {
                ExitStatus::ForeignState => failure,
                _ => in_store,
            })
        }
        opened => opened,
    }
}

/// Fails if the state in `folder` is incomplete, or a partition has no readable checkpoint. `newest` has the newest readable
/// checkpoint of each partition.
fn require_readable_state(folder: &StateFolder, newest: &[&CheckpointManifest]) -> Result<(), StateProblem> {
    let place = folder.store.place().to_owned();
    match &folder.kind {
        FolderKind::UnreadableSavepoint(object) => {
            return Err(StateProblem::UnusableSavepoint { place, object: object.clone() });
        }
        FolderKind::IncompleteSavepoint => return Err(StateProblem::IncompleteSavepoint { place }),
        FolderKind::Savepoint(_) | FolderKind::Job { .. } | FolderKind::Nothing => {}
    }
    let checkpoints = &folder.stored_checkpoints;
    if checkpoints.is_empty() {
        return Err(StateProblem::NoState { place, partition: None });
    }
    let readable: BTreeSet<Partition> = newest.iter().map(|manifest| manifest.partition).collect();
    let unreadable = checkpoints.iter().filter(|checkpoint| !readable.contains(&checkpoint.partition));
    let faults = unreadable.filter_map(|checkpoint| checkpoint.manifest.as_ref().err()).collect::<Vec<_>>();
    let missing_partitions = folder.missing_savepoint_partitions();
    let newer_count = faults.iter().filter(|fault| fault.has_newer_format()).count();
    if newer_count > 0 {
        return Err(StateProblem::NewerFormat { place, newer_count });
    }
    if faults.is_empty() && missing_partitions.is_empty() {
        return Ok(());
    }
    let (checkpoint_count, damaged_count) = (checkpoints.len(), faults.len());
    Err(StateProblem::Damaged { place, checkpoint_count, damaged_count, missing_partitions })
}
