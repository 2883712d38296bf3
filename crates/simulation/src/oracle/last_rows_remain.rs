//! At the end each key has its last row, and each record that is not an event is a dead letter.

use windrow_engine::{Offset, Partition};

use super::expected_rows::ExpectedRow;
use super::fence_text::FENCE_KEY_PREFIX;
use super::{ADDED_VIEW_KEY_PREFIX, RowFields, RowOracle, printable, printable_fields};
use crate::redis_copies::RequiredCopies;
use crate::redis_keys::{StoredKeys, StoredValue};

impl RowOracle {
    /// Notes dead letters that are stored.
    pub(crate) fn observe_dead_letters(&mut self, records: Vec<(Partition, Offset)>, refused_row_count: u64) {
        self.counts.dead_letters += records.len() as u64;
        self.counts.refused_rows += refused_row_count;
        self.dead_letters.extend(records);
    }

    /// Returns a text for each key that does not have its last row, and counts the exempt keys.
    pub(crate) fn describe_differences(&mut self, keys: &StoredKeys) -> Vec<String> {
        let mut differences = Vec::new();
        let mut exempt_keys = 0;
        for (partition, offsets) in &self.malformed_records {
            let missing = offsets.iter().find(|offset| !self.dead_letters.contains(&(*partition, **offset)));
            differences.extend(missing.map(|offset| format!("record {offset} of {partition} is no dead letter")));
        }
        for (key, sequence) in &self.sequences {
            let Some(last) = sequence.last() else { continue };
            if self.occupied_keys.contains(key) {
                if matches!(keys.get(key), Some(StoredValue::Hash(_))) && self.counts.failovers == 0 {
                    differences.push(format!("the text at {} was replaced", printable(key)));
                }
                continue;
            }
            let found = match keys.get(key) {
                Some(StoredValue::Hash(row)) => Some(&row.fields),
                _ => None,
            };
            if self.restored_offsets.get(&last.partition).is_some_and(|offset| last.offset < *offset) {
                if let Some(found) = found {
                    differences.push(format!(
                        "{} is {}, a row from before the savepoint",
                        printable(key),
                        printable_fields(found)
                    ));
                }
                continue;
            }
            if found == Some(&last.fields) {
                continue;
            }
            if found.is_some_and(|found| self.is_left_row_of_lost_record(key, found, last))
                || (self.required_copies == RequiredCopies::None && self.is_exempt(last))
            {
                exempt_keys += 1;
                continue;
            }
            let found = found.map_or_else(|| "nothing".to_owned(), printable_fields);
            differences.push(format!(
                "{} must be {} (row {} of view {} of partition {}) and is {found}",
                printable(key),
                printable_fields(&last.fields),
                last.row_number,
                last.view,
                last.partition
            ));
        }
        self.counts.exempt_keys = exempt_keys;
        let is_known = |key: &Vec<u8>| {
            self.sequences.contains_key(key)
                || self.rows_of_lost_records.contains_key(key)
                || key.starts_with(ADDED_VIEW_KEY_PREFIX)
        };
        for key in keys.keys().filter(|key| !key.starts_with(FENCE_KEY_PREFIX) && !is_known(key)) {
            differences.push(format!("{} is extra", printable(key)));
        }
        differences
    }

    /// Returns whether `found`, the row at `key`, comes from a record that the topic has lost, and its replacement `row` is
    /// not written again, because a checkpoint counts it. Such a row stays until a later one replaces it (fault row 32).
    fn is_left_row_of_lost_record(&self, key: &[u8], found: &RowFields, row: &ExpectedRow) -> bool {
        let is_of_lost_record = self.rows_of_lost_records.get(key).is_some_and(|rows| rows.contains(found));
        let covered_offset = self.covered_offsets_at_loss.get(&row.partition);
        is_of_lost_record && covered_offset.is_some_and(|covered_offset| row.offset < *covered_offset)
    }
}
