//! The value of a fence.
//!
//! The value is a string on purpose. Rows are hashes, so a row with the same key cannot change it: the commands of a row
//! fail on a string. It never expires. An example is `1 epoch=57 user_features=12:3456`: version 1, the owner's epoch,
//! and for each view the beginning of its count and the number of its rows in Redis.
//! Invariant: a value has exactly one spelling; any other is rejected.

use std::collections::BTreeSet;
use std::fmt::Write;

use percent_encoding::{percent_decode_str, utf8_percent_encode};
use windrow_core::text::first_chars;
use windrow_engine::{Epoch, ViewRowCount};

use super::key::ESCAPED_CHARS;
use crate::redis::fault::RedisFault;

/// Characters of an unreadable value that a message quotes.
const QUOTED_CHARS_MAX: usize = 80;

/// The decoded value of a partition's fence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FenceValue {
    /// The epoch of the partition's owner.
    pub(crate) epoch: Epoch,
    /// For every view of the pipeline, in its order.
    pub(crate) row_counts: Vec<ViewRowCount>,
}

impl FenceValue {
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("1 epoch={}", self.epoch);
        for ViewRowCount { view, beginning, rows } in &self.row_counts {
            let view = utf8_percent_encode(view, ESCAPED_CHARS);
            // Writing to a String cannot fail.
            let _written = write!(text, " {view}={beginning}:{rows}");
        }
        text
    }

    /// Decodes the value stored at `key`.
    pub(crate) fn parse_stored(key: &str, bytes: &[u8]) -> Result<Self, RedisFault> {
        Self::parse(bytes).ok_or_else(|| {
            let text = String::from_utf8_lossy(bytes);
            unreadable_fence(key, &format!("{:?}", first_chars(&text, QUOTED_CHARS_MAX)))
        })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let mut words = text.strip_prefix("1 ")?.split(' ');
        let epoch = words.next()?.strip_prefix("epoch=")?.parse().ok()?;
        let count = |word: &str| {
            let (view, (beginning, rows)) =
                word.split_once('=').and_then(|(view, rest)| Some((view, rest.split_once(':')?)))?;
            let view = percent_decode_str(view).decode_utf8().ok()?.into_owned();
            Some(ViewRowCount { view, beginning: beginning.parse().ok()?, rows: rows.parse().ok()? })
        };
        let row_counts = words.map(count).collect::<Option<Vec<_>>>()?;
        let views: BTreeSet<&str> = row_counts.iter().map(|count| count.view.as_str()).collect();
        let distinct = views.len() == row_counts.len();
        let value = Self { epoch, row_counts };
        (distinct && value.to_text() == text).then_some(value)
    }
}

/// Returns the fault of a fence that no version of Windrow up to this one has written. `found` describes its value.
pub(crate) fn unreadable_fence(key: &str, found: &str) -> RedisFault {
    RedisFault::Unusable(format!(
        "the key {key} should hold a fence (the owner of a partition and its row counts), but this version of Windrow \
         cannot read it: {found}. Make sure that no other Windrow runs on this pipeline and group, delete that key, and \
         start again"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(view: &str, beginning: u64, rows: u64) -> ViewRowCount {
        ViewRowCount { view: view.to_owned(), beginning, rows }
    }

    #[test]
    fn a_value_is_read_back_and_has_one_spelling() {
        let value =
            FenceValue { epoch: 57, row_counts: vec![count("user_features", 12, 3456), count("a b=c:d", 1, 0)] };
        assert_eq!(value.to_text(), "1 epoch=57 user_features=12:3456 a%20b%3Dc%3Ad=1:0");
        assert_eq!(FenceValue::parse(value.to_text().as_bytes()), Some(value));
        assert_eq!(FenceValue::parse(b"1 epoch=0"), Some(FenceValue { epoch: 0, row_counts: Vec::new() }));
        for wrong in [
            &b""[..],
            b"1",
            b"1 epoch=",
            b"1 epoch=-1",
            b"1 epoch=+1",
            b"1 epoch=01",
            b"1 epoch=1 ",
            b"1  epoch=1",
            b"2 epoch=1",
            b"1 epoch=1 v",
            b"1 epoch=1 v=1",
            b"1 epoch=1 v=1:2:3",
            b"1 epoch=1 v=1:2 w=1:2 v=1:2",
            b"1 epoch=1 v=1:18446744073709551616",
            b"1 epoch=1 %76=1:2",
            b"1 epoch=1 \xff=1:2",
            b"1 epoch=1\n",
        ] {
            assert_eq!(FenceValue::parse(wrong), None, "{}", wrong.escape_ascii());
        }
    }
}
