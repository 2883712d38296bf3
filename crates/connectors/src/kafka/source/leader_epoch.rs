//! Reads and sets leader epochs, which the crate `rdkafka` does not expose.

#![expect(unsafe_code, reason = "leader epochs are available only through C functions")]

use std::collections::BTreeMap;
use std::ffi::CString;

use rdkafka::bindings as ffi;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::TopicPartitionList;
use windrow_engine::{LeaderEpoch, LogPosition, Partition};

/// Returns the leader epoch of a record; `None` if the broker has none.
pub(super) fn read_leader_epoch(message: &BorrowedMessage<'_>) -> Option<LeaderEpoch> {
    // SAFETY: the pointer is valid while `message` is borrowed, and the function only reads the message.
    let leader_epoch = unsafe { ffi::rd_kafka_message_leader_epoch(message.ptr()) };
    (leader_epoch >= 0).then_some(leader_epoch)
}

/// Sets the leader epochs of `positions` in those elements of `list` that belong to `topic`. librdkafka then looks for
/// lost records before it reads from the positions.
pub(super) fn set_leader_epochs(list: &TopicPartitionList, topic: &str, positions: &BTreeMap<Partition, LogPosition>) {
    // The name of a topic has no zero byte.
    let Ok(topic) = CString::new(topic) else { return };
    for (&partition, position) in positions {
        let Some(leader_epoch) = position.leader_epoch else { continue };
        // SAFETY: `list` and `topic` are valid for the whole block. The found element belongs to `list`, which no other
        // thread uses. The function that changes it accepts every leader epoch.
        unsafe {
            let element = ffi::rd_kafka_topic_partition_list_find(list.ptr(), topic.as_ptr(), partition);
            if !element.is_null() {
                ffi::rd_kafka_topic_partition_set_leader_epoch(element, leader_epoch);
            }
        }
    }
}
