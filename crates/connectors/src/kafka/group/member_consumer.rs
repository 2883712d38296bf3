//! The consumer that joins the group for one worker, and the thread that polls it.

use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use tracing::warn;
use windrow_engine::Halt;
use windrow_engine::halt::SourceOperation;
use windrow_spec::{GroupProtocol, KafkaSourceSpec};

use super::leave;
use super::rebalance_events::{ConsumerEnd, RebalanceEventQueue};
use crate::kafka::bounded_close::{BoundedCloseConsumer, StepBeforeClose};
use crate::kafka::client_config;
use crate::kafka::halts::{build_refused_operation_halt, build_refused_settings_halt};

/// How long a member waits until its last consumer is closed. Usually this takes milliseconds. While Kafka is unreachable,
/// librdkafka may wait longer, for the answer to a commit. Two consumers with one static name then overlap. This harms
/// nothing: Kafka accepts no request of the older one.
const CLOSE_WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// A consumer of the group. When this value is dropped, the consumer leaves the group, unless it has a static member name,
/// and closes.
pub(super) struct MemberConsumer {
    consumer: BoundedCloseConsumer<RebalanceEventQueue>,
    poll_thread: Option<thread::JoinHandle<()>>,
}

impl MemberConsumer {
    /// Creates a consumer and begins to join the group.
    ///
    /// # Errors
    /// When librdkafka refuses the settings or the subscription.
    pub(super) fn begin_join(settings: &KafkaSourceSpec, static_member_name: Option<&str>) -> Result<Self, Halt> {
        let consumer: BaseConsumer<RebalanceEventQueue> =
            client_config::group_member_config(settings, static_member_name)
                .create_with_context(RebalanceEventQueue::default())
                .map_err(|error| build_refused_settings_halt(&settings.brokers, error))?;
        let step_before_close = match (&settings.group_protocol, static_member_name) {
            (GroupProtocol::Classic { .. }, None) => {
                Some(StepBeforeClose { run: leave::leave_group, timeout: leave::LEAVE_TIMEOUT })
            }
            // A static member does not leave the group, because it keeps its partitions while its process restarts. With
            // the group protocol `consumer`, the close itself makes librdkafka leave the group.
            (GroupProtocol::Classic { .. }, Some(_)) | (GroupProtocol::Consumer, _) => None,
        };
        let mut member = Self { consumer: BoundedCloseConsumer::new(consumer, step_before_close), poll_thread: None };
        member.subscribe(settings)?;
        let consumer = member.consumer.clone_consumer_handle();
        let thread = thread::Builder::new()
            .name("kafka-group".to_owned())
            .spawn(move || consumer.context().poll_until_close(&consumer))
            .map_err(|error| build_refused_operation_halt(&settings.brokers, SourceOperation::CreateClient, error))?;
        member.poll_thread = Some(thread);
        Ok(member)
    }

    pub(super) fn subscribe(&self, settings: &KafkaSourceSpec) -> Result<(), Halt> {
        self.consumer.subscribe(&[&settings.topic]).map_err(|error| {
            let operation = SourceOperation::Subscribe(settings.topic.clone());
            build_refused_operation_halt(&settings.brokers, operation, error)
        })
    }

    pub(super) fn rebalance_events(&self) -> &RebalanceEventQueue {
        self.consumer.context()
    }

    pub(super) fn clone_consumer_handle(&self) -> Arc<BaseConsumer<RebalanceEventQueue>> {
        self.consumer.clone_consumer_handle()
    }

    /// Returns how librdkafka ended this consumer, if it has.
    pub(super) fn end(&self) -> Option<ConsumerEnd> {
        self.rebalance_events().consumer_end()
    }

    /// Closes the consumer in the background. It is closed when no commit uses it any more.
    pub(super) fn close_in_background(self) {
        // Without a thread, the consumer is closed here.
        let _ = thread::Builder::new().name("kafka-close".to_owned()).spawn(move || drop(self));
    }
}

/// A consumer that closes in the background.
pub(super) struct ClosingConsumer {
    /// The context of the consumer. librdkafka destroys the consumer before the consumer drops its context.
    context: Weak<RebalanceEventQueue>,
    closing_since: Instant,
}

impl ClosingConsumer {
    /// Begins to wait until `consumer` is closed.
    pub(super) fn new(consumer: &MemberConsumer) -> Self {
        Self { context: Arc::downgrade(consumer.consumer.context()), closing_since: Instant::now() }
    }

    /// Returns whether the consumer is closed, or has taken longer than [`CLOSE_WAIT_TIMEOUT`].
    pub(super) fn has_ended(&self) -> bool {
        self.context.strong_count() == 0 || self.closing_since.elapsed() >= CLOSE_WAIT_TIMEOUT
    }
}

impl Deref for MemberConsumer {
    type Target = BaseConsumer<RebalanceEventQueue>;

    fn deref(&self) -> &Self::Target {
        &self.consumer
    }
}

impl Drop for MemberConsumer {
    /// Acknowledges the rebalance that is not acknowledged yet, if any, because the group waits for it. After this, the
    /// consumer closes.
    fn drop(&mut self) {
        self.consumer.context().acknowledge_in_callback();
        if let Some(thread) = self.poll_thread.take() {
            // If the thread has panicked, the consumer closes all the same.
            let _ = thread.join();
        }
        if let Err(error) = self.consumer.context().acknowledge_all(&self.consumer) {
            warn!(%error, "could not acknowledge the last rebalance");
        }
    }
}
