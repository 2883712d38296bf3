//! Halts that the input causes.

use std::sync::Arc;

use super::parts::SharedError;
use super::service::ServiceAddress;
use crate::checkpoint::manifest::CheckpointId;
use crate::identifiers::{Offset, Partition};

/// The reason why the input cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InputFault {
    /// A record has no key, although the topic has several partitions.
    #[error(
        "the record at offset {offset} of partition {partition} has no key, but topic `{topic}` has several partitions: \
         without keys the events of one entity are spread over all of them, and every window would count only a part"
    )]
    RecordWithoutKey {
        /// The topic.
        topic: Arc<str>,
        /// The partition of the record.
        partition: Partition,
        /// The offset of the record.
        offset: Offset,
        /// The event field that the record key should hold.
        key_field: String,
    },
    /// The topic does not exist, and could not be created.
    #[error("topic `{topic}` does not exist on {service} and could not be created")]
    TopicNotCreated {
        /// The topic.
        topic: String,
        /// The source that should hold the topic.
        service: ServiceAddress,
        /// The error of the creation.
        source: SharedError,
    },
    /// The topic was deleted while the job ran.
    #[error(
        "topic `{topic}` does not exist any more: it was deleted while the job ran. What was computed stays in the store"
    )]
    TopicDeleted {
        /// The topic.
        topic: String,
    },
    /// The address of the source cannot be used.
    #[error("{service} cannot be used")]
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
        /// The error of the read.
        source: SharedError,
    },
    /// The input can be read only once, from beginning to end.
    #[error("{input} can only be read from its beginning to its end")]
    NotSeekable {
        /// The name of the file or stream.
        input: String,
    },
}

/// An offset at which reading should continue, but which the source no longer holds.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", self.describe_loss())]
pub struct LostOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: Partition,
    /// The offset at which reading should continue.
    pub offset: Offset,
    /// The first offset that the source still holds.
    pub first_kept_offset: Offset,
    /// The offset after the last record that the source holds.
    pub end_offset: Offset,
}

impl LostOffset {
    fn describe_loss(&self) -> String {
        let Self { topic, partition, offset, first_kept_offset: first, end_offset: end } = self;
        if offset < first {
            format!(
                "offset {offset}, where reading of partition {partition} continues, is no longer in topic `{topic}`: the \
                 first offset kept is {first}, so {} records were deleted unread",
                first - offset
            )
        } else {
            format!(
                "offset {offset}, where reading of partition {partition} continues, lies beyond the end of topic \
                 `{topic}` there ({end}): the source has lost records that were read already. The first offset kept is \
                 {first}"
            )
        }
    }
}

/// A topic that was deleted and created again.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "topic `{topic}` was deleted and created again{} (its id was {known_id} and is {found_id}): its offsets mean other \
     records now",
    since_checkpoint(self.checkpoint.as_deref())
)]
pub struct RecreatedTopic {
    /// The topic.
    pub topic: String,
    /// The topic id that the job knows.
    pub known_id: String,
    /// The topic id that the source reports now.
    pub found_id: String,
    /// The checkpoint that recorded the former id; `None` if the running job knew the former id.
    pub checkpoint: Option<Box<CheckpointPlace>>,
}

/// A topic that has more partitions than the job knows.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "topic `{topic}` has {found} partitions now, and had {known}{}: keys have moved between partitions, so windows that \
     were open then would count only a part of an entity's events",
    at_checkpoint(self.checkpoint.as_deref())
)]
pub struct AddedPartitions {
    /// The topic.
    pub topic: String,
    /// The number of partitions that the job knows.
    pub known: Partition,
    /// The number of partitions that the topic has now.
    pub found: Partition,
    /// The checkpoint that recorded the former number; `None` if the running job knew the former number.
    pub checkpoint: Option<Box<CheckpointPlace>>,
}

/// A checkpoint of a partition and the place of its store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointPlace {
    /// The id of the checkpoint.
    pub id: CheckpointId,
    /// The partition of the checkpoint.
    pub partition: Partition,
    /// The place of the checkpoint store.
    pub place: String,
}

fn since_checkpoint(checkpoint: Option<&CheckpointPlace>) -> String {
    checkpoint.map_or_else(String::new, |CheckpointPlace { id, partition, .. }| {
        format!(" since checkpoint {id} of partition {partition}")
    })
}

fn at_checkpoint(checkpoint: Option<&CheckpointPlace>) -> String {
    checkpoint.map_or_else(String::new, |CheckpointPlace { id, partition, .. }| {
        format!(" at checkpoint {id} of partition {partition}")
    })
}
