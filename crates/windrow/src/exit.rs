//! The exit codes of the commands. Scripts depend on the codes, so a code never changes its meaning. `windrow --help`
//! lists all codes.

use std::process::ExitCode;

/// The exit code of a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum ExitStatus {
    /// The command did what was asked.
    Success = 0,
    /// An internal error occurred.
    Internal = 1,
    /// The command line is wrong. The parser of the command line, `clap`, exits with the same code.
    Usage = 2,
    /// The pipeline file has mistakes.
    Pipeline = 3,
    /// The input cannot be used: records without a key, an unknown topic, an unreadable file.
    UnusableInput = 4,
    /// The output cannot be written.
    UnwritableOutput = 5,
    /// Kafka or Redis did not respond in time, or the running pipeline did not respond to `windrow savepoint` or
    /// `windrow health` in time.
    NotReachable = 6,
    /// Kafka or Redis refused a request.
    Refused = 7,
    /// The job stopped as asked, but Redis did not acknowledge the last rows. After the next start, the job computes
    /// these rows again.
    UnwrittenRows = 8,
    /// A command with a fixed amount of work was stopped early, so the output is incomplete.
    PartialOutput = 9,
    /// Kafka no longer has the record at which the job must continue.
    LostOffset = 10,
    /// The topic was deleted and created again.
    TopicRecreated = 11,
    /// Partitions were added to the topic.
    PartitionsAdded = 12,
    /// The stored state belongs to another pipeline or topic, or there is no stored state.
    ForeignState = 13,
    /// Feature views changed after their state was stored. The job can start only if the operator lets it drop the
    /// state of these views.
    ChangedViews = 14,
    /// The state was written by a newer version of Windrow.
    NewerState = 15,
    /// A partition has no readable checkpoint, or stored state is damaged or incomplete.
    DamagedState = 16,
    /// The checkpoint store failed or refused a request.
    CheckpointStore = 17,
    /// Another job has taken over a partition.
    Fenced = 18,
    /// The running job answered that it is not healthy (`windrow health`).
    Unhealthy = 19,
    /// A test of the pipeline file failed (`windrow test`).
    FailedTests = 20,
}

/// The list of exit codes at the end of the text of `windrow --help`.
pub(crate) const EXIT_CODE_HELP: &str = "\
Exit codes:
  0  the command did what was asked
  1  an internal error occurred
  2  the command line is wrong
  3  the pipeline file has mistakes
  4  the input cannot be used (records without a key, unknown topic, unreadable file)
  5  the output cannot be written
  6  Kafka, Redis or (for savepoint and health) the running pipeline did not respond in time
  7  Kafka or Redis refused a request
  8  Redis did not acknowledge the last rows before the stop; the next run computes them again
  9  replay, generate, savepoint or run --bounded was stopped early; its output is incomplete
 10  the offset to continue from is no longer in Kafka (source.kafka.on_lost_offset) (*)
 11  the topic was deleted and created again
 12  partitions were added to the topic (--accept-partitions)
 13  the state belongs to another pipeline or topic, or there is no state
 14  feature views changed; their state must be dropped first (--drop-state)
 15  the state was written by a newer version of Windrow
 16  no checkpoint of a partition is readable (*), or state verify found damage
 17  the checkpoint store failed or refused a request (*)
 18  another job has taken over a partition
 19  health: the running job answered that it is not healthy
 20  test: a test of the pipeline file failed
(*) a fault of one partition parks it, and run continues without it, unless
    source.kafka.on_partition_fault is \"halt\" or the run is --bounded";

impl From<ExitStatus> for ExitCode {
    fn from(exit: ExitStatus) -> Self {
        Self::from(exit as u8)
    }
}

/// The failure of a command: the exit code and the message for stderr.
#[derive(Debug)]
pub(crate) struct CommandFailure {
    exit_status: ExitStatus,
    message: String,
}

impl CommandFailure {
    pub(crate) fn new(exit_status: ExitStatus, message: impl Into<String>) -> Self {
        Self { exit_status, message: message.into() }
    }

    /// Returns the same failure with the exit code `exit` instead of its own.
    pub(crate) fn with_exit_status(self, exit: ExitStatus) -> Self {
        Self { exit_status: exit, ..self }
    }

    pub(crate) fn exit_status(&self) -> ExitStatus {
        self.exit_status
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}
