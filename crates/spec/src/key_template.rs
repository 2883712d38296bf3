//! The Redis key of a row: literal text around the user and, where wanted, the window.
//!
//! Owns: writing a key, finding a user's keys, reading one back. Does not own: whether a template is acceptable (the
//! reader refuses ambiguous ones with [`crate::key_language`]). Invariants: (1) the key placeholder stands exactly once,
//! each part of the window at most once; (2) within an accepted template two different (user, window) pairs give
//! different keys, for all users, also empty ones and such with `:`, `{` or digits.

use std::{fmt, ops::Range};

use windrow_core::{EventTime, Window};

/// A piece of a key template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Segment {
    /// Text as it stands.
    Literal(String),
    /// The user: the entity key's bytes.
    Key,
    /// The window's start in epoch ms.
    WindowStart,
    /// The window's end in epoch ms.
    WindowEnd,
}

/// The Redis key of a view's rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyTemplate {
    segments: Vec<Segment>,
    text: String,
}

/// What a Redis key says about the window of its row; `None` where the template does not name it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct KeyWindow {
    /// The window's start.
    pub start: Option<EventTime>,
    /// The window's end.
    pub end: Option<EventTime>,
}

/// What is wrong with a template, and where in it.
#[derive(Debug)]
pub(crate) enum TemplateMistake {
    /// A `{` or `}` without its partner.
    LoneBrace(Range<usize>),
    /// `{name}` with a name that means nothing here.
    UnknownPlaceholder(Range<usize>, String),
    /// A placeholder that stands a second time.
    Repeated(Range<usize>),
    /// No placeholder for the user.
    NoKey,
}

impl KeyTemplate {
    /// Reads `text`. Where the entity key's name is not known (its declaration is a mistake), every name that is not a
    /// part of the window stands for it.
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
                    "window_start" => Segment::WindowStart,
                    "window_end" => Segment::WindowEnd,
                    name if key_name.is_none_or(|key| key == name) => Segment::Key,
                    name => {
                        mistakes.push(TemplateMistake::UnknownPlaceholder(range, name.to_owned()));
                        continue;
                    }
                };
                if !literal.is_empty() {
                    segments.push(Segment::Literal(std::mem::take(&mut literal)));
                }
                if segments.contains(&segment) {
                    mistakes.push(TemplateMistake::Repeated(range));
                } else {
                    segments.push(segment);
                }
            } else if character == '{' || character == '}' {
                mistakes.push(TemplateMistake::LoneBrace(at..at + 1));
                at += 1;
            } else {
                literal.push(character);
                at += character.len_utf8();
            }
        }
        if !literal.is_empty() {
            segments.push(Segment::Literal(literal));
        }
        if mistakes.is_empty() && !segments.contains(&Segment::Key) {
            mistakes.push(TemplateMistake::NoKey);
        }
        if mistakes.is_empty() { Ok(Self { segments, text: text.to_owned() }) } else { Err(mistakes) }
    }

    /// Its pieces, in order; no two literals follow each other.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether every window has its own key; otherwise a window's row takes the place of the last one.
    #[must_use]
    pub fn has_window(&self) -> bool {
        self.segments.iter().any(|segment| matches!(segment, Segment::WindowStart | Segment::WindowEnd))
    }

    /// Appends the Redis key of `key`'s row for `window` to `out`.
    pub fn write(&self, out: &mut Vec<u8>, key: &str, window: Window) {
        let mut digits = itoa::Buffer::new();
        for segment in &self.segments {
            let part = match segment {
                Segment::Literal(text) => text,
                Segment::Key => key,
                Segment::WindowStart => digits.format(window.start.ms()),
                Segment::WindowEnd => digits.format(window.end.ms()),
            };
            out.extend_from_slice(part.as_bytes());
        }
    }

    /// A pattern for Redis `SCAN … MATCH` that finds every key of `key`'s rows. It may find more (`*` is any text):
    /// [`KeyTemplate::matches`] tells them apart.
    #[must_use]
    pub fn scan_pattern(&self, key: &str) -> String {
        let mut pattern = String::new();
        for segment in &self.segments {
            let text = match segment {
                Segment::Literal(text) => text,
                Segment::Key => key,
                Segment::WindowStart | Segment::WindowEnd => {
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

    /// Reads `redis_key` back: `None` unless it is the key of one of `key`'s rows, else what it says of the window.
    #[must_use]
    pub fn matches(&self, key: &str, redis_key: &[u8]) -> Option<KeyWindow> {
        read_back(&self.segments, key, redis_key, KeyWindow::default())
    }
}

impl fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// At most two numbers of at most 20 bytes: trying every length costs nothing.
fn read_back(segments: &[Segment], key: &str, rest: &[u8], window: KeyWindow) -> Option<KeyWindow> {
    let Some((segment, segments)) = segments.split_first() else { return rest.is_empty().then_some(window) };
    match segment {
        Segment::Literal(text) => read_back(segments, key, rest.strip_prefix(text.as_bytes())?, window),
        Segment::Key => read_back(segments, key, rest.strip_prefix(key.as_bytes())?, window),
        Segment::WindowStart | Segment::WindowEnd => (1..=rest.len().min(20)).find_map(|length| {
            let (number, rest) = rest.split_at(length);
            let time = Some(EventTime::from_ms(canonical(number)?));
            let window = match segment {
                Segment::WindowStart => KeyWindow { start: time, ..window },
                _ => KeyWindow { end: time, ..window },
            };
            read_back(segments, key, rest, window)
        }),
    }
}

/// The number that is written exactly like this: no plus sign, no leading zeros.
fn canonical(text: &[u8]) -> Option<i64> {
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
        template("f:{{{user_id}}}").write(&mut out, "u", window(0, 1));
        assert_eq!(out, b"f:{u}");
    }

    #[test]
    fn glob_characters_are_escaped() {
        assert_eq!(template("a*[{user_id}]:{window_start}").scan_pattern("?\\u"), r"a\*\[\?\\u\]:*");
    }

    #[test]
    fn only_a_key_written_for_this_user_is_read_back() {
        let session = template("s:{user_id}:{window_start}");
        let found = session.matches("a:1", b"s:a:1:-5").expect("a:1's key");
        assert_eq!(found, KeyWindow { start: Some(EventTime::from_ms(-5)), end: None });
        // The scan pattern of user "a" finds this one too; it belongs to "a:1".
        assert_eq!(session.matches("a", b"s:a:1:-5"), None);
        for stray in ["s:a:007", "s:a:+5", "s:a:-0", "s:a:", "s:a:1x", "s:a:99999999999999999999", "s:a"] {
            assert_eq!(session.matches("a", stray.as_bytes()), None, "{stray}");
        }
    }

    #[test]
    fn numbers_before_digits_are_told_apart() {
        let odd = template("{window_start}5x{user_id}");
        let mut key = Vec::new();
        odd.write(&mut key, "u", window(55, 60));
        assert_eq!(odd.matches("u", &key).and_then(|found| found.start), Some(EventTime::from_ms(55)));
    }
}
