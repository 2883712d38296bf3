//! The set of Redis keys a template can produce, as a small automaton: decides whether a key has one reading only, and
//! whether two templates can produce the same key.
//!
//! Owns: both decisions and the example that proves them. Does not own: telling people (the reader does).
//!
//! Why this way: comparing templates as text cannot see that `f:{user}` and `f:{user}:{window_start}` meet at the user
//! `a:1`. A user is any sequence of bytes, also an empty one; a window's time is `-?[0-9]+`. Every state of the automaton
//! is one byte of one segment, so two different runs over a key are two different readings of it, and both questions are
//! a search through pairs of states.

use std::collections::VecDeque;

use crate::{KeyTemplate, Segment};

/// The bytes a state takes.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Bytes {
    One(u8),
    Digit,
    Any,
}

impl Bytes {
    /// A byte both take.
    fn common(self, other: Self) -> Option<u8> {
        match (self, other) {
            (Self::Any, Self::Any) => Some(b'a'),
            (Self::Digit | Self::Any, Self::Digit | Self::Any) => Some(b'1'),
            (Self::One(byte), Self::One(other)) => (byte == other).then_some(byte),
            (Self::One(byte), Self::Any) | (Self::Any, Self::One(byte)) => Some(byte),
            (Self::One(byte), Self::Digit) | (Self::Digit, Self::One(byte)) => byte.is_ascii_digit().then_some(byte),
        }
    }
}

struct State {
    /// What it took to get here.
    bytes: Bytes,
    /// The segment that byte belongs to.
    segment: usize,
    next: Vec<usize>,
    accepts: bool,
}

/// State 0 is the start.
struct Automaton<'a> {
    template: &'a KeyTemplate,
    states: Vec<State>,
}

impl<'a> Automaton<'a> {
    fn new(template: &'a KeyTemplate) -> Self {
        let start = State { bytes: Bytes::Any, segment: usize::MAX, next: Vec::new(), accepts: false };
        let mut automaton = Self { template, states: vec![start] };
        let mut frontier = vec![0]; // the states that everything before the next segment can end in
        for (index, segment) in template.segments().iter().enumerate() {
            match segment {
                Segment::Literal(text) => {
                    for byte in text.bytes() {
                        frontier = vec![automaton.push(Bytes::One(byte), index, &frontier)];
                    }
                }
                Segment::Key => {
                    let any = automaton.push(Bytes::Any, index, &frontier);
                    automaton.states[any].next.push(any);
                    frontier.push(any);
                }
                Segment::WindowStart | Segment::WindowEnd => {
                    let minus = automaton.push(Bytes::One(b'-'), index, &frontier);
                    frontier.push(minus);
                    let digit = automaton.push(Bytes::Digit, index, &frontier);
                    automaton.states[digit].next.push(digit);
                    frontier = vec![digit];
                }
            }
        }
        for state in frontier {
            automaton.states[state].accepts = true;
        }
        automaton
    }

    fn push(&mut self, bytes: Bytes, segment: usize, from: &[usize]) -> usize {
        let state = self.states.len();
        self.states.push(State { bytes, segment, next: Vec::new(), accepts: false });
        for before in from {
            self.states[*before].next.push(state);
        }
        state
    }

    /// What a run over `key` takes for the user and the window, in words.
    fn reading(&self, run: &[usize], key: &[u8]) -> String {
        let part = |segment: usize| {
            let bytes: Vec<u8> = run
                .iter()
                .zip(key)
                .filter(|(state, _)| self.states[**state].segment == segment)
                .map(|(_, byte)| *byte)
                .collect();
            String::from_utf8_lossy(&bytes).escape_debug().to_string()
        };
        let named = self.template.segments().iter().enumerate().filter_map(|(index, segment)| match segment {
            Segment::Literal(_) => None,
            Segment::Key => Some(format!("user \"{}\"", part(index))),
            Segment::WindowStart => Some(format!("window start {}", part(index))),
            Segment::WindowEnd => Some(format!("window end {}", part(index))),
        });
        named.collect::<Vec<_>>().join(", ")
    }
}

/// A key with two readings.
#[derive(Debug)]
pub(crate) struct Example {
    /// The key, printable.
    pub(crate) key: String,
    /// What it means by the first template.
    pub(crate) first: String,
    /// What else it means, or what it means by the second template.
    pub(crate) second: String,
}

/// A key that `template` produces for two different (user, window) pairs.
pub(crate) fn ambiguity(template: &KeyTemplate) -> Option<Example> {
    let automaton = Automaton::new(template);
    search(&automaton, &automaton, true)
}

