//! The Redis key of a row: literal text around the user and, optionally, the window.
//!
//! Owns: writing a key, finding a user's keys, parsing one. Does not own: whether a template is acceptable (the reader
//! refuses ambiguous ones with [`crate::key_language`]). Invariants: (1) the key placeholder occurs exactly once, each part
//! of the window at most once; (2) within an accepted template, different pairs of user and window give different keys.
//! That holds for all users, also empty ones and those with `:`, `{` or digits.

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

/// The Redis key of a view's rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyTemplate {
    segments: Vec<KeySegment>,
    text: String,
}

/// The parts of a row's window that its Redis key names; `None` where the template does not name them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct KeyWindow {
    /// The window's start.
    pub start: Option<EventTime>,
    /// The window's end.
    pub end: Option<EventTime>,
}

/// A mistake in a template, and its range of bytes there.
#[derive(Debug)]
pub(crate) enum TemplateMistake {
    /// A `{` or `}` without its counterpart.
    UnmatchedBrace(Range<usize>),
    /// `{name}` with an unknown name.
    UnknownPlaceholder(Range<usize>, String),
    /// A placeholder that occurs a second time.
    RepeatedPlaceholder(Range<usize>),
    /// No placeholder for the user.
    MissingEntityKey,
}

impl KeyTemplate {
    /// Reads `text`. Where the entity key's name is unknown because its declaration is a mistake, every name that is not a
    /// part of the window counts as the entity key.
    pub(crate) fn parse(text: &str, key_name: Option<&str>) -> Result<Self, Vec<TemplateMistake>> {
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
                    name if key_name.is_none_or(|key| key == name) => KeySegment::EntityKey,
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
        if mistakes.is_empty() { Ok(Self { segments, text: text.to_owned() }) } else { Err(mistakes) }
    }

    /// Returns the pieces in order; no two literals follow each other.
    #[must_use]
    pub fn segments(&self) -> &[KeySegment] {
        &self.segments
    }

    /// Returns whether every window has its own key. Otherwise the row of a window replaces that of the window before.
    #[must_use]
    pub fn names_window(&self) -> bool {
        self.segments.iter().any(|segment| matches!(segment, KeySegment::WindowStart | KeySegment::WindowEnd))
    }

    /// Appends the Redis key of `key`'s row for `window` to `out`.
    pub fn append_key(&self, out: &mut Vec<u8>, key: &str, window: Window) {
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

    /// Returns a pattern for Redis `SCAN … MATCH` that finds every key of `key`'s rows. It may find more, as `*` is any text;
    /// [`KeyTemplate::parse_key`] selects them.
    #[must_use]
    pub fn scan_pattern(&self, key: &str) -> String {
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

    /// Parses `redis_key`. Returns the window it names, or `None` where it is not the key of one of `key`'s rows.
    #[must_use]
    pub fn parse_key(&self, key: &str, redis_key: &[u8]) -> Option<KeyWindow> {
        parse_segments(&self.segments, key, redis_key, KeyWindow::default())
    }
}

impl fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// At most two numbers of at most 20 bytes: trying every length costs nothing.
fn parse_segments(segments: &[KeySegment], key: &str, rest: &[u8], window: KeyWindow) -> Option<KeyWindow> {
    let Some((segment, segments)) = segments.split_first() else { return rest.is_empty().then_some(window) };
    match segment {
        KeySegment::Literal(text) => parse_segments(segments, key, rest.strip_prefix(text.as_bytes())?, window),
        KeySegment::EntityKey => parse_segments(segments, key, rest.strip_prefix(key.as_bytes())?, window),
        KeySegment::WindowStart | KeySegment::WindowEnd => (1..=rest.len().min(20)).find_map(|length| {
            let (number, rest) = rest.split_at(length);
            let time = Some(EventTime::from_ms(parse_canonical_integer(number)?));
            let window = match segment {
                KeySegment::WindowStart => KeyWindow { start: time, ..window },
                _ => KeyWindow { end: time, ..window },
            };
            parse_segments(segments, key, rest, window)
        }),
    }
}

/// Parses a number that is written as [`KeyTemplate::append_key`] writes it: no plus sign, no leading zeros.
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
        template("f:{{{user_id}}}").append_key(&mut out, "u", window(0, 1));
        assert_eq!(out, b"f:{u}");
    }

    #[test]
    fn glob_characters_are_escaped() {
        assert_eq!(template("a*[{user_id}]:{window_start}").scan_pattern("?\\u"), r"a\*\[\?\\u\]:*");
    }

    #[test]
    fn only_a_key_written_for_this_user_is_read_back() {
        let session = template("s:{user_id}:{window_start}");
        let found = session.parse_key("a:1", b"s:a:1:-5").expect("a:1's key");
        assert_eq!(found, KeyWindow { start: Some(EventTime::from_ms(-5)), end: None });
        // The scan pattern of user "a" finds this one too; it belongs to "a:1".
        assert_eq!(session.parse_key("a", b"s:a:1:-5"), None);
        for stray in ["s:a:007", "s:a:+5", "s:a:-0", "s:a:", "s:a:1x", "s:a:99999999999999999999", "s:a"] {
            assert_eq!(session.parse_key("a", stray.as_bytes()), None, "{stray}");
        }
    }

    #[test]
    fn numbers_before_digits_are_told_apart() {
        let odd = template("{window_start}5x{user_id}");
        let mut key = Vec::new();
        odd.append_key(&mut key, "u", window(55, 60));
        assert_eq!(odd.parse_key("u", &key).and_then(|found| found.start), Some(EventTime::from_ms(55)));
    }
}
