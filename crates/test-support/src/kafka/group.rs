//! Helpers for consumer groups: members that join, and offsets that tests commit and read.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::test_kafka::{KAFKA_TIMEOUT, TestKafka};
use crate::wait::wait_until;

/// The consumer settings of a member with the cooperative assignor.
const COOPERATIVE_MEMBER_SETTINGS: [(&str, &str); 2] =
    [("auto.offset.reset", "earliest"), ("partition.assignment.strategy", "cooperative-sticky")];

/// A consumer-group member that processes no records, and commits offsets only on request. Dropping the member makes it
/// leave the group.
pub struct IdleMember(BaseConsumer);

impl IdleMember {
    /// Polls Kafka once, so that the member stays in its group. Returns the number of partitions assigned to the
    /// member.
    pub fn poll_assigned_partition_count(&self) -> usize {
        // The poll only keeps the member in its group, so records and errors are ignored.
        let _ = self.0.poll(Duration::from_millis(100));
        self.0.assignment().map_or(0, |assigned| assigned.count())
    }

    /// Commits `offsets` of `topic` as this member. Each entry is a partition and its new committed offset.
    pub fn commit_offsets(&self, topic: &str, offsets: &[(i32, i64)]) {
        self.0.commit(&build_offset_list(topic, offsets), CommitMode::Sync).expect("committed");
    }
}

impl TestKafka {
    /// Makes a temporary member join `group`, and waits until the group assigns a partition of `topic` to this member.
    /// The member then leaves the group without processing records.
    pub fn join_and_leave_group(&self, group: &str, topic: &str) {
        let member = self.subscribe_idle_member(group, topic);
        wait_until("a partition is assigned to the visiting member", || member.poll_assigned_partition_count() > 0);
    }

    /// Creates a member of `group` that subscribes to `topic` with the cooperative assignor. The member joins the group
    /// only if the caller polls the member repeatedly.
    #[must_use]
    pub fn subscribe_idle_member(&self, group: &str, topic: &str) -> IdleMember {
        self.subscribe_member(group, topic, &COOPERATIVE_MEMBER_SETTINGS)
    }

    /// Creates a member of `group` with the consumer settings `settings`. Waits until partitions of `topic` are
    /// assigned to the member.
    #[must_use]
    pub fn join_and_await_partitions(&self, group: &str, topic: &str, settings: &[(&str, &str)]) -> IdleMember {
        let member = self.subscribe_member(group, topic, settings);
        wait_until("partitions are assigned to the member", || member.poll_assigned_partition_count() > 0);
        member
    }

    fn subscribe_member(&self, group: &str, topic: &str, settings: &[(&str, &str)]) -> IdleMember {
        let mut config = self.client_config_with_settings(settings);
        let consumer: BaseConsumer =
            config.set("group.id", group).set("enable.auto.commit", "false").create().expect("a consumer");
        consumer.subscribe(&[topic]).expect("subscribed");
        IdleMember(consumer)
    }

    /// Returns how many members Kafka reports for the classic consumer group `group`.
    #[must_use]
    pub fn group_member_count(&self, group: &str) -> usize {
        let consumer: BaseConsumer = self.client_config().create().expect("a consumer");
        let groups = consumer.fetch_group_list(Some(group), KAFKA_TIMEOUT).expect("Kafka answers");
        groups.groups().iter().map(|group| group.members().len()).sum()
    }

    /// Returns whether the classic consumer group `group` is stable and has `member_count` members.
    #[must_use]
    pub fn is_group_stable(&self, group: &str, member_count: usize) -> bool {
        let consumer: BaseConsumer = self.client_config().create().expect("a consumer");
        let groups = consumer.fetch_group_list(Some(group), KAFKA_TIMEOUT).expect("Kafka answers");
        groups.groups().iter().any(|group| group.state() == "Stable" && group.members().len() == member_count)
    }

    /// Commits `offsets` of `topic` for `group`, which must have no members. Each entry is a partition and its new
    /// committed offset.
    pub fn commit_offsets(&self, group: &str, topic: &str, offsets: &[(i32, i64)]) {
        let consumer: BaseConsumer = self.client_config().set("group.id", group).create().expect("a consumer");
        let offsets = build_offset_list(topic, offsets);
        ask_coordinator(|| consumer.commit(&offsets, CommitMode::Sync));
    }

    /// Returns the offsets that `group` has committed for the first `partitions` partitions of `topic`, in the order of
    /// partitions. The offset is −1 for a partition without a committed offset.
    #[must_use]
    pub fn committed_offsets(&self, group: &str, topic: &str, partitions: i32) -> Vec<i64> {
        let consumer: BaseConsumer = self.client_config().set("group.id", group).create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition(topic, partition);
        }
        let committed = ask_coordinator(|| consumer.committed_offsets(list.clone(), KAFKA_TIMEOUT));
        committed.elements().iter().map(|element| element.offset().to_raw().unwrap_or(-1).max(-1)).collect()
    }
}

/// Repeats `request` until a group coordinator answers. The first group of a new Kafka has none for a moment.
fn ask_coordinator<T>(request: impl Fn() -> KafkaResult<T>) -> T {
    let mut answer = None;
    wait_until("a group coordinator answers", || {
        answer = match request() {
            Ok(answered) => Some(answered),
            Err(error) => match error.rdkafka_error_code() {
                Some(
                    RDKafkaErrorCode::NotCoordinator
                    | RDKafkaErrorCode::CoordinatorNotAvailable
                    | RDKafkaErrorCode::CoordinatorLoadInProgress,
                ) => None,
                _ => panic!("Kafka refuses the request: {error}"),
            },
        };
        answer.is_some()
    });
    answer.expect("just answered")
}

fn build_offset_list(topic: &str, offsets: &[(i32, i64)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).expect("a valid offset");
    }
    list
}
