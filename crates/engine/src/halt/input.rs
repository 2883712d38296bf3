//! Halts because of the input.

use std::sync::Arc;

use super::parts::SharedError;
use super::service::ServiceAddress;
use crate::checkpoint::manifest::CheckpointId;
use crate::identifiers::{Offset, Partition};

/// Why the input cannot be used as it is.
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
        /// The record's partition.
        partition: Partition,
        /// The record's offset.
        offset: Offset,
        /// The event's field that the record key should hold.
        key_field: String,
    },
    /// The topic does not exist, and could not be created.
    #[error("topic `{topic}` does not exist on {service} and could not be created")]
    TopicNotCreated {
        /// The topic.
        topic: String,
        /// The source.
        service: ServiceAddress,
        /// Why it could not be created.
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
        /// The source, with the address as configured.
        service: ServiceAddress,
        /// Why.
        source: SharedError,
    },
    /// A file or a stream cannot be read.
    #[error("cannot read {input}")]
    Unreadable {
        /// The name of the file or stream.
        input: String,
        /// Why.
        source: SharedError,
    },
    /// The input can be read only once, from its beginning to its end.
    #[error("{input} can only be read from its beginning to its end")]
    NotSeekable {
        /// The name of the file or stream.
        input: String,
    },
}

/// An offset that reading should continue at, and that the source no longer holds.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", self.describe())]
pub struct LostOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: Partition,
    /// The offset that reading should continue at.
    pub offset: Offset,
    /// The first offset that the source still holds.
    pub first: Offset,
    /// The offset behind the last record that the source holds.
    pub end: Offset,
}

impl LostOffset {
    fn describe(&self) -> String {
        let Self { topic, partition, offset, first, end } = self;
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
    /// The id that the job knows.
    pub known_id: String,
    /// The id that the source reports now.
    pub found_id: String,
    /// The checkpoint that knows the former id; `None` where the job itself saw it.
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
    /// How many partitions the job knows.
    pub known: Partition,
    /// How many there are.
    pub found: Partition,
    /// The checkpoint that knows the former number; `None` where the job itself saw it.
    pub checkpoint: Option<Box<CheckpointPlace>>,
}

/// A checkpoint of a partition, and where it lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointPlace {
    /// The checkpoint.
    pub id: CheckpointId,
    /// Its partition.
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
