//! Runs the built binary: arguments and standard input go in, exit code and both outputs come back.
//!
//! Owns: starting it in the project's folder, independent of the environment, and the time limit.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use windrow_test_support::HANG_TIMEOUT;

/// Returns the project's root, in which the documentation runs its commands.
pub(crate) fn project_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Prepares `windrow ARGS…` without starting it.
pub(crate) fn windrow_command<S: AsRef<str>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windrow"));
    command.current_dir(project_root()).stdin(Stdio::null());
    for name in ["RUST_LOG", "RUST_BACKTRACE", "COLUMNS"] {
        command.env_remove(name);
    }
    for arg in args {
        command.arg(arg.as_ref());
    }
    command
}

/// The exit code and the outputs of a command that ended.
pub(crate) struct FinishedCommand {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Runs `windrow ARGS…` to its end with `input` on standard input.
pub(crate) fn run_with_input<S: AsRef<str>>(
    args: impl IntoIterator<Item = S>,
    input: impl Into<Vec<u8>>,
) -> FinishedCommand {
    let mut command = assert_cmd::Command::from_std(windrow_command(args));
    let output = command.write_stdin(input).timeout(HANG_TIMEOUT).output().expect("windrow starts");
    FinishedCommand {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

/// Runs `windrow ARGS…` to its end.
pub(crate) fn run<S: AsRef<str>>(args: impl IntoIterator<Item = S>) -> FinishedCommand {
    run_with_input(args, Vec::new())
}

impl FinishedCommand {
    /// Returns standard output as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("standard output is UTF-8")
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code; standard error:\n{}", self.stderr);
        self
    }

    /// Asserts that standard error contains all of `parts`.
    #[track_caller]
    pub(crate) fn expect_stderr(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in standard error:\n{}", self.stderr);
        }
        self
    }
}
