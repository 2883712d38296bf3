//! The template of Redis keys. A key consists of literal text, the user and, optionally, the window.
//!
//! Owns: writing a key, finding a user's keys, parsing a key. Does not own: rejecting templates whose keys two rows
//! could share (the reader of keys, with [`crate::key_collisions`]). Invariants: (1) A template contains the user
//! exactly once, and each part of the window at most once. (2) If an accepted template contains a part of the window,
//! different pairs of user and window give different keys. This holds for every user, even if the user is empty or
//! contains `:`, `{` or digits.

use std::{fmt, ops::Range};

use windrow_core::{EventTime, Window};

/// A piece of a key template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeySegment {
    /// Literal text.
    Literal(String),
    /// The user: the entity key's bytes.
    EntityKey,
    /// The window's start in epoch ms.
    WindowStart,
    /// The window's end in epoch ms.
    WindowEnd,
}

/// The template of the Redis keys under which the rows of one view are stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyTemplate {
    segments: Vec<KeySegment>,
    template_text: String,
}

/// The window in a Redis key. The start or end is `None` if the template does not contain it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct RedisKeyWindow {
    /// The window's start.
    pub start: Option<EventTime>,
    /// The window's end.
    pub end: Option<EventTime>,
}

/// A mistake in a key template. Each range is the position of the mistake in the text of the template, in bytes.
#[derive(Debug)]
pub(crate) enum TemplateMistake {
    /// A `{` or `}` without its counterpart.
    UnmatchedBrace(Range<usize>),
    /// `{name}` with an unknown name.
    UnknownPlaceholder(Range<usize>, String),
    /// A placeholder that occurs a second time.
    RepeatedPlaceholder(Range<usize>),
    /// A template without a placeholder for the user.
    MissingEntityKey,
}

impl KeyTemplate {
    /// Parses a template. `entity_key_name` is the name of the placeholder for the user. It is `None` if the
    /// declaration of the entity key has a mistake. In this case, every unknown placeholder counts as the user.
    pub(crate) fn parse(text: &str, entity_key_name: Option<&str>) -> Result<Self, Vec<TemplateMistake>> {
        let mut segments = Vec::new();
        let mut literal = String::new();
        let mut mistakes = Vec::new();
        let mut at = 0;
        while let Some(character) = text[at..].chars().next() {
            let rest = &text[at..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                literal.push(character);
                at += 2;
            } else if let Some((name, _)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                let range = at..at + name.len() + 2;
                at = range.end;
                let segment = match name {
                    "window_start" => KeySegment::WindowStart,
                    "window_end" => KeySegment::WindowEnd,
                    name if entity_key_name.is_none_or(|key| key == name) => KeySegment::EntityKey,
                    name => {
                        mistakes.push(TemplateMistake::UnknownPlaceholder(range, name.to_owned()));
                        continue;
                    }
                };
                if !literal.is_empty() {
                    segments.push(KeySegment::Literal(std::mem::take(&mut literal)));
                }
                if segments.contains(&segment) {
                    mistakes.push(TemplateMistake::RepeatedPlaceholder(range));
                } else {
                    segments.push(segment);
                }
            } else if character == '{' || character == '}' {
                mistakes.push(TemplateMistake::UnmatchedBrace(at..at + 1));
                at += 1;
            } else {
                literal.push(character);
                at += character.len_utf8();
            }
        }
        if !literal.is_empty() {
            segments.push(KeySegment::Literal(literal));
        }
        if mistakes.is_empty() && !segments.contains(&KeySegment::EntityKey) {
            mistakes.push(TemplateMistake::MissingEntityKey);
        }
        if mistakes.is_empty() { Ok(Self { segments, template_text: text.to_owned() }) } else { Err(mistakes) }
    }

    /// Returns the segments in order. No literal follows directly after another literal.
    #[must_use]
    pub fn segments(&self) -> &[KeySegment] {
        &self.segments
    }

    /// Returns whether the key contains the start or the end of the window. Without both, each new row of a user
    /// replaces the user's previous row.
    #[must_use]
    pub fn has_window_placeholder(&self) -> bool {
        self.segments.iter().any(|segment| matches!(segment, KeySegment::WindowStart | KeySegment::WindowEnd))
    }

    /// Appends a Redis key to `out`: the key for the row of the user `key` in the window `window`.
    pub fn append_redis_key(&self, out: &mut Vec<u8>, key: &str, window: Window) {
        let mut digits = itoa::Buffer::new();
        for segment in &self.segments {
            let part = match segment {
                KeySegment::Literal(text) => text,
                KeySegment::EntityKey => key,
                KeySegment::WindowStart => digits.format(window.start.ms()),
                KeySegment::WindowEnd => digits.format(window.end.ms()),
            };
            out.extend_from_slice(part.as_bytes());
        }
    }

