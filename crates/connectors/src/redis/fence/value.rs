//! The value of a fence: its text in Redis and its decoded form.
//!
//! The value is a Redis string on purpose: rows are hashes, and the commands that write a row fail on a string. A row
//! with the key of a fence therefore cannot change the fence. A fence never expires.
//!
//! An example is `1 epoch=57 read=900@4 user_features=12:3456`. It contains the version of the format (1), the owner's
//! epoch (57), the position after the record that caused the last row (offset 900, after a record of leader epoch 4), and
//! an entry for each view. If the leader epoch is unknown, the position is `read=900`. Fences of older versions have no
//! position. The decisions of the wall clock may follow, as `clock:880,w891=1700000000000,f895=1700003600000`: decisions
//! before offset 880 may be missing; before offset 891 the watermark advanced, and from offset 895 on the event times were
//! limited, each with the time in epoch milliseconds. The entry of the view `user_features` contains a fingerprint (12) and the view's number
//! of rows (3456). The fingerprint identifies the offset at which row counting started, and the rules by which rows are
//! counted.
//! Invariant: each value has exactly one spelling; any other spelling is rejected.

use std::collections::BTreeSet;
use std::fmt::Write;

use percent_encoding::{percent_decode_str, utf8_percent_encode};
use windrow_core::EventTime;
use windrow_core::text::first_chars;
use windrow_engine::{ClockDecision, ClockDecisions, ClockEffect, Epoch, LogPosition, StoredRows, ViewRowCount};

use super::key::PERCENT_ENCODED_CHARS;
use crate::redis::fault::RedisFault;

/// The maximal number of characters of an unreadable value that a message quotes.
const MAX_QUOTED_VALUE_CHARS: usize = 80;
/// The beginning of the word that contains the position.
const POSITION_NAME: &str = "read=";
/// The beginning of the word that contains the decisions of the wall clock.
const CLOCK_NAME: &str = "clock:";

/// The decoded value of a partition's fence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FenceValue {
    /// The epoch of the partition's owner.
    pub(crate) epoch: Epoch,
    /// The position after the record that caused the last of the rows; `None` if unknown.
    pub(crate) read_position: Option<LogPosition>,
    /// The decisions of the wall clock on which the rows may depend.
    pub(crate) clock_decisions: ClockDecisions,
    /// The row count of every view, in the order of the views in the pipeline.
    pub(crate) row_counts: Vec<ViewRowCount>,
}

impl FenceValue {
    /// Returns which rows Redis has, for the owner of a claim.
    pub(crate) fn stored_rows(&self) -> StoredRows {
        StoredRows { row_counts: self.row_counts.clone(), read_position: self.read_position }
    }

    pub(crate) fn to_canonical_text(&self) -> String {
        let mut text = format!("1 epoch={}", self.epoch);
        // Writing to a `String` cannot fail.
        let _written = match self.read_position {
            Some(LogPosition { offset, leader_epoch: Some(leader_epoch) }) => {
                write!(text, " {POSITION_NAME}{offset}@{leader_epoch}")
            }
            Some(LogPosition { offset, leader_epoch: None }) => write!(text, " {POSITION_NAME}{offset}"),
            None => Ok(()),
        };
        text.push_str(&format_clock_decisions(&self.clock_decisions));
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
        let mut words = text.strip_prefix("1 ")?.split(' ').peekable();
        let epoch = words.next()?.strip_prefix("epoch=")?.parse().ok()?;
        // The entry of a view that is called `read` contains a colon.
        let is_position = |word: &&str| word.starts_with(POSITION_NAME) && !word.contains(':');
        let read_position = match words.next_if(is_position) {
            Some(word) => Some(parse_position(word.strip_prefix(POSITION_NAME)?)?),
            None => None,
        };
        // The name of a view contains no colon, because the colon is percent-encoded.
        let clock_decisions = match words.next_if(|word| word.starts_with(CLOCK_NAME)) {
            Some(word) => parse_clock_decisions(word.strip_prefix(CLOCK_NAME)?)?,
            None => ClockDecisions::default(),
        };
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
        let value = Self { epoch, read_position, clock_decisions, row_counts };
        (distinct && value.to_canonical_text() == text).then_some(value)
    }
}

/// Returns the word with the decisions of the wall clock, after a space; an empty text if there is nothing to store.
fn format_clock_decisions(clock_decisions: &ClockDecisions) -> String {
    if clock_decisions.is_empty() {
        return String::new();
    }
    let mut text = format!(" {CLOCK_NAME}{}", clock_decisions.known_from);
    for ClockDecision { before_offset, effect } in &clock_decisions.decisions {
        // Writing to a `String` cannot fail.
        let _written = match effect {
            ClockEffect::AdvanceWatermark(time) => write!(text, ",w{before_offset}={time}"),
            ClockEffect::LimitEventTime(time) => write!(text, ",f{before_offset}={time}"),
        };
    }
    text
}

