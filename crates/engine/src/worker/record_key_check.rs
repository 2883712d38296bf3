//! What a worker does with records that have no key, and with misplaced records.

use std::fmt::Write;
use std::sync::Arc;

use windrow_core::text::truncate_with_ellipsis;
use windrow_core::{EventTime, MisplacedRecordPolicy};

use super::event_recorder::WorkerEventRecorder;
use crate::halt::{InputFault, MisplacedInputRecord};
use crate::record_key::{MisplacedRecord, Misplacement, MisplacementDetector};
use crate::{Halt, JobDefinition, Partition, SourceRecord};

/// The number of records of a partition within which most records must have keys.
const FIRST_RECORD_COUNT: u64 = 1_000;
/// The number of characters that messages show of a key.
const MAX_SHOWN_KEY_CHARS: usize = 100;

/// The checks of the record keys of one partition.
#[derive(Debug)]
pub(super) struct RecordKeyCheck {
    misplacement_detector: MisplacementDetector,
    /// The number of events without a record key among the first records.
    keyless_event_count: u64,
    /// Whether the first records of the partition may halt the job.
    is_new_partition: bool,
}

/// Whether an event may be processed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum RecordKeyOutcome {
    Accepted,
    /// The record is a dead letter.
    Refused {
        reason: String,
    },
}

impl RecordKeyCheck {
    /// Creates the checks of a partition. `restored_watermark` is the watermark of the state that the partition
    /// continues from. If there is one, the partition has had records with keys, and no later record halts the job:
    /// otherwise some records of one faulty producer would halt each process that opens the partition.
    pub(super) fn new(partition: Partition, restored_watermark: Option<EventTime>) -> Self {
        Self {
            misplacement_detector: MisplacementDetector::new(partition),
            keyless_event_count: 0,
            is_new_partition: restored_watermark.is_none(),
        }
    }

    /// Checks the key of the record that holds an event of `entity_key`. `earlier_record_count` is the number of records
    /// of the partition that the worker has processed before.
    ///
    /// # Errors
    /// When most of the first records have no key, and when the pipeline demands a halt for a misplaced record.
    #[inline]
    pub(super) fn check_record_key(
        &mut self,
        job: &JobDefinition,
        recorder: &mut WorkerEventRecorder,
        record: &SourceRecord<'_>,
        entity_key: &str,
        earlier_record_count: u64,
    ) -> Result<RecordKeyOutcome, Halt> {
        let rules = &job.record_placement;
        if !rules.requires_record_keys() {
            return Ok(RecordKeyOutcome::Accepted);
        }
        let Some(record_key) = record.key else {
            return self.refuse_record_without_key(job, record, earlier_record_count);
        };
        match self.misplacement_detector.find_misplacement(rules, &job.sip_hash_key, record_key, entity_key) {
            None => Ok(RecordKeyOutcome::Accepted),
            Some(misplacement) => {
                let misplaced = MisplacedRecord {
                    record_key: format_key(record_key),
                    entity_key: format_key(entity_key.as_bytes()),
                    key_field: job.schema.entity_key_name().to_owned(),
                    misplacement,
                };
                apply_misplaced_policy(job, recorder, record, &misplaced)
            }
        }
    }

    #[cold]
    fn refuse_record_without_key(
        &mut self,
        job: &JobDefinition,
        record: &SourceRecord<'_>,
        earlier_record_count: u64,
    ) -> Result<RecordKeyOutcome, Halt> {
        if self.is_new_partition && earlier_record_count < FIRST_RECORD_COUNT {
            self.keyless_event_count += 1;
            if self.keyless_event_count > FIRST_RECORD_COUNT / 2 {
                return Err(InputFault::RecordsWithoutKeys {
                    topic: Arc::clone(&job.topic),
                    partition: record.partition,
                    offset: record.offset,
                    keyless_record_count: self.keyless_event_count,
                    key_field: job.schema.entity_key_name().to_owned(),
                }
                .into());
            }
        }
        let reason = format!(
            "the record has no key; in a topic of several partitions, its key must be `{}`",
            job.schema.entity_key_name()
        );
        Ok(RecordKeyOutcome::Refused { reason })
    }
}

#[cold]
fn apply_misplaced_policy(
    job: &JobDefinition,
    recorder: &mut WorkerEventRecorder,
    record: &SourceRecord<'_>,
    misplaced: &MisplacedRecord,
) -> Result<RecordKeyOutcome, Halt> {
    recorder.record_misplaced_record(record, misplaced);
    let MisplacedRecord { record_key, entity_key, key_field, misplacement } = misplaced;
    let Misplacement { expected_partition, cause } = misplacement;
    match job.record_placement.misplaced_policy {
        MisplacedRecordPolicy::Warn => Ok(RecordKeyOutcome::Accepted),
        MisplacedRecordPolicy::DeadLetter => Ok(RecordKeyOutcome::Refused {
            reason: format!(
                "misplaced: {key_field} `{entity_key}` belongs in partition {expected_partition}, because {cause}"
            ),
        }),
        MisplacedRecordPolicy::Halt => Err(InputFault::MisplacedRecord(Box::new(MisplacedInputRecord {
            topic: Arc::clone(&job.topic),
            partition: record.partition,
            offset: record.offset,
            record_key: record_key.clone(),
            entity_key: entity_key.clone(),
            key_field: key_field.clone(),
            expected_partition: *expected_partition,
            cause: cause.to_string(),
        }))
        .into()),
    }
}

/// Returns a record key or an entity key as text. Escapes control characters, and all bytes that are not ASCII if the key
/// is not UTF-8.
fn format_key(key: &[u8]) -> String {
    let mut text = String::new();
    match std::str::from_utf8(key) {
        Ok(valid) => {
            for character in valid.chars().take(MAX_SHOWN_KEY_CHARS + 1) {
                if character.is_control() {
                    text.extend(character.escape_default());
                } else {
                    text.push(character);
                }
            }
        }
        Err(_) => {
            let first_bytes = &key[..key.len().min(MAX_SHOWN_KEY_CHARS)];
            let _ = write!(text, "{}", first_bytes.escape_ascii());
        }
    }
    truncate_with_ellipsis(&text, MAX_SHOWN_KEY_CHARS).into_owned()
}
