//! Where a mistake is.

use std::fmt;
use std::ops::Range;

/// A location in the file or in an override, before lines are counted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum DocumentLocation {
    /// Bytes of the file.
    File(ByteRange),
    /// The value of the `--set` with this position.
    Override(usize),
}

impl DocumentLocation {
    pub(crate) fn from_range(range: Range<usize>) -> Self {
        Self::File(ByteRange { start: range.start, end: range.end })
    }
}

/// A range of bytes that can be ordered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ByteRange {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The place of a mistake, for its reader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DiagnosticPlace {
    /// In the file.
    File {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// In the value of `--set path=value`.
    Override {
        /// The path.
        path: String,
    },
}

impl fmt::Display for DiagnosticPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { line, column } => write!(f, "{line}:{column}"),
            Self::Override { path } => write!(f, "--set {path}"),
        }
    }
}
