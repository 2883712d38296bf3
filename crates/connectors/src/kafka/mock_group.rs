//! A consumer group at librdkafka's mock broker, for tests.

#![expect(unsafe_code, reason = "ending a consumer on purpose is available only as a C function")]

use rdkafka::TopicPartitionList;
use rdkafka::bindings as ffi;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::topic_partition_list::Offset;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use windrow_core::MisplacedRecordPolicy;
use windrow_engine::Partition;
use windrow_spec::{GroupProtocol, KafkaSourceSpec, LostOffsetPolicy, PartitionFaultSetting, StartPosition};
use windrow_test_support::wait_until;

use super::group::membership::GroupMembership;
use super::group::rebalance_events::{RebalanceEvent, RebalanceEventQueue};

pub(super) const TOPIC: &str = "t";

/// The mock broker with the topic of a group.
pub(super) struct MockGroup {
    cluster: MockCluster<'static, DefaultProducerContext>,
    settings: KafkaSourceSpec,
}

impl MockGroup {
    pub(super) fn start(partition_count: Partition) -> Self {
        let cluster = MockCluster::new(1).expect("a mock cluster");
        cluster.create_topic(TOPIC, partition_count, 1).expect("a topic");
        let settings = KafkaSourceSpec {
            brokers: cluster.bootstrap_servers(),
            topic: TOPIC.to_owned(),
            consumer_group: "g".to_owned(),
            start_position: StartPosition::Earliest,
            lost_offset_policy: LostOffsetPolicy::Halt,
            partition_fault_setting: PartitionFaultSetting::Park,
            misplaced_record_policy: MisplacedRecordPolicy::Warn,
            partitioner: None,
            group_protocol: GroupProtocol::Classic { session_timeout_ms: 6_000 },
        };
        Self { cluster, settings }
    }

    /// Begins to join with a new member.
    pub(super) fn begin_join(&self, static_member_name: Option<&str>) -> GroupMembership {
        GroupMembership::begin_join(&self.settings, static_member_name, None).expect("valid settings")
    }

    /// Lets the broker answer the next request of this kind with `error`.
    pub(super) fn refuse_next(&self, request: RDKafkaApiKey, error: RDKafkaRespErr) {
        self.cluster.request_errors(request, &[error]);
    }
}

/// Receives the events of `member`, like its worker, until `is_expected` accepts one.
pub(super) fn await_event(
    member: &mut GroupMembership,
    what: &str,
    mut is_expected: impl FnMut(&RebalanceEvent) -> bool,
) {
    wait_until(what, || {
        member.begin_due_rejoin().expect("valid settings");
        let event = member.pop_rebalance_event();
        if let Some(RebalanceEvent::Revoked(partitions)) = &event {
            member.acknowledge_revocation(partitions).expect("acknowledged");
        }
        event.is_some_and(|event| is_expected(&event))
    });
}

pub(super) fn await_assignment(member: &mut GroupMembership) {
    await_event(
        member,
        "partitions are assigned",
        |event| matches!(event, RebalanceEvent::Assigned(partitions) if !partitions.is_empty()),
    );
}

pub(super) fn build_offsets(offsets: &[(Partition, i64)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for &(partition, offset) in offsets {
        list.add_partition_offset(TOPIC, partition, Offset::Offset(offset)).expect("a valid offset");
    }
    list
}

/// Commits at once, whatever the member knows about its membership. Ignores the answer.
pub(super) fn commit_unconditionally(consumer: &BaseConsumer<RebalanceEventQueue>) {
    // The tests look at what becomes of the consumer.
    let _ = consumer.commit(&build_offsets(&[(0, 5)]), CommitMode::Sync);
}

/// Lets librdkafka end `consumer`, as if Kafka had refused a request with `error`.
pub(super) fn end_consumer(consumer: &BaseConsumer<RebalanceEventQueue>, error: RDKafkaRespErr) {
    // SAFETY: The client is valid, because `consumer` is borrowed for the whole function. The reason is a C string, which
    // librdkafka copies.
    unsafe { ffi::rd_kafka_test_fatal_error(consumer.client().native_ptr(), error, c"a test".as_ptr()) };
}
