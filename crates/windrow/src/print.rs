//! Prints data to stdout and everything else to stderr. If the reader of a pipe has closed the pipe, printing does not
//! panic.

use std::io::{ErrorKind, Write, stderr, stdout};
use std::process::ExitCode;

use crate::exit::{CommandFailure, ExitStatus};

/// Writes `text` to stdout. If stdout is a pipe that its reader has closed, this is not an error.
pub(crate) fn write_stdout(text: &str) -> Result<(), CommandFailure> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CommandFailure::new(
            ExitStatus::UnwritableOutput,
            format!("error: cannot write standard output: {error}"),
        )),
        _ => Ok(()),
    }
}

/// Writes the message of a failed command to stderr, and returns the exit code.
pub(crate) fn print_failure_message(failure: &CommandFailure) -> ExitCode {
    write_stderr_line(failure.message());
    failure.exit_status().into()
}

/// Writes a line to stderr. An error of the write is ignored, because it cannot be reported anywhere else.
pub(crate) fn write_stderr_line(line: &str) {
    let _ = writeln!(stderr().lock(), "{line}");
}
