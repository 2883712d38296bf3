//! Leaves a classic consumer group before the consumer closes.
//!
//! librdkafka 2.12 closes some members without leaving the group: members without partitions, and members that are in
//! the middle of a rebalance. The group then waits for such a member until the session timeout, and the next start of
//! the job waits with it. A member leaves in every state if it unsubscribes first.

#![allow(unsafe_code)] // the id of a member is available only as a C function

use std::ffi::CStr;
use std::time::{Duration, Instant};

use rdkafka::bindings as ffi;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};

/// How long a rebalance in progress may take before the consumer closes anyway.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest wait of one poll for the next event of the group.
const POLL_TIMEOUT: Duration = Duration::from_millis(10);

/// Leaves the group of `consumer`. A rebalance that is in progress completes first, which may wait for other members.
/// The context of `consumer` must acknowledge rebalances in its callback.
pub(super) fn leave_group<C: ConsumerContext>(consumer: &BaseConsumer<C>) {
    consumer.unsubscribe();
    let deadline = Instant::now() + LEAVE_TIMEOUT;
    while has_member_id(consumer) && Instant::now() < deadline {
        // The consumer has no partitions, so the poll returns only errors, which do not matter any more.
        drop(consumer.poll(POLL_TIMEOUT));
    }
}

/// Returns whether `consumer` is a member of its group. librdkafka forgets the id of the member when it sends the
/// request to leave.
fn has_member_id<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> bool {
    let client = consumer.client().native_ptr();
    // SAFETY: `client` is valid while `consumer` is borrowed. librdkafka returns a new C string or null. The string is
    // read before it is freed, and freed once, with the function that librdkafka documents.
    unsafe {
        let id = ffi::rd_kafka_memberid(client);
        if id.is_null() {
            return false;
        }
        let is_member = !CStr::from_ptr(id).is_empty();
        ffi::rd_kafka_mem_free(client, id.cast());
        is_member
    }
}
