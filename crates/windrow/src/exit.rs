//! Exit codes. Scripts depend on them: they are listed in `windrow --help` and never change their meaning.

use std::process::ExitCode;

/// How a command ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum ExitStatus {
    /// Done as asked.
    Success = 0,
    /// Something that should not happen did.
    Internal = 1,
    /// The command line is wrong; also clap's own.
    Usage = 2,
    /// The pipeline file has mistakes.
    Pipeline = 3,
    /// The input cannot be used: records without a key, an unknown topic, an unreadable file.
    Input = 4,
    /// The output cannot be written.
    Output = 5,
    /// Kafka, Redis or the running pipeline was not there in time.
    NotReachable = 6,
    /// Kafka or Redis refused us.
    Refused = 7,
    /// Stopped as asked, but Redis did not take the last rows; they are computed again after a restart.
    Unwritten = 8,
    /// A command with an end was stopped before it; what it wrote is a part.
    Partial = 9,
    /// The offset to go on at is no longer in Kafka.
    LostOffset = 10,
    /// The topic was deleted and created again.
    TopicRecreated = 11,
    /// Partitions were added to the topic.
    PartitionsAdded = 12,
    /// The state is of another pipeline or topic, or there is none.
    ForeignState = 13,
    /// Feature views changed and their state would have to be dropped.
    ChangedViews = 14,
    /// The state was written by a newer version.
    NewerState = 15,
    /// No checkpoint of a partition can be read any more, or some state that was looked at is damaged or incomplete.
    DamagedState = 16,
    /// The checkpoint store refuses.
    CheckpointStore = 17,
    /// Another job has taken over a partition.
    Fenced = 18,
}

/// The list for `--help`.
pub(crate) const EXIT_CODE_HELP: &str = "\
Exit codes:
  0  done as asked
  1  something that should not happen did
  2  the command line is wrong
  3  the pipeline file has mistakes
  4  the input cannot be used (no record keys, unknown topic, unreadable file)
  5  the output cannot be written
  6  Kafka, Redis or the running pipeline (savepoint) was not there in time
  7  Kafka or Redis refused
  8  stopped, but Redis did not take the last rows: they are not committed and will be read again
  9  replay, generate, savepoint or run --bounded was stopped; what it wrote is a part
 10  the offset to go on at is no longer in Kafka (source.kafka.on_lost_offset)
 11  the topic was deleted and created again
 12  partitions were added to the topic (--accept-partitions)
 13  the state is of another pipeline or topic, or there is none
 14  feature views changed; their state must be dropped first (--drop-state)
 15  the state was written by a newer version of Windrow
 16  no checkpoint of a partition can be read any more (state verify: something is damaged)
 17  the checkpoint store refuses
 18  another job has taken over a partition";

impl From<ExitStatus> for ExitCode {
    fn from(exit: ExitStatus) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed: its exit code and the message for stderr.
#[derive(Debug)]
pub(crate) struct CommandFailure {
    exit: ExitStatus,
    message: String,
}

impl CommandFailure {
    pub(crate) fn new(exit: ExitStatus, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// Replaces the exit code.
    pub(crate) fn with_exit(self, exit: ExitStatus) -> Self {
        Self { exit, ..self }
    }

    pub(crate) fn exit(&self) -> ExitStatus {
        self.exit
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}
