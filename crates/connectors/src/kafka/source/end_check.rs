//! Asks Kafka where partitions end, so that the worker can tell an idle partition from one whose records do not arrive.
//!
//! Owns: a thread that asks, because a broker may answer late or never. Does not own: how far the partitions have been read.
//! Invariant: the end offsets include records of open transactions. A partition with an open transaction was not read to its
//! end.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;

use tracing::warn;
use windrow_engine::{Partition, PartitionOffsets};

use crate::kafka::topic::monitor::TopicMonitor;

/// The source's side of the thread. The thread ends when this value is dropped, and after its last question.
#[derive(Debug)]
pub(super) struct EndCheck {
    questions: Sender<Vec<Partition>>,
    answers: Receiver<PartitionOffsets>,
}

impl EndCheck {
    /// Starts the thread. Returns `None` if the operating system refuses a thread.
    pub(super) fn start(topic_monitor: Arc<TopicMonitor>) -> Option<Self> {
        let (questions, next_question) = channel::<Vec<Partition>>();
        let (answer, answers) = channel();
        let run = move || {
            while let Ok(partitions) = next_question.recv() {
                if answer.send(topic_monitor.fetch_log_end_offsets(&partitions)).is_err() {
                    return;
                }
            }
        };
        match thread::Builder::new().name("end-offsets".to_owned()).spawn(run) {
            Ok(_) => Some(Self { questions, answers }),
            Err(error) => {
                warn!(%error, "no thread can be started that finds idle partitions");
                None
            }
        }
    }

    pub(super) fn ask(&self, partitions: &[Partition]) {
        // The thread ends only after this value is dropped, or by a panic. Then there is no answer.
        drop(self.questions.send(partitions.to_vec()));
    }

    /// Returns the answer to the last question; `None` while there is none. Partitions whose leader does not answer are not
    /// in it.
    pub(super) fn take_answer(&self) -> Option<PartitionOffsets> {
        match self.answers.try_recv() {
            Ok(ends) => Some(ends),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(PartitionOffsets::new()),
        }
    }
}
