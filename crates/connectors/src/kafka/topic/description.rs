//! A topic's partitions and id, through DescribeTopics: the one call of librdkafka that `rdkafka` does not wrap.
//!
//! A topic that is deleted and created again keeps its name, not its id (KIP-516). Owns: all unsafe code of this crate.
//! Invariant: every object of librdkafka is freed once, and nothing borrowed from an event outlives it.
//! Why not wait for `rdkafka` to wrap it: `docs/adr/0011-topic-identity.md`.

#![allow(unsafe_code)] // DescribeTopics exists only as a C function

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::NonNull;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rdkafka::bindings as ffi;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;
use windrow_engine::Partition;

/// How much longer than the request timeout to wait: librdkafka always answers, if only that time is up.
const ANSWER_TIMEOUT_MARGIN: Duration = Duration::from_millis(500);

/// What Kafka tells about a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TopicMetadata {
    pub(crate) partition_count: Partition,
    /// In base64, as Kafka's tools print it; `None` where the broker is too old (before 2.8) to have ids.
    pub(crate) id: Option<String>,
}

/// An object of librdkafka that must be freed.
struct LibrdkafkaObject<T> {
    pointer: NonNull<T>,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> LibrdkafkaObject<T> {
    fn new(pointer: *mut T, free: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        NonNull::new(pointer).map(|pointer| Self { pointer, free })
    }

    fn pointer(&self) -> *mut T {
        self.pointer.as_ptr()
    }
}

impl<T> Drop for LibrdkafkaObject<T> {
    fn drop(&mut self) {
        // SAFETY: every `LibrdkafkaObject` is made from a fresh result of librdkafka and the function that librdkafka's
        // documentation names for freeing it; nothing else frees it.
        unsafe { (self.free)(self.pointer.as_ptr()) }
    }
}

/// Asks the brokers of `client` to describe `topic`, for at most about `timeout`.
///
/// # Errors
/// Kafka's or librdkafka's reason: an unknown topic, a refusal, no answer in time.
pub(crate) fn describe_topic<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    timeout: Duration,
) -> Result<TopicMetadata, RDKafkaErrorCode> {
    let name = CString::new(topic).map_err(|_| RDKafkaErrorCode::InvalidTopic)?;
    let event = request_description(client, &name, timeout).ok_or(RDKafkaErrorCode::OperationTimedOut)?;
    read_description(&event)
}

/// Returns the answer to DescribeTopics, or `None` when there is none in time.
fn request_description<C: ClientContext>(
    client: &Client<C>,
    topic: &CStr,
    timeout: Duration,
) -> Option<LibrdkafkaObject<ffi::rd_kafka_event_t>> {
    let rk = client.native_ptr();
    let millis = |time: Duration| c_int::try_from(time.as_millis()).unwrap_or(c_int::MAX);
    let mut names: [*const c_char; 1] = [topic.as_ptr()];
    // SAFETY: `rk` is valid while `client` is borrowed. The three objects are new and freed by their wrappers; the names
    // are copied by `of_topic_names`, the options and the collection by `DescribeTopics`. Refused timeouts leave the
    // options as they were. A queue may be freed while its answer is pending: librdkafka counts references.
    unsafe {
        let queue = LibrdkafkaObject::new(ffi::rd_kafka_queue_new(rk), ffi::rd_kafka_queue_destroy)?;
        let collection = LibrdkafkaObject::new(
            ffi::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()),
            ffi::rd_kafka_TopicCollection_destroy,
        )?;
        let options = LibrdkafkaObject::new(
            ffi::rd_kafka_AdminOptions_new(rk, ffi::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS),
            ffi::rd_kafka_AdminOptions_destroy,
        )?;
        let mut why: [c_char; 256] = [0; 256];
        ffi::rd_kafka_AdminOptions_set_request_timeout(options.pointer(), millis(timeout), why.as_mut_ptr(), why.len());
        ffi::rd_kafka_DescribeTopics(rk, collection.pointer(), options.pointer(), queue.pointer());
        let event = ffi::rd_kafka_queue_poll(queue.pointer(), millis(timeout + ANSWER_TIMEOUT_MARGIN));
        LibrdkafkaObject::new(event, ffi::rd_kafka_event_destroy)
    }
}

fn read_description(event: &LibrdkafkaObject<ffi::rd_kafka_event_t>) -> Result<TopicMetadata, RDKafkaErrorCode> {
    let event = event.pointer();
    // SAFETY: the event is alive while it is borrowed, and what is read here belongs to it. The result is null for any
    // other kind of event, and `results` holds `count` pointers, of which one was asked for; librdkafka accepts a
    // description without an error, with null for it.
    unsafe {
        check_code(ffi::rd_kafka_event_error(event))?;
        let result = ffi::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return Err(RDKafkaErrorCode::Unknown);
        }
        let mut count = 0;
        let topics = ffi::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if topics.is_null() || count != 1 || (*topics).is_null() {
            return Err(RDKafkaErrorCode::UnknownTopicOrPartition);
        }
        let topic = *topics;
        let error = ffi::rd_kafka_TopicDescription_error(topic);
        if !error.is_null() {
            check_code(ffi::rd_kafka_error_code(error))?;
        }
        let mut partitions = 0;
        ffi::rd_kafka_TopicDescription_partitions(topic, &raw mut partitions);
        let uuid = ffi::rd_kafka_TopicDescription_topic_id(topic);
        let id = (!uuid.is_null()).then(|| {
            let (high, low) =
                (ffi::rd_kafka_Uuid_most_significant_bits(uuid), ffi::rd_kafka_Uuid_least_significant_bits(uuid));
            [high.to_be_bytes(), low.to_be_bytes()].concat()
        });
        Ok(TopicMetadata {
            partition_count: Partition::try_from(partitions).unwrap_or(Partition::MAX),
            id: id.filter(|id| id.iter().any(|byte| *byte != 0)).map(|id| URL_SAFE_NO_PAD.encode(id)),
        })
    }
}

fn check_code(code: RDKafkaRespErr) -> Result<(), RDKafkaErrorCode> {
    match code {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        error => Err(error.into()),
    }
}
