//! Consumer groups of tests: members, and committed offsets.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::test_kafka::{TIMEOUT, TestKafka};
use crate::wait::eventually;

/// Settings of a member of a group whose protocol is cooperative.
const COOPERATIVE: [(&str, &str); 2] =
    [("auto.offset.reset", "earliest"), ("partition.assignment.strategy", "cooperative-sticky")];

/// A member of a group that processes and commits nothing; it leaves when it is dropped.
pub struct IdleMember(BaseConsumer);

impl IdleMember {
    /// Polls once, which keeps the member in its group, and returns how many partitions it is assigned then.
    pub fn poll_partition_count(&self) -> usize {
        // Records and errors alike are of no interest.
        let _ = self.0.poll(Duration::from_millis(100));
        self.0.assignment().map_or(0, |assigned| assigned.count())
    }

    /// Commits `offsets` of `topic`, by partition, as this member.
    pub fn commit_offsets(&self, topic: &str, offsets: &[(i32, i64)]) {
        self.0.commit(&offset_list(topic, offsets), CommitMode::Sync).expect("committed");
    }
}

impl TestKafka {
    /// Joins `group`, takes partitions away from its members, processes and commits nothing, and leaves again.
    pub fn visit_group(&self, group: &str, topic: &str) {
        let member = self.join_idle_member(group, topic);
        eventually(40, "the visitor is given a partition", || member.poll_partition_count() > 0);
    }

    /// Joins `group` as [`Self::visit_group`] does, without waiting for partitions.
    #[must_use]
    pub fn join_idle_member(&self, group: &str, topic: &str) -> IdleMember {
        self.subscribe_member(group, topic, &COOPERATIVE)
    }

    /// Joins `group` with `settings`, and waits until the member is assigned partitions of `topic`.
    #[must_use]
    pub fn join_assigned_member(&self, group: &str, topic: &str, settings: &[(&str, &str)]) -> IdleMember {
        let member = self.subscribe_member(group, topic, settings);
        eventually(30, "partitions are assigned", || member.poll_partition_count() > 0);
        member
    }

    fn subscribe_member(&self, group: &str, topic: &str, settings: &[(&str, &str)]) -> IdleMember {
        let mut config = self.client_config_with(settings);
        let consumer: BaseConsumer =
            config.set("group.id", group).set("enable.auto.commit", "false").create().expect("a consumer");
        consumer.subscribe(&[topic]).expect("subscribed");
        IdleMember(consumer)
    }

    /// Returns whether a classic group is stable with `member_count` members.
    #[must_use]
    pub fn is_group_stable(&self, group: &str, member_count: usize) -> bool {
        let consumer: BaseConsumer = self.client_config().create().expect("a consumer");
        let groups = consumer.fetch_group_list(Some(group), TIMEOUT).expect("Kafka answers");
        groups.groups().iter().any(|group| group.state() == "Stable" && group.members().len() == member_count)
    }

    /// Commits `offsets` of `topic`, by partition, for a group without members.
    pub fn commit_offsets(&self, group: &str, topic: &str, offsets: &[(i32, i64)]) {
        let consumer: BaseConsumer = self.client_config().set("group.id", group).create().expect("a consumer");
        consumer.commit(&offset_list(topic, offsets), CommitMode::Sync).expect("committed");
    }

    /// Returns the offsets that a group has committed, by partition; −1 where there is none.
    #[must_use]
    pub fn committed_offsets(&self, group: &str, topic: &str, partitions: i32) -> Vec<i64> {
        let consumer: BaseConsumer = self.client_config().set("group.id", group).create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition(topic, partition);
        }
        let committed = consumer.committed_offsets(list, TIMEOUT).expect("Kafka answers");
        committed.elements().iter().map(|element| element.offset().to_raw().unwrap_or(-1).max(-1)).collect()
    }
}

fn offset_list(topic: &str, offsets: &[(i32, i64)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).expect("a valid offset");
    }
    list
}
