//! The topic: partitions with records, as a broker keeps them.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use windrow_engine::{Offset, Partition};

/// A record as a producer has written it.
#[derive(Debug)]
pub(crate) struct ProducedRecord {
    pub(crate) key: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) timestamp_ms: i64,
}

/// The topic of a simulation.
#[derive(Debug)]
pub(crate) struct SimulatedTopic {
    pub(crate) topic_id: String,
    partitions: Mutex<BTreeMap<Partition, Vec<Arc<ProducedRecord>>>>,
}

impl SimulatedTopic {
    pub(crate) fn new(partition_count: Partition) -> Self {
        let partitions = (0..partition_count).map(|partition| (partition, Vec::new())).collect();
        Self { topic_id: "topic-1".to_owned(), partitions: Mutex::new(partitions) }
    }

    /// Appends a record to `partition`, and returns it.
    pub(crate) fn append_record(
        &self,
        partition: Partition,
        key: &str,
        payload: Vec<u8>,
        timestamp_ms: i64,
    ) -> Arc<ProducedRecord> {
        let mut partitions = self.partitions.lock();
        let records = partitions.entry(partition).or_default();
        let record = Arc::new(ProducedRecord { key: key.as_bytes().to_vec(), payload, timestamp_ms });
        records.push(Arc::clone(&record));
        record
    }

    /// Returns the record at `offset` of `partition`; `None` at the end of the partition.
    pub(crate) fn read_record(&self, partition: Partition, offset: Offset) -> Option<Arc<ProducedRecord>> {
        self.partitions.lock().get(&partition)?.get(usize::try_from(offset).ok()?).cloned()
    }

    /// Returns the offset after the newest record of `partition`.
    pub(crate) fn end_offset(&self, partition: Partition) -> Offset {
        let length = self.partitions.lock().get(&partition).map_or(0, Vec::len);
        Offset::try_from(length).unwrap_or(Offset::MAX)
    }
}
