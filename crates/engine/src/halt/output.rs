//! Halts because of the output.

use std::path::PathBuf;
use std::sync::Arc;

use super::parts::{SharedError, join_numbers};
use super::service::ServiceAddress;
use crate::identifiers::Partition;

/// Why the output cannot be written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OutputFault {
    /// A file or a stream of rows cannot be written.
    #[error("cannot write {output}")]
    Unwritable {
        /// The name of the file or stream.
        output: String,
        /// Why.
        source: SharedError,
    },
    /// A file of dead letters cannot be opened.
    #[error("cannot open the dead-letter file {}", path.display())]
    DeadLetterFileNotOpened {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SharedError,
    },
    /// A file of dead letters cannot be written.
    #[error("cannot write the dead-letter file {}", path.display())]
    DeadLetterFileUnwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SharedError,
    },
    /// A topic does not take dead letters.
    #[error("cannot keep dead letters in topic `{topic}`")]
    DeadLetterTopicUnwritable {
        /// The topic.
        topic: Arc<str>,
        /// Why.
        source: SharedError,
    },
    /// A topic does not take events.
    #[error("cannot send to topic `{topic}` on {service}")]
    TopicUnwritable {
        /// The topic.
        topic: String,
        /// Where the topic is.
        service: ServiceAddress,
        /// Why.
        source: SharedError,
    },
    /// The thread that writes rows cannot be started.
    #[error("the thread that writes rows cannot be started")]
    WriterNotStarted {
        /// Why.
        source: SharedError,
    },
    /// The thread that writes rows broke down: a bug.
    #[error("the thread that writes rows broke down; this is a bug in Windrow")]
    WriterBrokeDown,
    /// The sink was used in a way that it does not allow: a bug.
    #[error("rows cannot be written because of a bug in Windrow")]
    WriterBug {
        /// What the sink reported.
        source: SharedError,
    },
    /// The bounded input has ended, but not all of it was computed.
    #[error(
        "the input has ended, but not for partition {}: the store of rows has lost some that it had acknowledged, or \
         another process has claimed a partition",
        join_numbers(partitions)
    )]
    UnfinishedPartitions {
        /// The partitions whose input was not computed to its end.
        partitions: Vec<Partition>,
    },
}
