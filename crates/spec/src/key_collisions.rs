//! Finds key templates that are a mistake because two different rows would get the same Redis key. The rows can belong
//! to two templates, or to one template with different users or windows.
//!
//! Owns: the search, which returns one such key as an example. Does not own: reporting the mistake (`read/key.rs`).
//!
//! Why an automaton: comparing templates as text is not enough. For example, `f:{user}` and `f:{user}:{window_start}`
//! both produce `f:a:1`, for the users `a:1` and `a`. The automaton of a template accepts exactly the keys that the
//! template can produce. A user is any sequence of bytes, even an empty one. A window start or end is `-?[0-9]+`. Every
//! state stands for one byte of one segment of the template. A run is a sequence of states in which an automaton can
//! read a key. So two different runs over a key split the key into user and window in two ways. The search visits pairs
//! of states: one state of each automaton.

use std::collections::VecDeque;

use crate::key_template::{KeySegment, KeyTemplate};

/// The bytes with which the automaton can enter a state.
#[derive(Clone, Copy, PartialEq, Debug)]
enum ByteClass {
    Exact(u8),
    Digit,
    Any,
}

impl ByteClass {
    /// Returns a byte that belongs to both classes, or `None` if no byte does.
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
    incoming_bytes: ByteClass,
    /// The index of a segment of the template. A byte with which the automaton enters this state belongs to this
    /// segment.
    segment_index: usize,
    successor_states: Vec<usize>,
    is_accepting: bool,
}

/// A nondeterministic automaton that accepts the keys of one template. State 0 is the start.
struct KeyAutomaton<'a> {
    template: &'a KeyTemplate,
    states: Vec<AutomatonState>,
}

impl<'a> KeyAutomaton<'a> {
    fn new(template: &'a KeyTemplate) -> Self {
        let start = AutomatonState {
            incoming_bytes: ByteClass::Any,
            segment_index: usize::MAX,
            successor_states: Vec::new(),
            is_accepting: false,
        };
        let mut automaton = Self { template, states: vec![start] };
        let mut frontier = vec![0]; // the states in which a run can be after the segments read so far
        for (index, segment) in template.segments().iter().enumerate() {
            match segment {
                KeySegment::Literal(text) => {
                    for byte in text.bytes() {
                        frontier = vec![automaton.append_automaton_state(ByteClass::Exact(byte), index, &frontier)];
                    }
                }
                KeySegment::EntityKey => {
                    let any = automaton.append_automaton_state(ByteClass::Any, index, &frontier);
                    automaton.states[any].successor_states.push(any);
                    frontier.push(any);
                }
                KeySegment::WindowStart | KeySegment::WindowEnd => {
                    let minus = automaton.append_automaton_state(ByteClass::Exact(b'-'), index, &frontier);
                    frontier.push(minus);
                    let digit = automaton.append_automaton_state(ByteClass::Digit, index, &frontier);
                    automaton.states[digit].successor_states.push(digit);
                    frontier = vec![digit];
                }
            }
        }
        for state in frontier {
            automaton.states[state].is_accepting = true;
        }
        automaton
    }

    fn append_automaton_state(&mut self, bytes: ByteClass, segment: usize, from: &[usize]) -> usize {
        let state = self.states.len();
        self.states.push(AutomatonState {
            incoming_bytes: bytes,
            segment_index: segment,
            successor_states: Vec::new(),
            is_accepting: false,
        });
        for before in from {
            self.states[*before].successor_states.push(state);
        }
        state
    }

    /// Returns, as text, the user and window into which `run` splits `key`. `run` is a sequence of states in which the
    /// automaton reads `key`.
    fn describe_interpretation(&self, run: &[usize], key: &[u8]) -> String {
        let part = |segment: usize| {
            let bytes: Vec<u8> = run
                .iter()
                .zip(key)
                .filter(|(state, _)| self.states[**state].segment_index == segment)
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

/// A Redis key that two rows would share, and the user and window of both rows.
#[derive(Debug)]
pub(crate) struct KeyCollision {
    /// The key, with special characters escaped.
    pub(crate) example_key: String,
    /// The user and window of the first row, as text.
    pub(crate) first_interpretation: String,
    /// The user and window of the second row, as text.
    pub(crate) second_interpretation: String,
}

/// Returns a key that `template` produces for two different pairs of user and window, or `None` if no such key exists.
pub(crate) fn find_self_collision(template: &KeyTemplate) -> Option<KeyCollision> {
    let automaton = KeyAutomaton::new(template);
    find_shared_key(&automaton, &automaton, SharedKeyCriterion::DifferentRuns)
}

/// Returns a key that both templates can produce, or `None` if no such key exists.
pub(crate) fn find_collision(first: &KeyTemplate, second: &KeyTemplate) -> Option<KeyCollision> {
    find_shared_key(&KeyAutomaton::new(first), &KeyAutomaton::new(second), SharedKeyCriterion::AnyRuns)
}

/// Which keys that two automata accept are a collision. An automaton reads a key in a run: a sequence of states, which
/// splits the key into user and window.
#[derive(Clone, Copy, PartialEq)]
enum SharedKeyCriterion {
    /// Every key is a collision. This is the criterion for two different templates.
    AnyRuns,
    /// A key is a collision only if the automata accept the key in two different runs. This is the criterion for a
    /// template that is compared with itself. There, two equal runs stand for the same row.
    DifferentRuns,
}

/// Returns the shortest key that both automata accept and that is a collision by `criterion`.
fn find_shared_key(
    left: &KeyAutomaton<'_>,
    right: &KeyAutomaton<'_>,
    criterion: SharedKeyCriterion,
) -> Option<KeyCollision> {
    let differing = criterion == SharedKeyCriterion::DifferentRuns;
    type StatePair = (usize, usize, bool); // a state of each automaton, and whether the two runs have differed so far
    let width = right.states.len();
    let index = |(l, r, differed): StatePair| (l * width + r) * 2 + usize::from(differed);
    let mut reached_by: Vec<Option<(StatePair, u8)>> = vec![None; left.states.len() * width * 2];
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
            return Some(KeyCollision {
                example_key: String::from_utf8_lossy(&key).escape_debug().to_string(),
                first_interpretation: left.describe_interpretation(&runs.0, &key),
                second_interpretation: right.describe_interpretation(&runs.1, &key),
            });
        }
        for &next_l in &left.states[l].successor_states {
            for &next_r in &right.states[r].successor_states {
                let Some(byte) = left.states[next_l].incoming_bytes.common_byte(right.states[next_r].incoming_bytes)
                else {
                    continue;
                };
                let next = (next_l, next_r, differed || (differing && next_l != next_r));
                // Every reached pair of states except the start has an entry in `reached_by`, and no transition leads
                // back to the start. So if `next` has no entry, it has not been reached yet.
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
            let example = find_self_collision(&template(text)).expect(text);
            assert_ne!(example.first_interpretation, example.second_interpretation, "{text}: {example:?}");
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
            assert!(find_self_collision(&template(text)).is_none(), "{text}");
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
            assert_eq!(example.example_key, key, "{first} {second}: {example:?}");
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
