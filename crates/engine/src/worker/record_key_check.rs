//! What a worker does with records that have no key, and with misplaced records.

use std::sync::Arc;

use windrow_core::{EventTime, MisplacedRecordPolicy};

use super::event_recorder::WorkerEventRecorder;
use super::key_text::format_key;
use crate::halt::{InputFault, MisplacedInputRecord};
use crate::record_key::{MisplacedRecord, Misplacement, MisplacementDetector};
use crate::{Halt, JobDefinition, Partition, SourceRecord};

/// The number of records of a partition within which most records must have keys.
const FIRST_RECORD_COUNT: u64 = 1_000;

/// The checks of the record keys of one partition.
#[derive(Debug)]
pub(super) struct RecordKeyCheck {
    misplacement_detector: MisplacementDetector,
    /// The number of events without a record key among the first records. An empty key counts as none.
    keyless_event_count: u64,
    /// The number of those with an empty record key.
    empty_key_event_count: u64,
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
            empty_key_event_count: 0,
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
        // An empty key says nothing about the entity, like a missing one. librdkafka's default partitioner sends records
        // with an empty key to any partition.
        let Some(record_key) = record.key.filter(|key| !key.is_empty() || entity_key.is_empty()) else {
            return self.refuse_record_without_key(job, record, earlier_record_count);
        };
        match self.misplacement_detector.find_misplacement(rules, &job.sip_hash_key, record_key, entity_key) {
            None => Ok(RecordKeyOutcome::Accepted),
            Some(misplacement) => {
                let key_field = job.schema.entity_key_name();
                let misplaced =
                    MisplacedRecord { source_record: record, record_key, entity_key, key_field, misplacement };
                apply_misplaced_policy(job, recorder, &misplaced)
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
            self.empty_key_event_count += u64::from(record.key.is_some());
            if self.keyless_event_count > FIRST_RECORD_COUNT / 2 {
                return Err(InputFault::RecordsWithoutKeys {
                    topic: Arc::clone(&job.topic),
                    partition: record.partition,
                    offset: record.offset,
                    keyless_record_count: self.keyless_event_count,
                    empty_key_count: self.empty_key_event_count,
                    key_field: job.schema.entity_key_name().to_owned(),
                }
                .into());
            }
        }
        let fault = if record.key.is_some() { "the record has an empty key" } else { "the record has no key" };
        let reason =
            format!("{fault}; in a topic of several partitions, its key must be `{}`", job.schema.entity_key_name());
        Ok(RecordKeyOutcome::Refused { reason })
    }
}

#[cold]
fn apply_misplaced_policy(
    job: &JobDefinition,
    recorder: &mut WorkerEventRecorder,
    misplaced: &MisplacedRecord<'_>,
) -> Result<RecordKeyOutcome, Halt> {
    recorder.record_misplaced_record(misplaced);
    let Misplacement { expected_partition, cause } = misplaced.misplacement;
    let entity_key = || format_key(misplaced.entity_key.as_bytes());
    match job.record_placement.misplaced_policy {
        MisplacedRecordPolicy::Warn => Ok(RecordKeyOutcome::Accepted),
        // A restart forgets the evidence. If evidence decided, the records of a crash would be processed the second time,
        // and rows would get other numbers.
        MisplacedRecordPolicy::DeadLetter if !cause.follows_from_record() => Ok(RecordKeyOutcome::Accepted),
        MisplacedRecordPolicy::DeadLetter => Ok(RecordKeyOutcome::Refused {
            reason: format!(
                "misplaced: {} `{}` belongs in partition {expected_partition}, because {cause}",
                misplaced.key_field,
                entity_key()
            ),
        }),
        MisplacedRecordPolicy::Halt => Err(InputFault::MisplacedRecord(Box::new(MisplacedInputRecord {
            topic: Arc::clone(&job.topic),
            partition: misplaced.source_record.partition,
            offset: misplaced.source_record.offset,
            record_key: format_key(misplaced.record_key),
            entity_key: entity_key(),
            key_field: misplaced.key_field.to_owned(),
            expected_partition,
            cause: cause.to_string(),
        }))
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use windrow_core::{EventSchema, Partitioner};

    use super::*;
    use crate::{DecodeRules, EventDecoder, ManualClock, RecordPlacementRules, WorkerMetrics};

    /// `bench/record_keys.sh` counts the instructions of this function.
    #[inline(never)] // so that profiles name it
    fn check_misplaced_record(
        check: &mut RecordKeyCheck,
        job: &JobDefinition,
        recorder: &mut WorkerEventRecorder,
        record: &SourceRecord<'_>,
        entity_key: &str,
    ) {
        let outcome = check.check_record_key(job, recorder, record, entity_key, 2_000);
        assert_eq!(outcome.expect("no halt"), RecordKeyOutcome::Accepted);
    }

    /// Messages are made only of the records that are shown, so a topic of misplaced records costs little more.
    #[test]
    fn a_hundred_thousand_misplaced_records() {
        let schema = EventSchema::new("user_id", []);
        let job = JobDefinition {
            views: Arc::new([]),
            decoder: EventDecoder::new(DecodeRules::new(schema.clone(), "at")),
            schema,
            max_out_of_orderness_ms: 0,
            clock_rules: crate::ClockRules::default(),
            topic: "events".into(),
            sip_hash_key: [0; 16],
            record_placement: RecordPlacementRules {
                partition_count: 8,
                declared_partitioner: Some(Partitioner::Murmur2),
                misplaced_policy: MisplacedRecordPolicy::Warn,
            },
        };
        let metrics = WorkerMetrics::new(0);
        let clock = Arc::new(ManualClock::starting_at(0));
        let mut recorder = WorkerEventRecorder::new(Arc::clone(&metrics), clock);
        let mut check = RecordKeyCheck::new(3, None);
        // Murmur2 places this user in another partition.
        let user = "user-1";
        for offset in 0..100_000 {
            let record = SourceRecord {
                partition: 3,
                offset,
                key: Some(user.as_bytes()),
                payload: None,
                timestamp_ms: None,
                leader_epoch: None,
                unreadable_reason: None,
            };
            check_misplaced_record(&mut check, &job, &mut recorder, &record, user);
        }
        assert_eq!(metrics.misplaced_records.get(), 100_000);
        assert_eq!(metrics.recent_events.input_problems().len(), 1);
    }
}
