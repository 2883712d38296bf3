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

use std::fmt;
use std::iter::successors;

use crate::key_template::{KeySegment, KeyTemplate};

/// The bytes with which the automaton can enter a state.
#[derive(Clone, Copy, PartialEq, Debug)]
enum ByteClass {
    Exact(u8),
    Digit,
    Any,
}

impl ByteClass {
    /// Returns the bytes that belong to both classes, or `None` if no byte does.
    fn intersect(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, class) | (class, Self::Any) => Some(class),
            (Self::Digit, Self::Digit) => Some(Self::Digit),
            (Self::Exact(byte), Self::Exact(other)) => (byte == other).then_some(self),
            (Self::Exact(byte), Self::Digit) | (Self::Digit, Self::Exact(byte)) => {
                byte.is_ascii_digit().then_some(Self::Exact(byte))
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

/// The users and windows whose keys an automaton accepts.
#[derive(Clone, Copy, PartialEq)]
enum AcceptedRows {
    /// All users and windows.
    All,
    /// All users except the empty one, and all windows.
    NamedUsers,
    /// The users and windows that are easy to read in a message: no empty user, and no time before 1970.
    Readable,
}

/// A nondeterministic automaton that accepts the keys of one template. State 0 is the start.
struct KeyAutomaton<'a> {
    template: &'a KeyTemplate,
    states: Vec<AutomatonState>,
}

impl<'a> KeyAutomaton<'a> {
    fn new(template: &'a KeyTemplate, rows: AcceptedRows) -> Self {
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
                    if rows != AcceptedRows::All {
                        frontier.clear();
                    }
                    frontier.push(any);
                }
                KeySegment::WindowStart | KeySegment::WindowEnd => {
                    if rows != AcceptedRows::Readable {
                        let minus = automaton.append_automaton_state(ByteClass::Exact(b'-'), index, &frontier);
                        frontier.push(minus);
                    }
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

    /// Returns the user and window into which `run` splits `key`. `run` is a sequence of states in which the automaton
    /// reads `key`.
    fn interpret_key(&self, run: &[usize], key: &[u8]) -> KeyInterpretation {
        let part = |segment: usize| {
            let bytes: Vec<u8> = run
                .iter()
                .zip(key)
                .filter(|(state, _)| self.states[**state].segment_index == segment)
                .map(|(_, byte)| *byte)
                .collect();
            String::from_utf8_lossy(&bytes).escape_debug().to_string()
        };
        let mut interpretation = KeyInterpretation::default();
        for (index, segment) in self.template.segments().iter().enumerate() {
            match segment {
                KeySegment::Literal(_) => {}
                KeySegment::EntityKey => interpretation.user = part(index),
                KeySegment::WindowStart => interpretation.window_parts.push(format!("window start {}", part(index))),
                KeySegment::WindowEnd => interpretation.window_parts.push(format!("window end {}", part(index))),
            }
        }
        interpretation
    }
}

/// The user and the window to which a key belongs, as text for messages.
#[derive(Clone, PartialEq, Default, Debug)]
pub(crate) struct KeyInterpretation {
    pub(crate) user: String,
    /// The window start and the window end, if the template contains them.
    window_parts: Vec<String>,
}

impl fmt::Display for KeyInterpretation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user \"{}\"", self.user)?;
        self.window_parts.iter().try_for_each(|part| write!(f, ", {part}"))
    }
}

/// A Redis key that two rows would share, and the user and window of both rows.
#[derive(Debug)]
pub(crate) struct KeyCollision {
    /// The key, with special characters escaped.
    pub(crate) example_key: String,
    pub(crate) first_interpretation: KeyInterpretation,
    pub(crate) second_interpretation: KeyInterpretation,
}

/// Returns a key that `template` produces for two different pairs of user and window, or `None` if no such key exists.
pub(crate) fn find_self_collision(template: &KeyTemplate) -> Option<KeyCollision> {
    find_clearest_collision(template, template, SharedKeyCriterion::DifferentRuns)
}

