//! The text of record keys and entity keys in log lines and on the pages.

use std::fmt::Write;

use windrow_core::text::truncate_with_ellipsis;

/// The number of characters that messages show of a key.
const MAX_SHOWN_KEY_CHARS: usize = 100;

/// Returns a record key or an entity key as text. Escapes control characters, and all bytes that are not ASCII if the key
/// is not UTF-8.
pub(super) fn format_key(key: &[u8]) -> String {
    let mut text = String::new();
    match std::str::from_utf8(key) {
        Ok(valid) => {
            for character in valid.chars().take(MAX_SHOWN_KEY_CHARS + 1) {
                if character.is_control() {
                    text.extend(character.escape_default());
                } else {
                    text.push(character);
                }
            }
        }
        Err(_) => {
            let first_bytes = &key[..key.len().min(MAX_SHOWN_KEY_CHARS)];
            let _ = write!(text, "{}", first_bytes.escape_ascii());
        }
    }
    truncate_with_ellipsis(&text, MAX_SHOWN_KEY_CHARS).into_owned()
}
