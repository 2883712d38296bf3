//! What must be true in the end: the rows in Redis, and the dead letters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::records::ProducerFlaw;
use crate::support::kafka::{ConsumedRecord, TestKafka};
use crate::support::redis::RowsByKey;
use crate::support::rows::last_row_per_key;
use crate::support::windrow::{run_replay_with_dead_letters, telling_pipeline};

/// A partition and an offset of the topic.
type RecordPosition = (i32, usize);

/// What a run without faults gives.
#[derive(Default)]
pub(crate) struct ExpectedOutcome {
    pub(crate) rows: RowsByKey,
    pub(crate) late_events: usize,
    refused: BTreeMap<RecordPosition, RefusedRecord>,
}

/// A record that must become a dead letter.
struct RefusedRecord {
    record: ConsumedRecord,
    /// A part of the reason.
    reason: String,
}

impl ExpectedOutcome {
    /// Reads `topic`, and replays the records of each partition that its producers sent without a flaw.
    pub(crate) fn compute(kafka: &TestKafka, topic: &str, partitions: i32, folder: &Path) -> Self {
        let mut expected = Self::default();
        for partition in 0..partitions {
            expected.add_partition(partition, &kafka.read_partition(topic, partition), folder);
        }
        // The job still runs, so nothing closes the windows of the last events.
        expected.rows.retain(|key, _| !key.contains(":closing"));
        expected
    }

    fn add_partition(&mut self, partition: i32, records: &[ConsumedRecord], folder: &Path) {
        let (mut lines, mut offsets) = (Vec::new(), Vec::new());
        for (offset, record) in records.iter().enumerate() {
            if let Some(flaw) = ProducerFlaw::read_from(record) {
                self.add_refused((partition, offset), record, flaw.expected_reason());
            } else {
                offsets.push(offset);
                lines.push(record.payload.clone().expect("only tombstones have no value"));
            }
        }
        let path = folder.join(format!("refused-{partition}.jsonl"));
        let rows = run_replay_with_dead_letters(&telling_pipeline(), &lines, &path);
        self.rows.extend(last_row_per_key(rows.lines()));
        self.late_events += rows.lines().filter(|line| line.contains("\"late\":true")).count();
        for letter in std::fs::read_to_string(&path).expect("the dead letters of the replay").lines() {
            let letter: Value = serde_json::from_str(letter).expect("a dead letter");
            let line = letter["offset"].as_u64().and_then(|line| usize::try_from(line).ok()).expect("a line");
            let offset = offsets[line];
            self.add_refused((partition, offset), &records[offset], letter["reason"].as_str().expect("a reason"));
        }
    }

    fn add_refused(&mut self, position: RecordPosition, record: &ConsumedRecord, reason: &str) {
        let earlier =
            self.refused.insert(position, RefusedRecord { record: record.clone(), reason: reason.to_owned() });
        assert!(earlier.is_none(), "the record at {position:?} is refused twice");
    }

    /// Asserts that `topic` has each refused record at least once, and no other. Returns how many dead letters there are.
    pub(crate) fn assert_dead_letters(&self, kafka: &TestKafka, topic: &str) -> usize {
        let letters = kafka.read_partition(topic, 0);
        let mut found = BTreeSet::new();
        for letter in &letters {
            let headers = letter.headers_as_text();
            let number = |name: &str| -> usize { headers[name].parse().expect("a number") };
            let partition = i32::try_from(number("windrow.partition")).expect("a partition");
            let position = (partition, number("windrow.offset"));
            let refused = self.refused.get(&position).unwrap_or_else(|| panic!("not refused: {position:?} {letter:?}"));
            assert_eq!(letter.payload, refused.record.payload, "{position:?} {headers:?}");
            assert_eq!(letter.key, refused.record.key, "{position:?} {headers:?}");
            assert!(headers["windrow.reason"].contains(&refused.reason), "{position:?} {headers:?} {}", refused.reason);
            found.insert(position);
        }
        let missing: Vec<_> = self.refused.keys().filter(|position| !found.contains(position)).collect();
        assert!(
            missing.is_empty(),
            "of {} dead letters {} are missing: {missing:?}",
            self.refused.len(),
            missing.len()
        );
        letters.len()
    }

    /// Returns the number of records that must become dead letters.
    pub(crate) fn refused_count(&self) -> usize {
        self.refused.len()
    }
}