/// Parses decisions such as `880,w891=1700000000000`.
fn parse_clock_decisions(text: &str) -> Option<ClockDecisions> {
    let mut parts = text.split(',');
    let known_from = parts.next()?.parse().ok()?;
    let parse_decision = |part: &str| {
        let (offset, time_ms) = part.get(1..)?.split_once('=')?;
        let time = EventTime::from_ms(time_ms.parse().ok()?);
        let effect = match part.get(..1)? {
            "w" => ClockEffect::AdvanceWatermark(time),
            "f" => ClockEffect::LimitEventTime(time),
            _ => return None,
        };
        Some(ClockDecision { before_offset: offset.parse().ok()?, effect })
    };
    let decisions = parts.map(parse_decision).collect::<Option<Vec<_>>>()?;
    let is_sorted = decisions.is_sorted_by_key(|decision| decision.before_offset);
    is_sorted.then_some(ClockDecisions { known_from, decisions })
}

/// Parses a position such as `900@4` or `900`.
fn parse_position(text: &str) -> Option<LogPosition> {
    let (offset, leader_epoch) = match text.split_once('@') {
        Some((offset, leader_epoch)) => (offset, Some(leader_epoch.parse().ok()?)),
        None => (text, None),
    };
    Some(LogPosition { offset: offset.parse().ok()?, leader_epoch })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(view: &str, beginning: u64, rows: u64) -> ViewRowCount {
        ViewRowCount { view: view.to_owned(), row_numbering_fingerprint: beginning, last_row_number: rows }
    }

    #[test]
    fn a_value_is_read_back_and_has_one_spelling() {
        let mut value = FenceValue {
            epoch: 57,
            read_position: None,
            clock_decisions: ClockDecisions::default(),
            row_counts: vec![count("read", 12, 3456), count("a b=c:d", 1, 0)],
        };
        for (position, text) in [
            (None, "1 epoch=57 read=12:3456 a%20b%3Dc%3Ad=1:0"),
            (Some((900, None)), "1 epoch=57 read=900 read=12:3456 a%20b%3Dc%3Ad=1:0"),
            (Some((900, Some(4))), "1 epoch=57 read=900@4 read=12:3456 a%20b%3Dc%3Ad=1:0"),
        ] {
            value.read_position = position.map(|(offset, leader_epoch)| LogPosition { offset, leader_epoch });
            assert_eq!(value.to_canonical_text(), text);
            assert_eq!(FenceValue::parse_canonical_text(text.as_bytes()).as_ref(), Some(&value));
        }
        let decision = |before_offset, effect| ClockDecision { before_offset, effect };
        let decisions = vec![
            decision(891, ClockEffect::AdvanceWatermark(EventTime::from_ms(-5))),
            decision(895, ClockEffect::LimitEventTime(EventTime::from_ms(17))),
        ];
        for (known_from, decisions, text) in [
            (0, decisions, "1 epoch=57 read=900@4 clock:0,w891=-5,f895=17 read=12:3456 a%20b%3Dc%3Ad=1:0"),
            (880, Vec::new(), "1 epoch=57 read=900@4 clock:880 read=12:3456 a%20b%3Dc%3Ad=1:0"),
        ] {
            value.clock_decisions = ClockDecisions { known_from, decisions };
            assert_eq!(value.to_canonical_text(), text);
            assert_eq!(FenceValue::parse_canonical_text(text.as_bytes()).as_ref(), Some(&value));
        }
        assert_eq!(
            FenceValue::parse_canonical_text(b"1 epoch=0"),
            Some(FenceValue {
                epoch: 0,
                read_position: None,
                clock_decisions: ClockDecisions::default(),
                row_counts: Vec::new()
            })
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
            b"1 epoch=1 read=",
            b"1 epoch=1 read=1@",
            b"1 epoch=1 read=+1",
            b"1 epoch=1 read=1@2@3",
            b"1 epoch=1 v=1:2 read=1@2",
            b"1 epoch=1 clock:0 v=1:2",
            b"1 epoch=1 clock:1,x2=3 v=1:2",
            b"1 epoch=1 clock:1,w2 v=1:2",
            b"1 epoch=1 clock:1,w3=1,w2=1 v=1:2",
            b"1 epoch=1 v=1:2 clock:1",
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
