//! A record as it is shown: as much of it as was asked for, as text where it is text.

use std::panic::{AssertUnwindSafe, catch_unwind};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem::Finder;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers, Message, Timestamp};
use serde::Serialize;

/// Headers of a record beyond these are only counted.
const HEADERS_MAX: usize = 64;
/// Bytes of a header's value, and of a key, that are shown.
const SMALL_BYTES_MAX: usize = 1024;
/// Bytes of a header's name that are shown.
const NAME_BYTES_MAX: usize = 256;

/// A record.
#[derive(Clone, Debug, Serialize)]
pub struct BrowsedRecord {
    /// Its partition.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Its timestamp, epoch milliseconds.
    pub timestamp_ms: Option<i64>,
    /// Who set that: `create` (the producer) or `append` (the broker).
    pub timestamp_by: &'static str,
    /// Its key; `None` where it has none.
    pub key: Option<BytePreview>,
    /// Its value; `None` for a tombstone.
    pub value: Option<BytePreview>,
    /// Its headers, the first 64.
    pub headers: Vec<RecordHeader>,
    /// Number of all of them.
    pub header_count: usize,
    /// Bytes of key, value and headers.
    pub bytes: usize,
}

/// A header.
#[derive(Clone, Debug, Serialize)]
pub struct RecordHeader {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Option<BytePreview>,
}

/// Bytes, or the beginning of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BytePreview {
    /// How many there are.
    pub bytes: usize,
    /// Whether all of them are here.
    pub whole: bool,
    /// They as text, where they are text: UTF-8 without control characters other than tabs and ends of lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// They in base64, where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

impl BytePreview {
    /// The first `most` of `bytes`, to the end of a character.
    #[must_use]
    pub fn truncate(bytes: &[u8], bytes_max: usize) -> Self {
        let shown = &bytes[..bytes.len().min(bytes_max)];
        let text = match std::str::from_utf8(shown) {
            Ok(text) => Some(text),
            // The limit cut a character.
            Err(error) if error.error_len().is_none() && shown.len() < bytes.len() => {
                std::str::from_utf8(&shown[..error.valid_up_to()]).ok()
            }
            Err(_) => None,
        };
        let text = text.filter(|text| !text.chars().any(|char| char.is_control() && !"\t\n\r".contains(char)));
        Self {
            bytes: bytes.len(),
            whole: shown.len() == bytes.len(),
            text: text.map(str::to_owned),
            base64: if text.is_none() { Some(STANDARD.encode(shown)) } else { None },
        }
    }
}

impl BrowsedRecord {
    /// `message` with at most `most` bytes of its value.
    pub(super) fn from_message(message: &BorrowedMessage<'_>, value_bytes_max: usize) -> Self {
        let (timestamp_ms, timestamp_by) = match message.timestamp() {
            Timestamp::CreateTime(ms) => (Some(ms), "create"),
            Timestamp::LogAppendTime(ms) => (Some(ms), "append"),
            Timestamp::NotAvailable => (None, "create"),
        };
        let (key, value) = (message.key(), message.payload());
        let mut headers = Vec::new();
        let mut header_bytes = 0;
        let header_count = message.headers().map_or(0, Headers::count);
        for (name, value) in header_entries(message) {
            header_bytes += name.len() + value.map_or(0, <[u8]>::len);
            if headers.len() < HEADERS_MAX {
                let name = BytePreview::truncate(name.as_bytes(), NAME_BYTES_MAX)
                    .text
                    .unwrap_or_else(|| name.escape_debug().take(NAME_BYTES_MAX).collect());
                headers.push(RecordHeader {
                    name,
                    value: value.map(|value| BytePreview::truncate(value, value_bytes_max.min(SMALL_BYTES_MAX))),
                });
            }
        }
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms,
            timestamp_by,
            key: key.map(|key| BytePreview::truncate(key, value_bytes_max.max(SMALL_BYTES_MAX))),
            value: value.map(|value| BytePreview::truncate(value, value_bytes_max)),
            headers,
            header_count,
            bytes: key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len) + header_bytes,
        }
    }

    /// About how much memory it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        let shown = |shown: &Option<BytePreview>| {
            shown.as_ref().map_or(0, |shown| {
                shown.text.as_ref().map_or(0, String::len) + shown.base64.as_ref().map_or(0, String::len)
            })
        };
        let headers: usize = self.headers.iter().map(|header| header.name.len() + shown(&header.value) + 128).sum();
        256 + shown(&self.key) + shown(&self.value) + headers
    }
}

/// Names and values of headers. A name that is not UTF-8 makes rdkafka panic; here it is called so instead.
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

/// Whether `needle` occurs in the key, the value or a header of `message`.
pub(super) fn message_contains(message: &BorrowedMessage<'_>, needle: &Finder<'_>) -> bool {
    let has = |bytes: &[u8]| needle.find(bytes).is_some();
    message.key().is_some_and(has)
        || message.payload().is_some_and(has)
        || header_entries(message).any(|(name, value)| has(name.as_bytes()) || value.is_some_and(has))
}

#[cfg(test)]
mod tests {
    use super::BytePreview;

    #[test]
    fn text_is_text_and_the_rest_is_base64() {
        let shown = BytePreview::truncate("값\tß\n".as_bytes(), 100);
        assert_eq!((shown.text.as_deref(), shown.whole, shown.bytes), (Some("값\tß\n"), true, 7));
        let shown = BytePreview::truncate(&[0, 159, 255], 2);
        assert_eq!((shown.base64.as_deref(), shown.whole, shown.bytes), (Some("AJ8="), false, 3));
        assert_eq!(BytePreview::truncate(b"a\0b", 9).text, None, "control characters are not text");
        assert_eq!(BytePreview::truncate(b"", 9).text.as_deref(), Some(""));
    }

    #[test]
    fn a_limit_within_a_character_leaves_text() {
        let shown = BytePreview::truncate("ab값".as_bytes(), 3);
        assert_eq!((shown.text.as_deref(), shown.whole), (Some("ab"), false));
        assert_eq!(BytePreview::truncate(b"ab\xea", 9).text, None, "what really ends within a character is not text");
    }
}
