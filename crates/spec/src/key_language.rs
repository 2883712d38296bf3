//! The set of Redis keys that a template can produce, as a small automaton. It decides whether every key has one reading
//! only, and whether two templates can produce the same key.
//!
//! Owns: both decisions and the example that proves them. Does not own: reporting the mistake (the reader of keys).
//!
//! Why this way: comparing templates as text does not show that `f:{user}` and `f:{user}:{window_start}` both produce
//! `f:a:1`, for the users `a:1` and `a`. A user is any sequence of bytes, also an empty one. A window's time is
//! `-?[0-9]+`. Every state of the automaton is one byte of one segment, so two different runs over a key are two different
//! readings of it. Both decisions are a search through pairs of states.

use std::collections::VecDeque;

use crate::key_template::{KeySegment, KeyTemplate};

/// The bytes that lead into a state.
#[derive(Clone, Copy, PartialEq, Debug)]
enum ByteClass {
    Exact(u8),
    Digit,
    Any,
}

impl ByteClass {
    /// Returns a byte that is in both classes.
    fn common_byte(self, other: Self) -> Option<u8> {
        match (self, other) {
            (Self::Any, Self::Any) => Some(b'a'),
            (Self::Digit | Self::Any, Self::Digit | Self::Any) => Some(b'1'),
            (Self::Exact(byte), Self::Exact(other)) => (byte == other).then_some(byte),
            (Self::Exact(byte), Self::Any) | (Self::Any, Self::Exact(byte)) => Some(byte),
            (Self::Exact(byte), Self::Digit) | (Self::Digit, Self::Exact(byte)) => {
                byte.is_ascii_digit().then_some(byte)
            }
        }
    }
}

struct AutomatonState {
    /// The bytes that lead here.
    bytes: ByteClass,
    /// The segment that these bytes belong to.
    segment: usize,
    successors: Vec<usize>,
    is_accepting: bool,
}

/// State 0 is the start.
struct KeyAutomaton<'a> {
    template: &'a KeyTemplate,
    states: Vec<AutomatonState>,
}

impl<'a> KeyAutomaton<'a> {
    fn new(template: &'a KeyTemplate) -> Self {
        let start =
            AutomatonState { bytes: ByteClass::Any, segment: usize::MAX, successors: Vec::new(), is_accepting: false };
        let mut automaton = Self { template, states: vec![start] };
        let mut frontier = vec![0]; // the states in which the segments so far can end
        for (index, segment) in template.segments().iter().enumerate() {
            match segment {
                KeySegment::Literal(text) => {
                    for byte in text.bytes() {
                        frontier = vec![automaton.push_state(ByteClass::Exact(byte), index, &frontier)];
                    }
                }
                KeySegment::EntityKey => {
                    let any = automaton.push_state(ByteClass::Any, index, &frontier);
                    automaton.states[any].successors.push(any);
                    frontier.push(any);
                }
                KeySegment::WindowStart | KeySegment::WindowEnd => {
                    let minus = automaton.push_state(ByteClass::Exact(b'-'), index, &frontier);
                    frontier.push(minus);
                    let digit = automaton.push_state(ByteClass::Digit, index, &frontier);
                    automaton.states[digit].successors.push(digit);
                    frontier = vec![digit];
                }
            }
        }
        for state in frontier {
            automaton.states[state].is_accepting = true;
        }
        automaton
    }

    fn push_state(&mut self, bytes: ByteClass, segment: usize, from: &[usize]) -> usize {
        let state = self.states.len();
        self.states.push(AutomatonState { bytes, segment, successors: Vec::new(), is_accepting: false });
        for before in from {
            self.states[*before].successors.push(state);
        }
        state
    }

    /// Describes the user and the window that a run reads from `key`.
    fn describe_reading(&self, run: &[usize], key: &[u8]) -> String {
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
            KeySegment::Literal(_) => None,
            KeySegment::EntityKey => Some(format!("user \"{}\"", part(index))),
            KeySegment::WindowStart => Some(format!("window start {}", part(index))),
            KeySegment::WindowEnd => Some(format!("window end {}", part(index))),
        });
        named.collect::<Vec<_>>().join(", ")
    }
}

/// A key with two readings.
#[derive(Debug)]
pub(crate) struct KeyConflict {
    /// The key, with special characters escaped.
    pub(crate) key: String,
    /// Its user and window by the first template.
    pub(crate) first_reading: String,
    /// Its other user and window, or those by the second template.
    pub(crate) second_reading: String,
}

/// Returns a key that `template` produces for two different pairs of user and window.
pub(crate) fn find_ambiguity(template: &KeyTemplate) -> Option<KeyConflict> {
    let automaton = KeyAutomaton::new(template);
    find_shared_key(&automaton, &automaton, RunPairs::Different)
}

/// Returns a key that both templates can produce.
pub(crate) fn find_collision(first: &KeyTemplate, second: &KeyTemplate) -> Option<KeyConflict> {
    find_shared_key(&KeyAutomaton::new(first), &KeyAutomaton::new(second), RunPairs::All)
}

/// Which pairs of runs count as a shared key.
#[derive(Clone, Copy, PartialEq)]
enum RunPairs {
    All,
    /// Only runs that differ: two readings of one template.
    Different,
}

/// Returns the shortest key that both automata accept by such a pair of runs.
fn find_shared_key(left: &KeyAutomaton<'_>, right: &KeyAutomaton<'_>, pairs: RunPairs) -> Option<KeyConflict> {
    let differing = pairs == RunPairs::Different;
    type Pair = (usize, usize, bool); // a state of each, and whether the runs have differed so far
    let width = right.states.len();
    let index = |(l, r, differed): Pair| (l * width + r) * 2 + usize::from(differed);
    let mut reached_by: Vec<Option<(Pair, u8)>> = vec![None; left.states.len() * width * 2];
    let start = (0, 0, false);
    let mut queue = VecDeque::from([start]);
    while let Some(pair @ (l, r, differed)) = queue.pop_front() {
        if left.states[l].is_accepting && right.states[r].is_accepting && (differed || !differing) {
            let mut steps = Vec::new();
            let mut at = pair;
            while let Some((before, byte)) = reached_by[index(at)] {
                steps.push((at.0, at.1, byte));
                at = before;
            }
            steps.reverse();
            let key: Vec<u8> = steps.iter().map(|step| step.2).collect();
            let runs: (Vec<usize>, Vec<usize>) = steps.iter().map(|step| (step.0, step.1)).unzip();
            return Some(KeyConflict {
                key: String::from_utf8_lossy(&key).escape_debug().to_string(),
                first_reading: left.describe_reading(&runs.0, &key),
                second_reading: right.describe_reading(&runs.1, &key),
            });
        }
        for &next_l in &left.states[l].successors {
            for &next_r in &right.states[r].successors {
                let Some(byte) = left.states[next_l].bytes.common_byte(right.states[next_r].bytes) else { continue };
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
            let example = find_ambiguity(&template(text)).expect(text);
            assert_ne!(example.first_reading, example.second_reading, "{text}: {example:?}");
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
            assert!(find_ambiguity(&template(text)).is_none(), "{text}");
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
            let example = find_collision(&template(first), &template(second)).expect(first);
            assert_eq!(example.key, key, "{first} {second}: {example:?}");
            assert!(find_collision(&template(second), &template(first)).is_some(), "{second} {first}");
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
            assert!(find_collision(&template(first), &template(second)).is_none(), "{first} {second}");
        }
    }
}
