//! The first bytes of a key or value, as text or in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// The first bytes of a key, value or header value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BytePreview {
    /// The number of bytes before truncation.
    #[serde(rename = "bytes")]
    pub original_length_bytes: usize,
    /// Whether the preview contains all bytes.
    #[serde(rename = "whole")]
    pub is_complete: bool,
    /// The bytes as text; `None` if the bytes are not text. Text is UTF-8 in which tabs and line ends are the only
    /// control characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The bytes in base64; `None` if the bytes are text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

impl BytePreview {
    /// Creates a preview of the first `max_bytes` bytes of `bytes`. A preview of text ends after a whole character.
    #[must_use]
    pub fn new_truncated(bytes: &[u8], max_bytes: usize) -> Self {
        let kept = &bytes[..bytes.len().min(max_bytes)];
        let text = match std::str::from_utf8(kept) {
            Ok(text) => Some(text),
            // `max_bytes` cuts a character in two, so the preview ends before that character.
            Err(error) if error.error_len().is_none() && kept.len() < bytes.len() => {
                std::str::from_utf8(&kept[..error.valid_up_to()]).ok()
            }
            Err(_) => None,
        };
        let text = text.filter(|text| !text.chars().any(|char| char.is_control() && !"\t\n\r".contains(char)));
        Self {
            original_length_bytes: bytes.len(),
            is_complete: kept.len() == bytes.len(),
            text: text.map(str::to_owned),
            base64: if text.is_none() { Some(STANDARD.encode(kept)) } else { None },
        }
    }

    pub(super) fn estimate_memory_bytes(&self) -> usize {
        self.text.as_ref().map_or(0, String::len) + self.base64.as_ref().map_or(0, String::len)
    }
}

#[cfg(test)]
mod tests {
    use super::BytePreview;

    #[test]
    fn text_is_text_and_the_rest_is_base64() {
        let preview = BytePreview::new_truncated("값\tß\n".as_bytes(), 100);
        assert_eq!(
            (preview.text.as_deref(), preview.is_complete, preview.original_length_bytes),
            (Some("값\tß\n"), true, 7)
        );
        let preview = BytePreview::new_truncated(&[0, 159, 255], 2);
        assert_eq!(
            (preview.base64.as_deref(), preview.is_complete, preview.original_length_bytes),
            (Some("AJ8="), false, 3)
        );
        assert_eq!(BytePreview::new_truncated(b"a\0b", 9).text, None, "control characters are not text");
        assert_eq!(BytePreview::new_truncated(b"", 9).text.as_deref(), Some(""));
    }

    #[test]
    fn a_limit_within_a_character_leaves_text() {
        let preview = BytePreview::new_truncated("ab값".as_bytes(), 3);
        assert_eq!((preview.text.as_deref(), preview.is_complete), (Some("ab"), false));
        assert_eq!(
            BytePreview::new_truncated(b"ab\xea", 9).text,
            None,
            "bytes that end within a character are not text"
        );
    }
}
