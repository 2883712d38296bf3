//! Output of the commands: data to stdout, everything else to stderr. A closed pipe never causes a panic.

use std::io::{ErrorKind, Write, stderr, stdout};
use std::process::ExitCode;

use crate::exit::{CommandFailure, ExitStatus};

/// Writes `text` to stdout. A pipe that its reader closed ends the output without an error.
pub(crate) fn write_stdout(text: &str) -> Result<(), CommandFailure> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CommandFailure::new(ExitStatus::Output, format!("error: cannot write standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes why a command failed to stderr, and returns the code to exit with.
pub(crate) fn report_failure(failure: &CommandFailure) -> ExitCode {
    write_stderr_line(failure.message());
    failure.exit().into()
}

/// Writes a line to stderr. An error is ignored: there is no other place to report it.
pub(crate) fn write_stderr_line(line: &str) {
    let _ = writeln!(stderr().lock(), "{line}");
}
