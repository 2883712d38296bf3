//! The value of a fence: its text in Redis and its decoded form.
//!
//! The value is a Redis string on purpose: rows are hashes, and the commands that write a row fail on a string. A row
//! with the key of a fence therefore cannot change the fence. A fence never expires.
//!
//! An example is `1 epoch=57 user_features=12:3456`. It contains the version of the format (1), the owner's epoch (57),
//! and an entry for each view. The entry of the view `user_features` contains a fingerprint (12) and the view's number
//! of rows (3456). The fingerprint identifies the offset at which row counting started, and the rules by which rows are
//! counted.
//! Invariant: each value has exactly one spelling; any other spelling is rejected.

use std::collections::BTreeSet;
use std::fmt::Write;

use percent_encoding::{percent_decode_str, utf8_percent_encode};
use windrow_core::text::first_chars;
use windrow_engine::{Epoch, ViewRowCount};

use super::key::PERCENT_ENCODED_CHARS;
use crate::redis::fault::RedisFault;

/// The maximal number of characters of an unreadable value that a message quotes.
const MAX_QUOTED_VALUE_CHARS: usize = 80;

/// The decoded value of a partition's fence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FenceValue {
    /// The epoch of the partition's owner.
    pub(crate) epoch: Epoch,
    /// The row count of every view, in the order of the views in the pipeline.
    pub(crate) row_counts: Vec<ViewRowCount>,
}

impl FenceValue {
    pub(crate) fn to_canonical_text(&self) -> String {
        let mut text = format!("1 epoch={}", self.epoch);
        for ViewRowCount { view, row_numbering_fingerprint: beginning, last_row_number: rows } in &self.row_counts {
            let view = utf8_percent_encode(view, PERCENT_ENCODED_CHARS);
            // Writing to a `String` cannot fail.
            let _written = write!(text, " {view}={beginning}:{rows}");
        }
        text
    }

    /// Decodes the value stored at `key`.
    pub(crate) fn parse_stored_value(key: &str, bytes: &[u8]) -> Result<Self, RedisFault> {
        Self::parse_canonical_text(bytes).ok_or_else(|| {
            let text = String::from_utf8_lossy(bytes);
            let found = format!("{:?}", first_chars(&text, MAX_QUOTED_VALUE_CHARS));
            RedisFault::UnreadableFence { fence_key: key.to_owned(), found }
        })
    }

    fn parse_canonical_text(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let mut words = text.strip_prefix("1 ")?.split(' ');
        let epoch = words.next()?.strip_prefix("epoch=")?.parse().ok()?;
        let count = |word: &str| {
            let (view, (beginning, rows)) =
                word.split_once('=').and_then(|(view, rest)| Some((view, rest.split_once(':')?)))?;
            let view = percent_decode_str(view).decode_utf8().ok()?.into_owned();
            Some(ViewRowCount {
                view,
                row_numbering_fingerprint: beginning.parse().ok()?,
                last_row_number: rows.parse().ok()?,
            })
        };
        let row_counts = words.map(count).collect::<Option<Vec<_>>>()?;
        let views: BTreeSet<&str> = row_counts.iter().map(|count| count.view.as_str()).collect();
        let distinct = views.len() == row_counts.len();
        let value = Self { epoch, row_counts };
        (distinct && value.to_canonical_text() == text).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(view: &str, beginning: u64, rows: u64) -> ViewRowCount {
        ViewRowCount { view: view.to_owned(), row_numbering_fingerprint: beginning, last_row_number: rows }
    }

    #[test]
    fn a_value_is_read_back_and_has_one_spelling() {
        let value =
            FenceValue { epoch: 57, row_counts: vec![count("user_features", 12, 3456), count("a b=c:d", 1, 0)] };
        assert_eq!(value.to_canonical_text(), "1 epoch=57 user_features=12:3456 a%20b%3Dc%3Ad=1:0");
        assert_eq!(FenceValue::parse_canonical_text(value.to_canonical_text().as_bytes()), Some(value));
        assert_eq!(
            FenceValue::parse_canonical_text(b"1 epoch=0"),
            Some(FenceValue { epoch: 0, row_counts: Vec::new() })
        );
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
            assert_eq!(FenceValue::parse_canonical_text(wrong), None, "{}", wrong.escape_ascii());
        }
    }
}
