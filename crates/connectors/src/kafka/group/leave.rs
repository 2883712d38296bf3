//! Leaves a classic consumer group before the consumer closes.
//!
//! librdkafka 2.12 closes some consumers without leaving the group. These are members without partitions, and members
//! in the middle of a rebalance. The group then keeps such a member until its session timeout ends. A job that starts
//! again in this time waits for its partitions. A consumer that unsubscribes first leaves the group in these states too.
//! A rebalance in progress must end first, which may take until the next heartbeat of another member.

#![expect(unsafe_code, reason = "the id of a member is available only as a C function")]

use std::ffi::CStr;
use std::time::{Duration, Instant};

use rdkafka::bindings as ffi;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use tracing::warn;

/// How long a rebalance in progress may take before the consumer closes anyway. Other members join the rebalance at
/// their next heartbeat, so the timeout is longer than the longest interval between two heartbeats of a worker: 3 s,
/// which `MAX_HEARTBEAT_INTERVAL_MS` in `client_config` sets.
pub(super) const LEAVE_TIMEOUT: Duration = Duration::from_secs(4);
/// The longest wait of one poll for the next event of the group.
const POLL_TIMEOUT: Duration = Duration::from_millis(10);

/// Leaves the group of `consumer`. If a rebalance is in progress, this function waits until the rebalance ends, but at
/// most [`LEAVE_TIMEOUT`]. The rebalance callback in the context of `consumer` must acknowledge rebalances itself.
pub(super) fn leave_group<C: ConsumerContext>(consumer: &BaseConsumer<C>) {
    consumer.unsubscribe();
    let deadline = Instant::now() + LEAVE_TIMEOUT;
    while has_member_id(consumer) && Instant::now() < deadline {
        // The consumer has no partitions, so the poll returns only errors, which do not matter any more.
        drop(consumer.poll(POLL_TIMEOUT));
    }
    if has_member_id(consumer) {
        warn!(
            "a rebalance did not end in time; until the session timeout, the group keeps a member that no longer runs"
        );
    }
}

/// Returns whether `consumer` is a member of its group. A consumer without a member id is not a member: librdkafka
/// clears the id when it sends the request to leave the group.
pub(super) fn has_member_id<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> bool {
    let client = consumer.client().native_ptr();
    // SAFETY: `client` is valid, because `consumer` is borrowed for the whole function. `rd_kafka_memberid` returns a
    // new C string or null. This block reads the string, and then frees it once. `rd_kafka_mem_free` is the function
    // that librdkafka documents for this.
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
