//! Exit codes: the promise to scripts. They are listed in `windrow --help` and never change their meaning.

use std::process::ExitCode;

use windrow_engine::Halt;

use crate::print;

/// How a command ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done as asked.
    Success = 0,
    /// Something that should not happen did.
    Internal = 1,
    /// The command line is wrong; also clap's own.
    Usage = 2,
    /// The pipeline file has mistakes.
    Pipeline = 3,
    /// The input cannot be used: records without a key, an unknown topic, an offset that is gone, an unreadable file.
    Input = 4,
    /// The output cannot be written.
    Output = 5,
    /// Kafka or Redis was not there in time.
    NotReachable = 6,
    /// Kafka or Redis refused us.
    Refused = 7,
    /// Stopped as asked, but Redis did not take the last rows; they are computed again after a restart.
    Unwritten = 8,
    /// A command with an end was stopped before it; what it wrote is a part.
    Partial = 9,
}

/// The list for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done as asked
  1  something that should not happen did
  2  the command line is wrong
  3  the pipeline file has mistakes
  4  the input cannot be used (no record keys, unknown topic, lost offset, unreadable file)
  5  the output cannot be written
  6  Kafka or Redis was not there in time
  7  Kafka or Redis refused
  8  stopped, but Redis did not take the last rows: they are not committed and will be read again
  9  replay, generate or run --bounded was stopped before its end; what it wrote is a part";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ends otherwise than asked.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// Tells the user, and gives the code to exit with.
    pub(crate) fn report(&self) -> ExitCode {
        print::note(&self.message);
        self.exit.into()
    }
}

impl From<Halt> for Failure {
    fn from(halt: Halt) -> Self {
        let exit = match halt {
            Halt::Input(_) => Exit::Input,
            Halt::Output(_) => Exit::Output,
            Halt::NotReachable(_) => Exit::NotReachable,
            Halt::Refused(_) => Exit::Refused,
        };
        Self::new(exit, format!("error: {halt}"))
    }
}