/// Returns a key that both templates can produce, or `None` if no such key exists.
pub(crate) fn find_collision(first: &KeyTemplate, second: &KeyTemplate) -> Option<KeyCollision> {
    find_clearest_collision(first, second, SharedKeyCriterion::AnyRuns)
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

/// The number of keys among which [`find_clearest_collision`] searches one with two different users.
const MAX_COMPARED_KEYS: u8 = 8;

/// Returns the key that explains a collision best: a short key of two different users, if the search finds one.
fn find_clearest_collision(
    first: &KeyTemplate,
    second: &KeyTemplate,
    criterion: SharedKeyCriterion,
) -> Option<KeyCollision> {
    let find = |rows, max_count| {
        find_shared_keys(&KeyAutomaton::new(first, rows), &KeyAutomaton::new(second, rows), criterion, max_count)
    };
    let shortest = find(AcceptedRows::All, 1).pop()?;
    let mut examples = find(AcceptedRows::Readable, MAX_COMPARED_KEYS);
    if examples.is_empty() {
        examples = find(AcceptedRows::NamedUsers, MAX_COMPARED_KEYS);
    }
    let has_two_users = |one: &KeyCollision| one.first_interpretation.user != one.second_interpretation.user;
    let clearest = examples.iter().position(has_two_users).unwrap_or(0);
    Some(if examples.is_empty() { shortest } else { examples.swap_remove(clearest) })
}

/// Returns the keys that both automata accept and that are a collision by `criterion`: at most `max_count`, the
/// shortest first. Visits each pair of states at most `max_count` times. Returns at least one key if one exists.
fn find_shared_keys(
    left: &KeyAutomaton<'_>,
    right: &KeyAutomaton<'_>,
    criterion: SharedKeyCriterion,
    max_count: u8,
) -> Vec<KeyCollision> {
    /// A pair of states that the search has reached.
    struct ReachedPair {
        left_state: usize,
        right_state: usize,
        have_runs_differed: bool,
        /// The index of the pair before this one; `None` at the start.
        predecessor: Option<usize>,
        /// The bytes that lead from the predecessor to this pair.
        bytes: ByteClass,
    }

    let differing = criterion == SharedKeyCriterion::DifferentRuns;
    let width = right.states.len();
    let mut visit_counts = vec![0_u8; left.states.len() * width * 2];
    let mut reached = vec![ReachedPair {
        left_state: 0,
        right_state: 0,
        have_runs_differed: false,
        predecessor: None,
        bytes: ByteClass::Any,
    }];
    let mut found = Vec::new();
    let mut current = 0;
    while let Some(&ReachedPair { left_state, right_state, have_runs_differed, .. }) = reached.get(current) {
        let (left_from, right_from) = (&left.states[left_state], &right.states[right_state]);
        if left_from.is_accepting && right_from.is_accepting && (have_runs_differed || !differing) {
            let mut steps: Vec<&ReachedPair> =
                successors(Some(&reached[current]), |pair| pair.predecessor.map(|index| &reached[index])).collect();
            steps.pop(); // the start, to which no byte leads
            steps.reverse();
            let key = choose_example_bytes(steps.iter().map(|step| step.bytes));
            let runs: (Vec<usize>, Vec<usize>) = steps.iter().map(|step| (step.left_state, step.right_state)).unzip();
            found.push(KeyCollision {
                example_key: String::from_utf8_lossy(&key).escape_debug().to_string(),
                first_interpretation: left.interpret_key(&runs.0, &key),
                second_interpretation: right.interpret_key(&runs.1, &key),
            });
            if found.len() == usize::from(max_count) {
                break;
            }
        }
        for &next_left in &left_from.successor_states {
            for &next_right in &right_from.successor_states {
                let (left_to, right_to) = (&left.states[next_left], &right.states[next_right]);
                let Some(bytes) = left_to.incoming_bytes.intersect(right_to.incoming_bytes) else { continue };
                let differ = have_runs_differed || (differing && next_left != next_right);
                let visits = &mut visit_counts[(next_left * width + next_right) * 2 + usize::from(differ)];
                if *visits < max_count {
                    *visits += 1;
                    reached.push(ReachedPair {
                        left_state: next_left,
                        right_state: next_right,
                        have_runs_differed: differ,
                        predecessor: Some(current),
                        bytes,
                    });
                }
            }
        }
        current += 1;
    }
    found
}

/// Returns one byte of each class. Free bytes become different letters, so that two different users look different.
fn choose_example_bytes(classes: impl Iterator<Item = ByteClass>) -> Vec<u8> {
    let mut letters = (b'a'..=b'z').cycle();
    let choose = |class| match class {
        ByteClass::Exact(byte) => byte,
        ByteClass::Digit => b'1',
        ByteClass::Any => letters.next().unwrap_or(b'a'),
    };
    classes.map(choose).collect()
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
            ("f:{u}", "f:{u}", "f:a"),
            ("f:{u}", "f:{u}:{window_start}", "f:a:1"),
            ("a{u}", "ab{u}", "aba"),
            ("{u}", "x:{u}", "x:a"),
            ("{u}:a", "b:{u}", "b:a"),
            ("{u}:a", "a:{u}", "a::a"),
            ("{u}aba", "abab{u}", "ababa"),
            ("f:{u}:{window_start}", "f:{u}:{window_end}", "f:a:1"),
            ("f:{u}:1", "f:{u}:{window_start}", "f:a:1"),
            ("한{u}", "{u}글", "한글"),
        ] {
            let example = find_collision(&template(first), &template(second)).expect(first);
            assert_eq!(example.example_key, key, "{first} {second}: {example:?}");
            assert!(find_collision(&template(second), &template(first)).is_some(), "{second} {first}");
        }
    }

    #[test]
    fn an_example_names_two_different_users_where_there_are_such() {
        for (first, second) in [
            ("f:{u}", "f:{u}:{window_start}"),
            ("a{u}", "ab{u}"),
            ("{u}:a", "a:{u}"),
            ("{u}:{window_start}", "{window_start}:{u}"),
            ("rides:{u}", "rides:session:{u}"),
        ] {
            let example = find_collision(&template(first), &template(second)).expect(first);
            let users = [&example.first_interpretation.user, &example.second_interpretation.user];
            assert!(users[0] != users[1] && users.iter().all(|user| !user.is_empty()), "{first} {second}: {example:?}");
        }
        let example = find_self_collision(&template("{u}{window_start}")).expect("an example");
        assert_eq!(example.example_key, "a11");
        assert_eq!(example.first_interpretation.to_string(), "user \"a1\", window start 1");
        assert_eq!(example.second_interpretation.to_string(), "user \"a\", window start 11");
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