/// A key that both templates can produce.
pub(crate) fn collision(first: &KeyTemplate, second: &KeyTemplate) -> Option<Example> {
    search(&Automaton::new(first), &Automaton::new(second), false)
}

/// The shortest key both accept; with `differing`, only by two different runs.
fn search(left: &Automaton<'_>, right: &Automaton<'_>, differing: bool) -> Option<Example> {
    type Pair = (usize, usize, bool); // a state of each, and whether the runs have differed so far
    let width = right.states.len();
    let index = |(l, r, differed): Pair| (l * width + r) * 2 + usize::from(differed);
    let mut reached_by: Vec<Option<(Pair, u8)>> = vec![None; left.states.len() * width * 2];
    let start = (0, 0, false);
    let mut queue = VecDeque::from([start]);
    while let Some(pair @ (l, r, differed)) = queue.pop_front() {
        if left.states[l].accepts && right.states[r].accepts && (differed || !differing) {
            let mut steps = Vec::new();
            let mut at = pair;
            while let Some((before, byte)) = reached_by[index(at)] {
                steps.push((at.0, at.1, byte));
                at = before;
            }
            steps.reverse();
            let key: Vec<u8> = steps.iter().map(|step| step.2).collect();
            let runs: (Vec<usize>, Vec<usize>) = steps.iter().map(|step| (step.0, step.1)).unzip();
            return Some(Example {
                key: String::from_utf8_lossy(&key).escape_debug().to_string(),
                first: left.reading(&runs.0, &key),
                second: right.reading(&runs.1, &key),
            });
        }
        for &next_l in &left.states[l].next {
            for &next_r in &right.states[r].next {
                let Some(byte) = left.states[next_l].bytes.common(right.states[next_r].bytes) else { continue };
                let next = (next_l, next_r, differed || (differing && next_l != next_r));
                // Nothing leads back to the start, so a state without a predecessor is one not seen yet.
                let slot = &mut reached_by[index(next)];
                if slot.is_none() {
                    *slot = Some((pair, byte));
                    queue.push_back(next);
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> KeyTemplate {
        KeyTemplate::parse(text, Some("u")).expect("a template")
    }

    #[test]
    fn templates_with_two_readings_are_found() {
        for text in [
            "x{u}{window_start}",
            "{window_start}{u}",
            "{u}-{window_start}",
            "{u}1{window_start}",
            "{window_start}{window_end}:{u}",
            "{window_start}1{window_end}:{u}",
            "{window_start}:{u}{window_end}",
        ] {
            let example = ambiguity(&template(text)).expect(text);
            assert_ne!(example.first, example.second, "{text}: {example:?}");
        }
    }

    #[test]
    fn templates_with_one_reading_are_left_alone() {
        for text in [
            "{u}",
            "x:{u}",
            "{u}x",
            "x:{u}:{window_start}",
            "{window_start}:{u}",
            "{window_start}:{u}:{window_end}",
            "{u}:{window_start}-{window_end}",
            "{u} {window_end}ms",
            "{window_start}5:{u}",
        ] {
            assert!(ambiguity(&template(text)).is_none(), "{text}");
        }
    }

    #[test]
    fn views_that_can_meet_are_found() {
        for (first, second, key) in [
            ("f:{u}", "f:{u}", "f:"),
            ("f:{u}", "f:{u}:{window_start}", "f::1"),
            ("a{u}", "ab{u}", "ab"),
            ("{u}", "x:{u}", "x:"),
            ("{u}:a", "b:{u}", "b:a"),
            ("{u}aba", "abab{u}", "ababa"),
            ("f:{u}:{window_start}", "f:{u}:{window_end}", "f::1"),
            ("f:{u}:1", "f:{u}:{window_start}", "f::1"),
            ("한{u}", "{u}글", "한글"),
        ] {
            let example = collision(&template(first), &template(second)).expect(first);
            assert_eq!(example.key, key, "{first} {second}: {example:?}");
            assert!(collision(&template(second), &template(first)).is_some(), "{second} {first}");
        }
    }

    #[test]
    fn views_that_cannot_meet_are_left_alone() {
        for (first, second) in [
            ("a:{u}", "b:{u}"),
            ("user_features:{u}", "session_features:{u}:{window_start}"),
            ("{u}a", "{u}b"),
            ("f:{u}:{window_start}", "f:{u}:{window_start}ms"),
            ("{window_start}:{u}", "x{u}"),
            ("한{u}", "하{u}"),
        ] {
            assert!(collision(&template(first), &template(second)).is_none(), "{first} {second}");
        }
    }
}
