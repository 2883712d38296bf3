//! How far librdkafka has fetched each partition, from its statistics.
//!
//! The offset after the last record does not show whether a partition was read to its end: a transaction ends with a record
//! that only librdkafka sees. Its statistics tell the next offset to fetch, which lies behind such records.
//!
//! Owns: the newest statistics. Does not own: the question where a partition ends (`end_check`).
//! Invariant: an offset counts only if the consumer's queue was empty after the statistics had arrived. Earlier records were
//! in the queue before them.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use serde::Deserialize;
use windrow_engine::{Offset, Partition};

use crate::kafka::client_context::{log_client_error, log_librdkafka_line};

/// The statistics that are not trusted after reading of a partition has begun at another offset: they may be older.
const UNTRUSTED_STATISTICS_AFTER_START: u64 = 2;

/// The context of the consumer that reads records. Its callbacks write log lines, and keep the newest statistics.
#[derive(Default)]
pub(super) struct RecordConsumerContext {
    newest_statistics: Mutex<NumberedStatistics>,
}

/// Statistics of librdkafka as JSON text, and how many there were before.
#[derive(Clone, Default)]
pub(super) struct NumberedStatistics {
    number: u64,
    json: Arc<[u8]>,
}

impl ConsumerContext for RecordConsumerContext {}

impl ClientContext for RecordConsumerContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_librdkafka_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log_client_error(&error, reason);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        let mut newest = self.newest_statistics.lock();
        *newest = NumberedStatistics { number: newest.number + 1, json: statistics.into() };
    }
}

impl RecordConsumerContext {
    pub(super) fn newest_statistics(&self) -> NumberedStatistics {
        self.newest_statistics.lock().clone()
    }
}

/// How far the partitions of one consumer have been fetched.
#[derive(Default)]
pub(super) struct FetchStatistics {
    /// The newest statistics that had arrived when the consumer's queue was empty.
    at_empty_queue: NumberedStatistics,
    /// For each partition, the number of the newest statistics when reading began.
    number_at_start: BTreeMap<Partition, u64>,
}

impl FetchStatistics {
    /// Notes that the consumer's queue is empty, after `newest` had arrived.
    pub(super) fn note_empty_queue(&mut self, newest: NumberedStatistics) {
        self.at_empty_queue = newest;
    }

    /// Notes that reading of `partitions` begins, after `newest` had arrived.
    pub(super) fn note_start(&mut self, partitions: &[Partition], newest: &NumberedStatistics) {
        self.number_at_start.extend(partitions.iter().map(|&partition| (partition, newest.number)));
    }

    /// Returns, for each partition of `topic`, an offset before which all records have been delivered.
    pub(super) fn delivered_until(&self, topic: &str) -> BTreeMap<Partition, Offset> {
        let Ok(parsed) = serde_json::from_slice::<ClientStatistics<'_>>(&self.at_empty_queue.json) else {
            return BTreeMap::new();
        };
        let partitions = parsed.topics.into_iter().find(|(name, _)| name == topic);
        let partitions = partitions.map(|(_, topic)| topic.partitions).unwrap_or_default();
        let known = partitions.into_values().filter(|one| {
            let began_after = self.number_at_start.get(&one.partition).copied();
            one.fetchq_cnt == 0
                && began_after
                    .is_some_and(|began| self.at_empty_queue.number > began + UNTRUSTED_STATISTICS_AFTER_START)
        });
        known.map(|one| (one.partition, one.next_offset)).collect()
    }
}

#[derive(Deserialize)]
struct ClientStatistics<'a> {
    #[serde(borrow)]
    topics: BTreeMap<std::borrow::Cow<'a, str>, FetchedTopic>,
}

#[derive(Deserialize)]
struct FetchedTopic {
    partitions: BTreeMap<String, FetchedPartition>,
}

#[derive(Deserialize)]
struct FetchedPartition {
    partition: Partition,
    /// The number of records in the queue.
    fetchq_cnt: i64,
    /// Negative if unknown.
    next_offset: Offset,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics(number: u64, fetchq_cnt: i64, next_offset: Offset) -> NumberedStatistics {
        let partition = format!(
            "{{\"partition\": 3, \"fetchq_cnt\": {fetchq_cnt}, \"next_offset\": {next_offset}, \"fetch_state\": \"active\"}}"
        );
        let json = format!(
            "{{\"name\": \"c\", \"topics\": {{\"t\": {{\"topic\": \"t\", \"partitions\": {{\"3\": {partition}}}}}}}}}"
        );
        NumberedStatistics { number, json: json.into_bytes().into() }
    }

    #[test]
    fn statistics_from_before_the_start_and_of_queued_records_do_not_count() {
        let mut known = FetchStatistics::default();
        known.note_start(&[3], &statistics(5, 0, 90));
        for (arrived, delivered) in [
            (statistics(5, 0, 90), None),
            (statistics(7, 0, 90), None),
            (statistics(8, 2, 90), None),
            (statistics(8, 0, 90), Some(90)),
        ] {
            known.note_empty_queue(arrived);
            assert_eq!(known.delivered_until("t").get(&3).copied(), delivered);
        }
        assert!(known.delivered_until("other").is_empty());
        assert!(FetchStatistics::default().delivered_until("t").is_empty());
    }
}