    /// Returns a pattern for Redis `SCAN … MATCH` that matches every Redis key of user `key`. The pattern also matches
    /// keys of other users, because `*` stands for any text. [`KeyTemplate::parse_redis_key`] rejects the keys of other
    /// users.
    #[must_use]
    pub fn redis_scan_pattern(&self, key: &str) -> String {
        let mut pattern = String::new();
        for segment in &self.segments {
            let text = match segment {
                KeySegment::Literal(text) => text,
                KeySegment::EntityKey => key,
                KeySegment::WindowStart | KeySegment::WindowEnd => {
                    pattern.push('*');
                    continue;
                }
            };
            for character in text.chars() {
                if matches!(character, '*' | '?' | '[' | ']' | '\\') {
                    pattern.push('\\');
                }
                pattern.push(character);
            }
        }
        pattern
    }

    /// Returns the window that `redis_key` contains, or `None` if `redis_key` does not belong to user `key`.
    #[must_use]
    pub fn parse_redis_key(&self, key: &str, redis_key: &[u8]) -> Option<RedisKeyWindow> {
        parse_key_by_segments(&self.segments, key, redis_key, RedisKeyWindow::default())
    }
}

impl fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.template_text)
    }
}

// Tries every possible length of a window start or end. This is cheap, because a template has at most two numbers of at
// most 20 characters.
fn parse_key_by_segments(
    segments: &[KeySegment],
    key: &str,
    rest: &[u8],
    window: RedisKeyWindow,
) -> Option<RedisKeyWindow> {
    let Some((segment, segments)) = segments.split_first() else { return rest.is_empty().then_some(window) };
    match segment {
        KeySegment::Literal(text) => parse_key_by_segments(segments, key, rest.strip_prefix(text.as_bytes())?, window),
        KeySegment::EntityKey => parse_key_by_segments(segments, key, rest.strip_prefix(key.as_bytes())?, window),
        KeySegment::WindowStart | KeySegment::WindowEnd => (1..=rest.len().min(20)).find_map(|length| {
            let (number, rest) = rest.split_at(length);
            let time = Some(EventTime::from_ms(parse_canonical_integer(number)?));
            let window = match segment {
                KeySegment::WindowStart => RedisKeyWindow { start: time, ..window },
                _ => RedisKeyWindow { end: time, ..window },
            };
            parse_key_by_segments(segments, key, rest, window)
        }),
    }
}

/// Parses an integer. Returns `None` for a form that [`KeyTemplate::append_redis_key`] never writes, such as `+5` or
/// `007`.
fn parse_canonical_integer(text: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (itoa::Buffer::new().format(number).as_bytes() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> KeyTemplate {
        KeyTemplate::parse(text, Some("user_id")).expect("a template")
    }

    fn window(start: i64, end: i64) -> Window {
        Window { start: EventTime::from_ms(start), end: EventTime::from_ms(end) }
    }

    #[test]
    fn doubled_braces_are_braces() {
        let mut out = Vec::new();
        template("f:{{{user_id}}}").append_redis_key(&mut out, "u", window(0, 1));
        assert_eq!(out, b"f:{u}");
    }

    #[test]
    fn glob_characters_are_escaped() {
        assert_eq!(template("a*[{user_id}]:{window_start}").redis_scan_pattern("?\\u"), r"a\*\[\?\\u\]:*");
    }

    #[test]
    fn only_a_key_written_for_this_user_is_read_back() {
        let session = template("s:{user_id}:{window_start}");
        let found = session.parse_redis_key("a:1", b"s:a:1:-5").expect("a:1's key");
        assert_eq!(found, RedisKeyWindow { start: Some(EventTime::from_ms(-5)), end: None });
        // The scan pattern of user "a" also matches `s:a:1:-5`, the key of user "a:1".
        assert_eq!(session.parse_redis_key("a", b"s:a:1:-5"), None);
        for stray in ["s:a:007", "s:a:+5", "s:a:-0", "s:a:", "s:a:1x", "s:a:99999999999999999999", "s:a"] {
            assert_eq!(session.parse_redis_key("a", stray.as_bytes()), None, "{stray}");
        }
    }

    #[test]
    fn numbers_before_digits_are_told_apart() {
        let odd = template("{window_start}5x{user_id}");
        let mut key = Vec::new();
        odd.append_redis_key(&mut key, "u", window(55, 60));
        assert_eq!(odd.parse_redis_key("u", &key).and_then(|found| found.start), Some(EventTime::from_ms(55)));
    }
}
