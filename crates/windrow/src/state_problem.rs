//! The reasons why a command cannot use stored state.
//!
//! Owns: the reasons, their texts and their exit codes.
//! Does not own: halts of a running job (`halt_message`).

use windrow_engine::checkpoint::UnusableObject;
use windrow_engine::{Partition, StoreFault};

use crate::exit::{CommandFailure, ExitStatus};
use crate::format::format_count_with_noun;
use crate::halt_message::format_drop_state_flags;
use crate::state_comparison::StateComparison;

/// The reason why stored state cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum StateProblem {
    /// The location cannot be opened.
    InvalidPlace { setting: String, fault: StoreFault },
    /// The checkpoint store does not respond, or refuses access.
    StoreFailed { fault: StoreFault },
    /// The location holds neither a savepoint nor a job's checkpoints. With `partition`, the location holds no state of
    /// this partition.
    NoState { place: String, partition: Option<Partition> },
    /// The location that `--from` names holds neither a savepoint nor checkpoints.
    NothingToRestore { place: String },
    /// The savepoint is incomplete: it has no object `savepoint`, which is written last.
    IncompleteSavepoint { place: String },
    /// The object `savepoint` cannot be used, so the contents of the savepoint are unknown.
    UnusableSavepoint { place: String, object: UnusableObject },
    /// Some checkpoints cannot be used, or partitions of a savepoint have no checkpoint.
    Damaged { place: String, checkpoint_count: usize, damaged_count: usize, missing_partitions: Vec<Partition> },
    /// Some checkpoints can be read only by a newer version of Windrow.
    NewerFormat { place: String, newer_count: usize },
    /// The state belongs to another pipeline or topic.
    OtherJob { reason: String },
    /// These feature views and features have changed in the given pipeline file, or are missing from it. A job that starts
    /// with this file must drop their state.
    ChangedViews { dropped_state_names: Vec<String> },
}

impl StateProblem {
    /// Fails if a job with the compared pipeline file cannot continue from the state, or would drop some of it.
    pub(crate) fn require_kept_state(comparison: &StateComparison) -> Result<(), Self> {
        if let Some(reason) = &comparison.mismatch_reason {
            return Err(Self::OtherJob { reason: reason.clone() });
        }
        let dropped_state_names = comparison.names_of_dropped_state();
        if dropped_state_names.is_empty() { Ok(()) } else { Err(Self::ChangedViews { dropped_state_names }) }
    }

    fn exit_status(&self) -> ExitStatus {
        match self {
            Self::InvalidPlace { .. } | Self::StoreFailed { .. } => ExitStatus::CheckpointStore,
            Self::NoState { .. } | Self::NothingToRestore { .. } | Self::OtherJob { .. } => ExitStatus::ForeignState,
            Self::UnusableSavepoint { object, .. } if object.has_newer_format() => ExitStatus::NewerState,
            Self::IncompleteSavepoint { .. } | Self::UnusableSavepoint { .. } | Self::Damaged { .. } => {
                ExitStatus::DamagedState
            }
            Self::NewerFormat { .. } => ExitStatus::NewerState,
            Self::ChangedViews { .. } => ExitStatus::ChangedViews,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::InvalidPlace { setting, fault } => {
                format!("{setting} cannot be used as a location of state: {fault}")
            }
            Self::StoreFailed { fault } => format!("the state cannot be read: {fault}"),
            Self::NoState { place, partition } => {
                let which = partition.map_or_else(String::new, |partition| format!(" of partition {partition}"));
                format!("there is no state{which} in {place}: neither a savepoint nor a job's checkpoints")
            }
            Self::NothingToRestore { place } => {
                format!("--from names {place}, which holds neither a savepoint nor checkpoints")
            }
            Self::IncompleteSavepoint { place } => format!(
                "the savepoint in {place} is incomplete: it has no object `savepoint`, which is created last. Wait \
                 until the savepoint is complete, or take another with `windrow savepoint`"
            ),
            Self::UnusableSavepoint { place, object } => format!("the savepoint in {place} cannot be used: {object}"),
            Self::Damaged {
                place,
                checkpoint_count: checkpoints,
                damaged_count: damaged,
                missing_partitions: missing,
            } => {
                let missing = match &**missing {
                    [] => String::new(),
                    missing => format!(", and partitions {missing:?} are missing"),
                };
                format!(
                    "{damaged} of {} in {place} cannot be used{missing}",
                    format_count_with_noun(*checkpoints as u64, "checkpoint")
                )
            }
            Self::NewerFormat { place, newer_count: checkpoints } => format!(
                "{} in {place} can be read only by a newer version of Windrow",
                format_count_with_noun(*checkpoints as u64, "checkpoint")
            ),
            Self::OtherJob { reason } => reason.clone(),
            Self::ChangedViews { dropped_state_names } => format!(
                "feature views changed: with this pipeline file, `windrow run` needs {}",
                format_drop_state_flags(dropped_state_names.iter().map(String::as_str))
            ),
        }
    }
}

impl From<StateProblem> for CommandFailure {
    fn from(finding: StateProblem) -> Self {
        Self::new(finding.exit_status(), format!("error: {}", finding.message()))
    }
}
