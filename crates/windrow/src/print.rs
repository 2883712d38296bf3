//! Writing to people: data to stdout, everything else to stderr, and no panic where nobody reads.

use std::io::{ErrorKind, Write, stderr, stdout};

use crate::exit::{CommandFailure, ExitStatus};

/// Writes `text` to stdout. Whoever closed it early has seen enough.
pub(crate) fn write_stdout(text: &str) -> Result<(), CommandFailure> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CommandFailure::new(ExitStatus::Output, format!("error: cannot write standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a line to stderr, where that is possible.
pub(crate) fn write_stderr_line(line: &str) {
    // There is nobody left to tell.
    let _ = writeln!(stderr().lock(), "{line}");
}
