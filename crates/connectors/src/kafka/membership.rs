//! What the consumer group decides about one member, kept until its worker has time for it.
//!
//! librdkafka announces a rebalance from inside a poll and then waits for the answer. The announcement is only noted
//! there; the worker answers it between two polls, when it can write rows and commit offsets first.
//! Invariant: every announcement is answered once, by the worker, or here once the consumer is closing.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use tracing::{debug, error, info, warn};
use windrow_engine::Partition;

use super::patience;

/// An announcement that waits for its answer.
#[derive(Debug)]
pub(super) enum Announcement {
    Assigned(Vec<Partition>),
    Revoked { partitions: Vec<Partition>, lost: bool },
}

/// One member's side of the consumer group.
#[derive(Debug, Default)]
pub(super) struct Membership {
    announcements: Mutex<VecDeque<Announcement>>,
    closing: AtomicBool,
}

impl Membership {
    /// The oldest announcement without an answer.
    pub(super) fn next(&self) -> Option<Announcement> {
        self.announcements.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// From now on, partitions are given up as soon as the group asks for them.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    fn announce(&self, announcement: Announcement) {
        self.announcements.lock().unwrap_or_else(PoisonError::into_inner).push_back(announcement);
    }
}

/// How long leaving the group may take.
const LEAVE_PATIENCE: Duration = Duration::from_secs(4);

/// A consumer that leaves its group when dropped, and does not wait for ever where Kafka is not there to be told: the
/// group then misses it after the session timeout.
pub(super) struct Member(Option<Arc<BaseConsumer<Membership>>>);

impl Member {
    pub(super) fn new(consumer: BaseConsumer<Membership>) -> Self {
        Self(Some(Arc::new(consumer)))
    }

    /// For a call that may have to be given up.
    pub(super) fn share(&self) -> Arc<BaseConsumer<Membership>> {
        Arc::clone(self.consumer())
    }

    fn consumer(&self) -> &Arc<BaseConsumer<Membership>> {
        match &self.0 {
            Some(consumer) => consumer,
            None => unreachable!("the consumer is there until it is dropped"),
        }
    }
}

impl Deref for Member {
    type Target = BaseConsumer<Membership>;

    fn deref(&self) -> &Self::Target {
        self.consumer()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let consumer = self.0.take();
        if patience::within(LEAVE_PATIENCE, move || drop(consumer)).is_none() {
            warn!("left without telling the group, since Kafka is away");
        }
    }
}

impl ConsumerContext for Membership {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assigned = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Acquire) {
            let answered = if assigned || !matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative) {
                consumer.unassign()
            } else {
                consumer.incremental_unassign(list)
            };
            if let Err(error) = answered {
                error!(%error, "could not give partitions up while leaving the group");
            }
            return;
        }
        let partitions = list.elements().iter().map(|element| element.partition()).collect();
        self.announce(if assigned {
            Announcement::Assigned(partitions)
        } else {
            Announcement::Revoked { partitions, lost: consumer.assignment_lost() }
        });
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            warn!(%error, "offsets were not committed; the next commit covers them, at the latest the one at the end");
        }
    }
}

impl ClientContext for Membership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                error!(target: "librdkafka", facility, "{message}");
            }
            // What it calls an error is mostly a broker that is away, which is reported once by the source itself.
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => debug!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => info!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Debug => debug!(target: "librdkafka", facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(target: "librdkafka", %error, reason);
    }
}
