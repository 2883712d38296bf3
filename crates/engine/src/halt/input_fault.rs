//! Halts that the input causes: records without keys, records that the source has deleted or lost, and topics that are
//! missing or changed.

use std::sync::Arc;

use super::error_chain::SharedError;
use super::service_fault::ServiceAddress;
use crate::checkpoint::manifest::CheckpointId;
use crate::identifiers::{Offset, Partition};

/// The reason why a job cannot read or process its input.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InputFault {
    /// Most of the first records of a partition have no key or an empty one, but the topic has several partitions. So the
    /// events of one entity may be in several partitions.
    #[error(
        "most of the first records of partition {partition} have no key{} ({keyless_record_count}, the last at offset \
         {offset}), but topic `{topic}` has several partitions. Without keys, the events of one entity are spread over all \
         partitions, and each window counts only some of them",
        if *empty_key_count == 0 { "" } else { " or an empty one" }
    )]
    RecordsWithoutKeys {
        /// The topic.
        topic: Arc<str>,
        /// The partition of the records.
        partition: Partition,
        /// The offset of the record at which the job halts.
        offset: Offset,
        /// The number of records without a key that the worker has read from the partition. An empty key counts as none.
        keyless_record_count: u64,
        /// The number of those that have an empty key.
        empty_key_count: u64,
        /// The event field that the record key should hold.
        key_field: String,
    },
    /// The topic does not exist.
    #[error("topic `{topic}` does not exist on {service}")]
    UnknownTopic {
        /// The topic.
        topic: String,
        /// The source in which the topic should exist.
        service: ServiceAddress,
        /// The topics that exist; empty if the source did not list them.
        existing_topics: Vec<String>,
    },
    /// A record is not in the partition of its entity, and the pipeline demands a halt.
    #[error("{0}")]
    MisplacedRecord(Box<MisplacedInputRecord>),
    /// The topic does not exist, and Windrow could not create it.
    #[error("topic `{topic}` does not exist on {service} and could not be created")]
    TopicNotCreated {
        /// The topic.
        topic: String,
        /// The source in which the topic should exist.
        service: ServiceAddress,
        /// The error of creating the topic.
        source: SharedError,
    },
    /// The topic was deleted while the job ran.
    #[error("topic `{topic}` was deleted while the job ran. The rows that are already written stay in the row store")]
    TopicDeleted {
        /// The topic.
        topic: String,
    },
    /// The address of the source cannot be used.
    #[error("the address of {service} cannot be used")]
    InvalidEndpoint {
        /// The source, with its configured address.
        service: ServiceAddress,
        /// The reason why the address cannot be used.
        source: SharedError,
    },
    /// A file or a stream cannot be read.
    #[error("cannot read {input}")]
    Unreadable {
        /// The name of the file or stream.
        input: String,
        /// The error of reading the file or stream.
        source: SharedError,
    },
    /// The job must read the input again from another position, but the input can be read only once, from beginning to
    /// end.
    #[error("{input} can be read only once, from beginning to end")]
    NotSeekable {
        /// The name of the file or stream.
        input: String,
    },
}

/// A record that is not in the partition of its entity.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the record at offset {offset} of partition {partition} of topic `{topic}` is misplaced: {key_field} `{entity_key}` \
     belongs in partition {expected_partition}, because {cause} (this record has the key `{record_key}`). The events of one \
     entity are spread over partitions, and each window counts only some of them"
)]
pub struct MisplacedInputRecord {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition of the record.
    pub partition: Partition,
    /// The offset of the record.
    pub offset: Offset,
    /// The first characters of the record key.
    pub record_key: String,
    /// The first characters of the entity key.
    pub entity_key: String,
    /// The event field that holds the entity key.
    pub key_field: String,
    /// The partition in which the record belongs.
    pub expected_partition: Partition,
    /// Why the record belongs in another partition.
    pub cause: String,
}

/// An offset at which a job must continue, but at which the source holds no record any more.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", self.describe_loss())]
pub struct LostOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: Partition,
    /// The offset at which the job must continue.
    pub lost_offset: Offset,
    /// The offset of the oldest record that the source still holds.
    pub first_kept_offset: Offset,
    /// The offset after the newest record that the source holds. If the source is known to hold other records than those
    /// that were read, the offset of the first of them.
    pub end_offset: Offset,
}

impl LostOffset {
    /// Returns whether the source has lost records that were already read.
    #[must_use]
    pub const fn has_lost_read_records(&self) -> bool {
        self.lost_offset > self.end_offset
    }

    fn describe_loss(&self) -> String {
        let Self { topic, partition, lost_offset: offset, first_kept_offset: first, end_offset: end } = self;
        if offset < first {
            format!(
                "partition {partition} of topic `{topic}` no longer holds offset {offset}, at which reading continues: the \
                 first offset kept is {first}, so {} records were deleted unread",
                first - offset
            )
        } else {
            format!(
                "reading was to continue at offset {offset} of partition {partition} of topic `{topic}`, but of the records \
                 that were already read, the partition holds only those before offset {end}. The source has lost the others, \
                 and may hold new records in their place. The first offset kept is {first}"
            )
        }
    }
}

/// A topic that was deleted and created again.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "topic `{topic}` was deleted and created again{} (its id was {known_topic_id} and is {found_topic_id}). Its \
     offsets now identify other records",
    format_since_checkpoint(self.known_from_checkpoint.as_deref())
)]
pub struct RecreatedTopic {
    /// The topic.
    pub topic: String,
    /// The topic id that the job expects, because a checkpoint or an earlier answer of the source contains it.
    pub known_topic_id: String,
    /// The topic id that the source returns now.
    pub found_topic_id: String,
    /// The checkpoint that contains `known_topic_id`; `None` if the job got this id from the source when the job
    /// started.
    pub known_from_checkpoint: Option<Box<CheckpointPlace>>,
}

/// A topic that has more partitions than before.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "topic `{topic}` has {found_partition_count} partitions, but had {known_partition_count}{}. Keys have moved between \
     partitions, so windows that were open then would count only some of an entity's events",
    format_at_checkpoint(self.known_from_checkpoint.as_deref())
)]
pub struct AddedPartitions {
    /// The topic.
    pub topic: String,
    /// The number of partitions that the topic had before.
    pub known_partition_count: Partition,
    /// The number of partitions that the topic has now.
    pub found_partition_count: Partition,
    /// The checkpoint that contains `known_partition_count`; `None` if the job got this number from the source when the
    /// job started.
    pub known_from_checkpoint: Option<Box<CheckpointPlace>>,
}

/// A checkpoint, its partition, and its checkpoint store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointPlace {
    /// The id of the checkpoint.
    pub checkpoint_id: CheckpointId,
    /// The partition of the checkpoint.
    pub partition: Partition,
    /// The path or URL of the checkpoint store.
    pub store_place: String,
}

fn format_since_checkpoint(checkpoint: Option<&CheckpointPlace>) -> String {
    checkpoint.map_or_else(String::new, |CheckpointPlace { checkpoint_id, partition, .. }| {
        format!(" since checkpoint {checkpoint_id} of partition {partition}")
    })
}

fn format_at_checkpoint(checkpoint: Option<&CheckpointPlace>) -> String {
    checkpoint.map_or_else(String::new, |CheckpointPlace { checkpoint_id, partition, .. }| {
        format!(" at checkpoint {checkpoint_id} of partition {partition}")
    })
}
