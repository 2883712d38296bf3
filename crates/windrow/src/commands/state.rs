//! `windrow state`: shows checkpoints and savepoints without changing them.

mod list;
mod show;
mod verify;

use std::sync::Arc;

use jiff::Timestamp;
use windrow_core::EventTime;
use windrow_engine::checkpoint::inspect::{self, FolderContents, FolderKind, StoredCheckpoint};
use windrow_engine::checkpoint::{CheckpointManifest, UnusableObject};
use windrow_engine::{CheckpointStore, Partition, StoreFault};

use crate::cli::{StateArgs, StateCommand};
use crate::exit::{CommandFailure, ExitStatus};
use crate::format::format_event_time;
use crate::state_problem::StateProblem;
use crate::wall_clock::now_ms;

pub(crate) fn run(args: &StateArgs) -> Result<ExitStatus, CommandFailure> {
    match &args.command {
        StateCommand::List(args) => list::run(args),
        StateCommand::Show(args) => show::run(args),
        StateCommand::Verify(args) => verify::run(args),
    }
}

/// The folder of a savepoint or of a job, and the checkpoints in this folder.
pub(super) struct StateFolder {
    pub(super) store: Arc<dyn CheckpointStore>,
    pub(super) kind: FolderKind,
    pub(super) stored_checkpoints: Vec<StoredCheckpoint>,
}

impl StateFolder {
    /// Opens the folder at `path`, and lists the checkpoints in the folder. With `partition`, lists only the
    /// checkpoints of this partition.
    pub(super) fn open_folder(path: &str, partition: Option<Partition>) -> Result<Self, CommandFailure> {
        let store = crate::job_state_folder::open_location_for_inspection(path)?;
        let FolderContents { folder_kind: kind, checkpoints: mut found } =
            inspect::inspect_folder(&*store).map_err(store_fault_to_failure)?;
        found.retain(|found| partition.is_none_or(|partition| found.partition == partition));
        if kind == FolderKind::Nothing || (partition.is_some() && found.is_empty()) {
            return Err(StateProblem::NoState { place: store.place().to_owned(), partition }.into());
        }
        Ok(Self { store, kind, stored_checkpoints: found })
    }

    pub(super) fn folder_kind_name(&self) -> &'static str {
        match &self.kind {
            FolderKind::Savepoint(_) => "savepoint",
            FolderKind::IncompleteSavepoint => "incomplete savepoint",
            FolderKind::Job { .. } => "checkpoints of a job",
            FolderKind::Nothing => "nothing",
            FolderKind::UnreadableSavepoint(_) => "savepoint with an unreadable list of its partitions",
        }
    }

    /// Returns the object that is named `savepoint` in this folder, if it exists but is unreadable. This object lists
    /// the partitions of the savepoint.
    fn find_unreadable_savepoint_object(&self) -> Option<&UnusableObject> {
        match &self.kind {
            FolderKind::UnreadableSavepoint(object) => Some(object),
            _ => None,
        }
    }

    /// Returns the word with which JSON output says what kind of folder this is.
    pub(super) fn folder_kind_code(&self) -> &'static str {
        match &self.kind {
            FolderKind::Savepoint(_) => "savepoint",
            FolderKind::IncompleteSavepoint => "incomplete_savepoint",
            FolderKind::Job { .. } => "job",
            FolderKind::Nothing => "nothing",
            FolderKind::UnreadableSavepoint(_) => "unreadable_savepoint",
        }
    }

    /// Returns the partitions that the savepoint lists, but that have no checkpoint in the folder.
    pub(super) fn missing_savepoint_partitions(&self) -> Vec<Partition> {
        let FolderKind::Savepoint(content) = &self.kind else { return Vec::new() };
        let has = |partition: Partition| self.stored_checkpoints.iter().any(|found| found.partition == partition);
        content.partition_numbers.iter().copied().filter(|&partition| !has(partition)).collect()
    }

    pub(super) fn find_newest_manifest_per_partition(&self) -> Vec<&CheckpointManifest> {
        inspect::find_newest_manifest_per_partition(&self.stored_checkpoints)
    }
}

fn store_fault_to_failure(fault: StoreFault) -> CommandFailure {
    StateProblem::StoreFailed { fault }.into()
}

/// Formats the epoch time `ms` in UTC, without fractions of a second.
fn format_timestamp(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| "?".to_owned(), |time| format!("{time:.0}"))
}

fn age_ms(taken_at_ms: i64) -> i64 {
    now_ms().saturating_sub(taken_at_ms).max(0)
}

fn format_watermark(ms: Option<i64>) -> String {
    ms.map_or_else(|| "none".to_owned(), |ms| format_event_time(EventTime::from_ms(ms)))
}
