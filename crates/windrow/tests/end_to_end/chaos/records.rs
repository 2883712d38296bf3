//! The records of a run: events, some of them late or malformed, and records that a faulty producer sends: without a key,
//! without a value, or in the partition of another user.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::seeded_random::SeededRandom;
use crate::support::expected::closing_event;
use crate::support::kafka::{ConsumedRecord, OutgoingRecord, TestKafka};
use crate::support::traffic::generate_events;

/// The header that tells the check what the producer did wrong. The job does not read it.
const FLAW_HEADER: &str = "flaw";

/// What a faulty producer did wrong. Each makes a record a dead letter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum ProducerFlaw {
    Keyless,
    Misplaced,
    Tombstone,
}

impl ProducerFlaw {
    const ALL: [Self; 3] = [Self::Keyless, Self::Misplaced, Self::Tombstone];

    fn name(self) -> &'static str {
        match self {
            Self::Keyless => "keyless",
            Self::Misplaced => "misplaced",
            Self::Tombstone => "tombstone",
        }
    }

    /// Returns a part of the reason of the dead letter.
    pub(crate) fn expected_reason(self) -> &'static str {
        match self {
            Self::Keyless => "the record has no key",
            Self::Misplaced => "misplaced",
            Self::Tombstone => "no value",
        }
    }

    /// Reads what a record's producer did wrong.
    pub(crate) fn read_from(record: &ConsumedRecord) -> Option<Self> {
        let name = record.headers.get(FLAW_HEADER)?.as_deref()?;
        Self::ALL.into_iter().find(|flaw| flaw.name().as_bytes() == name)
    }

    fn apply(self, record: &mut OutgoingRecord, partition: i32) {
        record.headers.push((FLAW_HEADER.to_owned(), Some(self.name().into())));
        match self {
            Self::Keyless => {
                record.partition = Some(partition);
                record.key = None;
            }
            Self::Misplaced => record.partition = Some(partition),
            Self::Tombstone => record.payload = None,
        }
    }
}

/// Generates `count` records for a topic of `partitions` partitions.
pub(crate) fn generate_records(
    kafka: &TestKafka,
    partitions: i32,
    count: usize,
    seed: u64,
    random: &mut SeededRandom,
) -> Vec<OutgoingRecord> {
    let mut records = generate_events(count, seed);
    let places = find_key_partitions(kafka, partitions, &records);
    let partition_count = u64::try_from(partitions).expect("positive");
    // A malformed record has a reason of its own.
    for record in records.iter_mut().filter(|record| is_event(record)) {
        let flaw = match random.between(0, 500) {
            0..5 => ProducerFlaw::Keyless,
            5..10 => ProducerFlaw::Misplaced,
            10 => ProducerFlaw::Tombstone,
            _ => continue,
        };
        let place = record.key.as_ref().map_or(0, |key| places[key]);
        let distance = i32::try_from(random.between(1, partition_count)).expect("small");
        flaw.apply(record, (place + distance) % partitions);
    }
    records
}

fn is_event(record: &OutgoingRecord) -> bool {
    let event: Value = serde_json::from_slice(record.payload.as_deref().unwrap_or_default()).unwrap_or_default();
    event["number"].is_number() && event["price"].is_number() && event["user_id"].is_string()
}

/// Generates one event for each partition, sent correctly, that closes all its windows.
pub(crate) fn generate_closing_events(kafka: &TestKafka, partitions: i32) -> Vec<OutgoingRecord> {
    let candidates: Vec<_> = (0..20 * partitions).map(|number| closing_event(&format!("closing{number}"))).collect();
    let places = find_key_partitions(kafka, partitions, &candidates);
    let event_in = |partition| {
        let is_placed = |event: &&OutgoingRecord| event.key.as_ref().is_some_and(|key| places[key] == partition);
        candidates.iter().find(is_placed).expect("a user of each partition").clone()
    };
    (0..partitions).map(event_in).collect()
}

/// Finds the partition of each key by sending one record with it to another topic.
fn find_key_partitions(kafka: &TestKafka, partitions: i32, records: &[OutgoingRecord]) -> BTreeMap<Vec<u8>, i32> {
    let mut by_key: BTreeMap<Vec<u8>, OutgoingRecord> = BTreeMap::new();
    for key in records.iter().filter_map(|record| record.key.as_ref()) {
        by_key.entry(key.clone()).or_insert_with(|| OutgoingRecord::default().with_key(key.clone()));
    }
    let topic = kafka.create_unique_topic(partitions, &[]);
    kafka.produce(&topic, &by_key.into_values().collect::<Vec<_>>());
    let keys_of = |partition| kafka.read_partition(&topic, partition).into_iter().filter_map(|record| record.key);
    let places = (0..partitions).flat_map(|partition| keys_of(partition).map(move |key| (key, partition))).collect();
    kafka.delete_topic(&topic);
    places
}
