//! Halts that the output causes: rows, dead letters or events that cannot be written.

use std::path::PathBuf;
use std::sync::Arc;

use super::error_chain::{SharedError, join_numbers};
use super::service_fault::ServiceAddress;
use crate::RejectedContent;
use crate::identifiers::Partition;

/// The reason why rows, dead letters or events cannot be written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OutputFault {
    /// The file or stream that receives the rows cannot be written.
    #[error("cannot write {output}")]
    Unwritable {
        /// The name of the file or stream.
        output: String,
        /// The error of the write.
        source: SharedError,
    },
    /// The file for dead letters or late events cannot be opened.
    #[error("cannot open the file for {}, {}", content.noun(), path.display())]
    RejectFileNotOpened {
        /// What the file stores.
        content: RejectedContent,
        /// The path of the file.
        path: PathBuf,
        /// The error of opening the file.
        source: SharedError,
    },
    /// The file for dead letters or late events cannot be written.
    #[error("cannot write the file for {}, {}", content.noun(), path.display())]
    RejectFileUnwritable {
        /// What the file stores.
        content: RejectedContent,
        /// The path of the file.
        path: PathBuf,
        /// The error of the write.
        source: SharedError,
    },
    /// Dead letters or late events cannot be written to their Kafka topic.
    #[error("cannot write {} to topic `{topic}`", content.noun())]
    RejectTopicUnwritable {
        /// What the topic stores.
        content: RejectedContent,
        /// The topic.
        topic: Arc<str>,
        /// The error of the send operation.
        source: SharedError,
    },
    /// Generated events cannot be written to a Kafka topic.
    #[error("cannot send events to topic `{topic}` on {service}")]
    TopicUnwritable {
        /// The topic.
        topic: String,
        /// The service that holds the topic.
        service: ServiceAddress,
        /// The error of the send operation.
        source: SharedError,
    },
    /// The thread that writes rows cannot be started.
    #[error("cannot start the thread that writes rows")]
    WriterNotStarted {
        /// The error of starting the thread.
        source: SharedError,
    },
    /// The thread that writes rows ended unexpectedly. This is a bug in Windrow.
    #[error("the thread that writes rows ended unexpectedly; this is a bug in Windrow")]
    WriterBrokeDown,
    /// The worker used the sink in a way that the sink does not allow. This is a bug in Windrow.
    #[error("rows cannot be written because of a bug in Windrow")]
    WriterBug {
        /// The error that the sink reported.
        source: SharedError,
    },
    /// The input has ended, but some partitions were not processed to their last record.
    #[error(
        "the input has ended, but these partitions were not processed to their end: {}. The row store lost rows that it \
         had acknowledged, or another process claimed a partition",
        join_numbers(partitions)
    )]
    UnfinishedPartitions {
        /// The numbers of the partitions that were not processed to their last record.
        partitions: Vec<Partition>,
    },
}
