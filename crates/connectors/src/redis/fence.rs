//! What stands in Redis for the owner of a partition: one key, one value.
//!
//! Owns: how both are spelled, what a claim does to the value. Does not own: when they are read and written (the link).
//!
//! The value is a string on purpose. Rows are hashes, so a row whose key happens to be this one cannot change it: the
//! commands of a row fail on a string. It has no time to live, and reads
//! `1 epoch=57 user_features=12:3456`: version 1, the owner's epoch, and for each view from which beginning its rows are
//! counted and how many are in Redis. Every value has one spelling; any other is refused.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use windrow_engine::{Epoch, Partition, PartitionClaim, ViewRowCount};

use super::fault::RedisFault;

/// What all these keys begin with. No row may have such a key.
const FENCE_KEY_PREFIX: &str = "windrow:fence:";

/// What stands for itself in a key or a value.
const ESCAPED_CHARS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');

/// Characters of an unreadable value in a message.
const QUOTED_CHARS_MAX: usize = 80;

/// Whether `redis_key` belongs to the fences, and so to no row.
pub(super) fn is_fence_key(redis_key: &[u8]) -> bool {
    redis_key.starts_with(FENCE_KEY_PREFIX.as_bytes())
}

/// Where the fences of a job stand: those of another pipeline or consumer group are elsewhere.
#[derive(Clone, Debug)]
pub(super) struct FenceKeys(String);

impl FenceKeys {
    pub(super) fn new(pipeline: &str, group: &str) -> Self {
        let [pipeline, group] = [pipeline, group].map(|part| utf8_percent_encode(part, ESCAPED_CHARS));
        Self(format!("{FENCE_KEY_PREFIX}{pipeline}:{group}:"))
    }

    pub(super) fn key_of(&self, partition: Partition) -> String {
        format!("{}{partition}", self.0)
    }
}

/// What the key of a partition holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct FenceValue {
    /// The owner's.
    pub(super) epoch: Epoch,
    /// For every view of the pipeline, in its order.
    pub(super) counts: Vec<ViewRowCount>,
}

impl FenceValue {
    pub(super) fn to_text(&self) -> String {
        use std::fmt::Write;
        let mut text = format!("1 epoch={}", self.epoch);
        for ViewRowCount { view, beginning, rows } in &self.counts {
            let view = utf8_percent_encode(view, ESCAPED_CHARS);
            // Writing to a String cannot fail.
            let _written = write!(text, " {view}={beginning}:{rows}");
        }
        text
    }

    /// Reads what `key` holds.
    pub(super) fn parse_stored(key: &str, bytes: &[u8]) -> Result<Self, RedisFault> {
        Self::parse(bytes).ok_or_else(|| {
            let shown: String = String::from_utf8_lossy(bytes).chars().take(QUOTED_CHARS_MAX).collect();
            unreadable_fence(key, &format!("{shown:?}"))
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
        let counts = words.map(count).collect::<Option<Vec<_>>>()?;
        let views: BTreeSet<&str> = counts.iter().map(|count| count.view.as_str()).collect();
        let distinct = views.len() == counts.len();
        let value = Self { epoch, counts };
        (distinct && value.to_text() == text).then_some(value)
    }

    /// How many of the rows that `claim` counts are not here; `None` where all are, or nothing can be said.
    pub(super) fn count_missing_rows(stored: Option<&Self>, claim: &PartitionClaim) -> Option<u64> {
        let missing = claim.row_counts.iter().map(|count| match stored {
            None => count.rows,
            Some(stored) => {
                let known = stored.counts.iter().find(|known| known.view == count.view);
                let known = known.filter(|known| known.beginning == count.beginning);
                known.map_or(0, |known| count.rows.saturating_sub(known.rows))
            }
        });
        Some(missing.sum()).filter(|rows| *rows > 0)
    }

    /// What `claim` makes of the value found; the owner's epoch where it is not smaller than the claim's.
    pub(super) fn apply_claim(stored: Option<&Self>, claim: &PartitionClaim) -> Result<Self, Epoch> {
        if let Some(stored) = stored.filter(|stored| stored.epoch >= claim.epoch) {
            return Err(stored.epoch);
        }
        let mut counts = claim.row_counts.clone();
        for count in &mut counts {
            let known = stored.and_then(|stored| stored.counts.iter().find(|known| known.view == count.view));
            if let Some(known) = known.filter(|known| known.beginning == count.beginning) {
                count.rows = count.rows.max(known.rows);
            }
        }
        Ok(Self { epoch: claim.epoch, counts })
    }
}

/// `key` holds something that Windrow cannot have written.
pub(super) fn unreadable_fence(key: &str, found: &str) -> RedisFault {
    RedisFault::Unusable(format!(
        "the key {key} should say who owns a partition and which rows are written, but this version of Windrow cannot \
         read it: {found}. Make sure that no other Windrow runs on this pipeline and group, delete that key, and start again"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(view: &str, beginning: u64, rows: u64) -> ViewRowCount {
        ViewRowCount { view: view.to_owned(), beginning, rows }
    }

    #[test]
    fn keys_of_different_jobs_differ() {
        let key = |pipeline, group| FenceKeys::new(pipeline, group).key_of(7);
        assert_eq!(
            key("ecommerce", "feature-engineering-group"),
            "windrow:fence:ecommerce:feature-engineering-group:7"
        );
        assert_eq!(key("a", "b:c 한\n%"), "windrow:fence:a:b%3Ac%20%ED%95%9C%0A%25:7");
        assert_ne!(key("a", "b:c"), key("a:b", "c"));
        assert!(is_fence_key(key("a", "b").as_bytes()) && !is_fence_key(b"windrow:"));
    }

    #[test]
    fn a_value_is_read_back_and_has_one_spelling() {
        let value = FenceValue { epoch: 57, counts: vec![count("user_features", 12, 3456), count("a b=c:d", 1, 0)] };
        assert_eq!(value.to_text(), "1 epoch=57 user_features=12:3456 a%20b%3Dc%3Ad=1:0");
        assert_eq!(FenceValue::parse(value.to_text().as_bytes()), Some(value));
        assert_eq!(FenceValue::parse(b"1 epoch=0"), Some(FenceValue { epoch: 0, counts: Vec::new() }));
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

    #[test]
    fn a_claim_keeps_what_was_counted_since_the_same_epoch() {
        let stored = FenceValue { epoch: 5, counts: vec![count("a", 1, 10), count("b", 1, 10), count("gone", 1, 10)] };
        let counts = vec![count("b", 4, 3), count("new", 6, 0), count("a", 1, 7)];
        let mut claim = PartitionClaim { partition: 0, epoch: 6, row_counts: counts };
        let granted = FenceValue::apply_claim(Some(&stored), &claim).expect("newer");
        assert_eq!(granted.counts, [count("b", 4, 3), count("new", 6, 0), count("a", 1, 10)]);
        assert_eq!(FenceValue::apply_claim(None, &claim).expect("nobody's").counts, claim.row_counts);
        for epoch in [4, 5] {
            claim.epoch = epoch;
            assert_eq!(FenceValue::apply_claim(Some(&stored), &claim), Err(5));
        }
    }
}
