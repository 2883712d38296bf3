//! What is wrong with state that a command was told to use.
//!
//! Owns: these findings, their texts and exit codes. Does not own: halts of a running job (`halt_message`).

use windrow_engine::checkpoint::UnusableObject;
use windrow_engine::{Partition, StoreFault};

use crate::exit::{CommandFailure, ExitStatus};
use crate::format::format_plural;
use crate::halt_message::drop_state_flags;

/// Why state in a place cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum StateFinding {
    /// The place cannot be opened.
    InvalidPlace { setting: String, fault: StoreFault },
    /// The store does not answer, or refuses.
    StoreFailed { fault: StoreFault },
    /// There is neither a savepoint nor a job's checkpoints, of this partition if one was named.
    NoState { place: String, partition: Option<Partition> },
    /// The place that a job should begin from holds neither a savepoint nor checkpoints.
    NothingToRestore { place: String },
    /// A savepoint has no object `savepoint`.
    IncompleteSavepoint { place: String },
    /// A savepoint does not say what it holds.
    UnusableSavepoint { place: String, object: UnusableObject },
    /// Some of the checkpoints cannot be used, or partitions are missing.
    Damaged { place: String, checkpoints: usize, damaged: usize, missing: Vec<Partition> },
    /// Some of the checkpoints need a newer version.
    Newer { place: String, checkpoints: usize },
    /// The state is of another pipeline or topic.
    OtherJob { reason: String },
    /// With the pipeline file given, the state of these views would be dropped.
    ChangedViews { views: Vec<String> },
}

impl StateFinding {
    fn exit(&self) -> ExitStatus {
        match self {
            Self::InvalidPlace { .. } | Self::StoreFailed { .. } => ExitStatus::CheckpointStore,
            Self::NoState { .. } | Self::NothingToRestore { .. } | Self::OtherJob { .. } => ExitStatus::ForeignState,
            Self::UnusableSavepoint { object, .. } if object.is_newer() => ExitStatus::NewerState,
            Self::IncompleteSavepoint { .. } | Self::UnusableSavepoint { .. } | Self::Damaged { .. } => {
                ExitStatus::DamagedState
            }
            Self::Newer { .. } => ExitStatus::NewerState,
            Self::ChangedViews { .. } => ExitStatus::ChangedViews,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::InvalidPlace { setting, fault } => format!("{setting} cannot be used as a place for state: {fault}"),
            Self::StoreFailed { fault } => format!("the state cannot be read: {fault}"),
            Self::NoState { place, partition } => {
                let which = partition.map_or_else(String::new, |partition| format!(" of partition {partition}"));
                format!("there is no state{which} in {place}: neither a savepoint nor a job's checkpoints")
            }
            Self::NothingToRestore { place } => {
                format!("there is nothing to begin from in {place} (--from): neither a savepoint nor checkpoints")
            }
            Self::IncompleteSavepoint { place } => format!(
                "the savepoint in {place} is incomplete: it has no object `savepoint`, which is created last. Wait until it is \
                 taken, or take another with `windrow savepoint`"
            ),
            Self::UnusableSavepoint { place, object } => format!("{place}: {object}"),
            Self::Damaged { place, checkpoints, damaged, missing } => {
                let missing = match &**missing {
                    [] => String::new(),
                    missing => format!(", and partitions {missing:?} are missing"),
                };
                format!(
                    "of {} in {place}, {damaged} cannot be used{missing}",
                    format_plural(*checkpoints as u64, "checkpoint")
                )
            }
            Self::Newer { place, checkpoints } => format!(
                "{} in {place} can be read only by a newer version of Windrow",
                format_plural(*checkpoints as u64, "checkpoint")
            ),
            Self::OtherJob { reason } => reason.clone(),
            Self::ChangedViews { views } => format!(
                "with this pipeline file, `windrow run` needs {}",
                drop_state_flags(views.iter().map(String::as_str))
            ),
        }
    }
}

impl From<StateFinding> for CommandFailure {
    fn from(finding: StateFinding) -> Self {
        Self::new(finding.exit(), format!("error: {}", finding.text()))
    }
}
