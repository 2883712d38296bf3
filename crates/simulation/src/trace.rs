//! The trace of a simulation: what happened, in order, as lines that a person can follow.
//!
//! Owns: the lines. Does not own: which log events are among them (`trace_subscriber`). Invariant: the same seed gives
//! the same lines, byte for byte.

use std::fmt::Write;
use std::time::Duration;

/// Whether a simulation records its trace, which takes most of its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TraceMode {
    /// The trace stays empty.
    Off,
    /// The trace is recorded.
    Recorded,
}

#[derive(Debug)]
pub(crate) struct TraceRecorder {
    mode: TraceMode,
    text: String,
    /// The instance and the thread that run now.
    pub(crate) current_thread: String,
}

impl TraceRecorder {
    pub(crate) const fn new(mode: TraceMode) -> Self {
        Self { mode, text: String::new(), current_thread: String::new() }
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.mode == TraceMode::Recorded
    }

    pub(crate) fn add_line(&mut self, now: Duration, line: &str) {
        // Writing to a `String` cannot fail.
        let _written = writeln!(self.text, "{:>10.4} {:<14} {line}", now.as_secs_f64(), self.current_thread);
    }

    pub(crate) fn take_text(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}
