//! The location of a mistake.

use std::fmt;
use std::ops::Range;

/// A location in the file or in a `--set` override. For messages, a [`DiagnosticPlace`] holds the same location as line
/// and column.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum DocumentLocation {
    /// A range of bytes in the file.
    File(ByteRange),
    /// The value of a `--set` override. The number is the index of the override, counted from 0.
    Override(usize),
}

impl DocumentLocation {
    pub(crate) fn from_file_range(range: Range<usize>) -> Self {
        Self::File(ByteRange { start: range.start, end: range.end })
    }
}

/// A range of bytes in the file. It exists because [`Range`] cannot be sorted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ByteRange {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The place of a mistake, in the form that messages show.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DiagnosticPlace {
    /// A place in the file.
    File {
        /// Line, counted from 1.
        line: usize,
        /// Column in characters, counted from 1.
        column: usize,
    },
    /// A place in the value of `--set path=value`.
    Override {
        /// The path of the override.
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
