//! A record for the Kafka UI. The request limits how many bytes of the value are returned.

use std::panic::{AssertUnwindSafe, catch_unwind};

use memchr::memmem::Finder;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers, Message, Timestamp};
use serde::Serialize;

use super::preview::BytePreview;

/// The most headers of a record that are returned. Further headers are only counted.
const MAX_HEADERS_SHOWN: usize = 64;
/// The most bytes of a header's value that are returned. A key up to this length is returned completely, even if the
/// request asks for shorter values.
const MAX_HEADER_VALUE_BYTES: usize = 1024;
/// The most bytes of a header's name that are returned.
const MAX_HEADER_NAME_BYTES: usize = 256;
/// The approximate bytes of memory that a record needs in addition to its key, value and headers.
const RECORD_OVERHEAD_BYTES: usize = 256;
/// The approximate bytes of memory that a header needs in addition to its name and value.
const HEADER_OVERHEAD_BYTES: usize = 128;

/// A record that was read for the Kafka UI. Long keys, values and headers are truncated.
#[derive(Clone, Debug, Serialize)]
pub struct BrowsedRecord {
    /// The partition of the record.
    pub partition: i32,
    /// The offset of the record in its partition.
    pub offset: i64,
    /// The timestamp of the record in epoch milliseconds.
    pub timestamp_ms: Option<i64>,
    /// The origin of the timestamp: `create` if the producer set the timestamp, `append` if the broker set it.
    #[serde(rename = "timestamp_by")]
    pub timestamp_origin: &'static str,
    /// The key; `None` if the record has no key.
    pub key: Option<BytePreview>,
    /// The value; `None` for a tombstone.
    pub value: Option<BytePreview>,
    /// The first 64 headers.
    pub headers: Vec<RecordHeader>,
    /// The number of all headers.
    pub header_count: usize,
    /// The total bytes of the key, the value and all headers, before truncation.
    #[serde(rename = "bytes")]
    pub total_bytes: usize,
}

/// A header of a record.
#[derive(Clone, Debug, Serialize)]
pub struct RecordHeader {
    /// The name of the header.
    #[serde(rename = "name")]
    pub header_name: String,
    /// The value of the header; `None` if the header has no value.
    pub value: Option<BytePreview>,
}

impl BrowsedRecord {
    /// Copies `message` with at most `max_value_bytes` bytes of its value.
    pub(crate) fn from_message(message: &BorrowedMessage<'_>, max_value_bytes: usize) -> Self {
        let (timestamp_ms, timestamp_origin) = match message.timestamp() {
            Timestamp::CreateTime(ms) => (Some(ms), "create"),
            Timestamp::LogAppendTime(ms) => (Some(ms), "append"),
            Timestamp::NotAvailable => (None, "create"),
        };
        let (key, value) = (message.key(), message.payload());
        let mut headers = Vec::new();
        let mut header_bytes = 0;
        for (name, value) in header_entries(message) {
            header_bytes += name.len() + value.map_or(0, <[u8]>::len);
            if headers.len() < MAX_HEADERS_SHOWN {
                headers.push(RecordHeader::new_truncated(name, value, max_value_bytes.min(MAX_HEADER_VALUE_BYTES)));
            }
        }
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms,
            timestamp_origin,
            key: key.map(|key| BytePreview::new_truncated(key, max_value_bytes.max(MAX_HEADER_VALUE_BYTES))),
            value: value.map(|value| BytePreview::new_truncated(value, max_value_bytes)),
            headers,
            header_count: message.headers().map_or(0, Headers::count),
            total_bytes: key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len) + header_bytes,
        }
    }

    pub(crate) fn estimate_memory_bytes(&self) -> usize {
        let preview_bytes =
            |preview: &Option<BytePreview>| preview.as_ref().map_or(0, BytePreview::estimate_memory_bytes);
        let header_bytes =
            |header: &RecordHeader| HEADER_OVERHEAD_BYTES + header.header_name.len() + preview_bytes(&header.value);
        let headers: usize = self.headers.iter().map(header_bytes).sum();
        RECORD_OVERHEAD_BYTES + preview_bytes(&self.key) + preview_bytes(&self.value) + headers
    }
}

impl RecordHeader {
    fn new_truncated(name: &str, value: Option<&[u8]>, max_value_bytes: usize) -> Self {
        let escaped = || name.escape_debug().take(MAX_HEADER_NAME_BYTES).collect();
        Self {
            header_name: BytePreview::new_truncated(name.as_bytes(), MAX_HEADER_NAME_BYTES)
                .text
                .unwrap_or_else(escaped),
            value: value.map(|value| BytePreview::new_truncated(value, max_value_bytes)),
        }
    }
}

/// Returns the names and values of all headers. rdkafka panics on a header whose name is not UTF-8. This function
/// catches the panic, and returns a placeholder for the name of such a header and no value.
fn header_entries<'a>(message: &'a BorrowedMessage<'_>) -> impl Iterator<Item = (&'a str, Option<&'a [u8]>)> {
    let headers: Option<&'a BorrowedHeaders> = message.headers();
    let count = headers.map_or(0, Headers::count);
    (0..count).filter_map(move |nth| {
        let header = catch_unwind(AssertUnwindSafe(|| headers.and_then(|headers| headers.try_get(nth))));
        match header {
            Ok(header) => header.map(|header| (header.key, header.value)),
            Err(_) => Some(("(a name that is not text)", None)),
        }
    })
}

/// Returns whether `needle`, the search text, occurs in the key, the value or a header of `message`.
pub(crate) fn message_contains(message: &BorrowedMessage<'_>, needle: &Finder<'_>) -> bool {
    let contains = |bytes: &[u8]| needle.find(bytes).is_some();
    message.key().is_some_and(contains)
        || message.payload().is_some_and(contains)
        || header_entries(message).any(|(name, value)| contains(name.as_bytes()) || value.is_some_and(contains))
}
