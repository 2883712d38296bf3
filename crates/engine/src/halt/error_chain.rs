//! Renders errors together with their sources. Formats lists of numbers and times for the texts of halts.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

/// An error of another crate or of the operating system. The error is reference-counted, because a [`crate::Halt`] can
/// contain the error and must be cloneable.
pub type SharedError = Arc<dyn Error + Send + Sync>;

/// Converts an error or a text into a [`SharedError`].
pub fn share_error(error: impl Into<Box<dyn Error + Send + Sync>>) -> SharedError {
    Arc::from(error.into())
}

/// Joins numbers with commas.
pub(super) fn join_numbers<T: ToString>(numbers: &[T]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Formats a wall-clock time in UTC. Returns "a later time" if the time is too large for a UTC date.
pub(super) fn format_utc(epoch_ms: i64) -> String {
    Timestamp::from_millisecond(epoch_ms).map_or_else(|_| "a later time".to_owned(), |time| format!("{time:.0}"))
}

/// Renders an error and the chain of its sources in one line, separated by colons. Omits a source whose text already
/// occurs in the line.
#[derive(Debug)]
pub struct ErrorChain<'a>(pub &'a dyn Error);

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.0.to_string();
        let mut source = self.0.source();
        while let Some(error) = source {
            let next = error.to_string();
            if !text.contains(&next) {
                text.push_str(": ");
                text.push_str(&next);
            }
            source = error.source();
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        source: Option<Box<Link>>,
    }

    #[test]
    fn sources_follow_and_repetitions_do_not() {
        let link = |text, source: Option<Link>| Link { text, source: source.map(Box::new) };
        let chain = link("cannot write", Some(link("disk: full", Some(link("full", None)))));
        assert_eq!(ErrorChain(&chain).to_string(), "cannot write: disk: full");
        let shared = share_error(chain);
        assert_eq!(ErrorChain(&*shared).to_string(), "cannot write: disk: full");
        assert_eq!(ErrorChain(&*share_error("only a text")).to_string(), "only a text");
    }
}
