//! Fetches a topic's id and number of partitions with librdkafka's function DescribeTopics. The crate `rdkafka` does
//! not wrap this function.
//!
//! A topic that is deleted and created again keeps its name, but gets a new id (KIP-516).
//! Owns: the unsafe code of this request. Invariants: this file frees each object of librdkafka that it creates once.
//! It uses no pointer into an event after it has freed the event.
//! `docs/adr/0011-topic-identity.md` explains why this file calls librdkafka's function directly.

#![expect(unsafe_code, reason = "DescribeTopics is available only as a C function")]

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

/// How much longer than the request timeout the caller waits for librdkafka. After the request timeout, librdkafka
/// itself answers with an error. The extra time lets this answer arrive.
const ANSWER_TIMEOUT_MARGIN: Duration = Duration::from_millis(500);

/// Kafka's description of a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TopicMetadata {
    pub(crate) partition_count: Partition,
    /// The topic's id in base64, as Kafka's tools print it; `None` if the broker is older than Kafka 2.8, which
    /// introduced ids.
    pub(crate) topic_id: Option<String>,
}

/// Owns one object of librdkafka, and frees the object when dropped.
struct OwnedLibrdkafkaObject<T> {
    pointer: NonNull<T>,
    free_fn: unsafe extern "C" fn(*mut T),
}

impl<T> OwnedLibrdkafkaObject<T> {
    fn new(pointer: *mut T, free: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        NonNull::new(pointer).map(|pointer| Self { pointer, free_fn: free })
    }

    fn pointer(&self) -> *mut T {
        self.pointer.as_ptr()
    }
}

impl<T> Drop for OwnedLibrdkafkaObject<T> {
    fn drop(&mut self) {
        // SAFETY: every value of this type owns a new object of librdkafka. `free_fn` is the function that librdkafka
        // documents for freeing such an object. No other code frees the object.
        unsafe { (self.free_fn)(self.pointer.as_ptr()) }
    }
}

/// Returns Kafka's description of `topic`. Waits at most about `timeout` for the answer.
///
/// # Errors
/// When the topic is unknown, Kafka or librdkafka refuses the request, or no answer arrives in time.
pub(crate) fn describe_topic<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    timeout: Duration,
) -> Result<TopicMetadata, RDKafkaErrorCode> {
    let name = CString::new(topic).map_err(|_| RDKafkaErrorCode::InvalidTopic)?;
    let event = fetch_description_event(client, &name, timeout).ok_or(RDKafkaErrorCode::OperationTimedOut)?;
    parse_description_event(&event)
}

/// Sends the request DescribeTopics, and waits for the answer. Returns the event with the answer, or `None` if no
/// answer arrives in time.
fn fetch_description_event<C: ClientContext>(
    client: &Client<C>,
    topic: &CStr,
    timeout: Duration,
) -> Option<OwnedLibrdkafkaObject<ffi::rd_kafka_event_t>> {
    let rk = client.native_ptr();
    let millis = |time: Duration| c_int::try_from(time.as_millis()).unwrap_or(c_int::MAX);
    let mut names: [*const c_char; 1] = [topic.as_ptr()];
    // SAFETY: `rk`, librdkafka's pointer to the client, is valid, because `client` is borrowed for the whole function.
    // This block creates the queue, the collection and the options, and their wrappers free them. `of_topic_names`
    // copies the topic name. `DescribeTopics` copies the options and the collection, so both may be freed before the
    // answer arrives. If librdkafka refuses to set the timeout, it leaves the options unchanged. The queue may also be
    // freed before the answer arrives, because librdkafka counts references to queues.
    unsafe {
        let queue = OwnedLibrdkafkaObject::new(ffi::rd_kafka_queue_new(rk), ffi::rd_kafka_queue_destroy)?;
        let collection = OwnedLibrdkafkaObject::new(
            ffi::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()),
            ffi::rd_kafka_TopicCollection_destroy,
        )?;
        let options = OwnedLibrdkafkaObject::new(
            ffi::rd_kafka_AdminOptions_new(rk, ffi::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS),
            ffi::rd_kafka_AdminOptions_destroy,
        )?;
        let mut why: [c_char; 256] = [0; 256];
        ffi::rd_kafka_AdminOptions_set_request_timeout(options.pointer(), millis(timeout), why.as_mut_ptr(), why.len());
        ffi::rd_kafka_DescribeTopics(rk, collection.pointer(), options.pointer(), queue.pointer());
        let event = ffi::rd_kafka_queue_poll(queue.pointer(), millis(timeout + ANSWER_TIMEOUT_MARGIN));
        OwnedLibrdkafkaObject::new(event, ffi::rd_kafka_event_destroy)
    }
}

fn parse_description_event(
    event: &OwnedLibrdkafkaObject<ffi::rd_kafka_event_t>,
) -> Result<TopicMetadata, RDKafkaErrorCode> {
    let event = event.pointer();
    // SAFETY: `event` is valid, because its owner is borrowed for the whole function. The event owns everything that
    // this block reads. If the event is not an answer to DescribeTopics, `result` is null. `topics` points to an array
    // of `count` pointers, and this block reads the first pointer only if `count` is 1. If the description has no
    // error, `error` is null or has the code for success.
    unsafe {
        error_code_to_result(ffi::rd_kafka_event_error(event))?;
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
            error_code_to_result(ffi::rd_kafka_error_code(error))?;
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
            topic_id: id.filter(|id| id.iter().any(|byte| *byte != 0)).map(|id| URL_SAFE_NO_PAD.encode(id)),
        })
    }
}

fn error_code_to_result(code: RDKafkaRespErr) -> Result<(), RDKafkaErrorCode> {
    match code {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        error => Err(error.into()),
    }
}
