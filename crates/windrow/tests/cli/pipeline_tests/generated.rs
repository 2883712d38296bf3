//! A test that is made from what `windrow replay` writes passes, and fails after any single change of an expectation.

use std::fs;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::windrow::run;

const PIPELINE: &str = include_str!("../windows/every_aggregate.toml");
const STREAMS: u64 = 12;
/// One in this number of changes is tried, chosen at random.
const CHANGES_PER_TRIED_CHANGE: u64 = 9;

/// A small generator of numbers: each seed gives the same numbers on each machine.
struct SeededNumbers(u64);

impl SeededNumbers {
    fn next_below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn choose<'v, T>(&mut self, values: &'v [T; 4]) -> &'v T {
        &values[usize::try_from(self.next_below(4)).expect("a small number")]
    }
}

/// Everything that one stream of events gives.
struct ReplayedStream {
    records: Vec<String>,
    /// The rows of each view, as lists of members.
    rows: Map<String, Value>,
    late: Map<String, Value>,
    dead_letters: Vec<String>,
}

fn random_record(numbers: &mut SeededNumbers) -> String {
    if numbers.next_below(15) == 0 {
        return (*numbers.choose(&["{", "[]", r#"{"user":"a"}"#, r#"{"user":"a","at":1,"price":"x"}"#])).to_owned();
    }
    let at = 1_704_067_200_000_u64 + numbers.next_below(2_400) * 1_000;
    let user = *numbers.choose(&["a", "b", "엔", "quote\" and \\"]);
    let mut event = json!({ "at": at, "user": user });
    for (name, values) in [
        ("page", [json!("home"), json!("cart"), json!(""), Value::Null]),
        ("price", [json!(0.1), json!(2.25), json!(-1e21), Value::Null]),
        ("units", [json!(3), json!(-5), json!(9_007_199_254_740_993_i64), Value::Null]),
        ("member", [json!(true), json!(false), json!(true), Value::Null]),
    ] {
        event[name] = numbers.choose(&values).clone();
    }
    event.to_string()
}

fn replay_stream(seed: u64, folder: &TempDir) -> ReplayedStream {
    let mut numbers = SeededNumbers(seed);
    let count = 1 + numbers.next_below(12);
    let records: Vec<String> = (0..count).map(|_| random_record(&mut numbers)).collect();
    let place = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let [pipeline, events, output, dead] = ["p.toml", "events.jsonl", "rows.jsonl", "dead.jsonl"].map(place);
    fs::write(&events, records.join("\n")).expect("events");
    run(["replay", &pipeline, "--input", &events, "--output", &output, "--dead-letters", &dead]).expect(0);
    let mut rows: Map<String, Value> =
        ["tumbling", "session", "sliding", "sample"].map(|view| (view.to_owned(), json!([]))).into_iter().collect();
    let mut late = Map::new();
    for line in fs::read_to_string(&output).expect("rows").lines() {
        let mut members: Map<String, Value> = serde_json::from_str(line).expect("JSON");
        let view = members.remove("feature_view").and_then(|view| view.as_str().map(str::to_owned)).expect("a view");
        let list = if members.remove("late").is_some() { &mut late } else { &mut rows };
        let list = list.entry(view).or_insert_with(|| json!([]));
        list.as_array_mut().expect("a list").push(Value::Object(members));
    }
    let dead_letters = fs::read_to_string(&dead).expect("dead letters");
    let reason = |line: &str| {
        let letter: Value = serde_json::from_str(line).expect("JSON");
        letter["reason"].as_str().expect("a reason").to_owned()
    };
    ReplayedStream { records, rows, late, dead_letters: dead_letters.lines().map(reason).collect() }
}

/// Writes a value as TOML. A JSON text is a TOML text.
fn to_toml(value: &Value) -> String {
    match value {
        Value::Null => "{ null = true }".to_owned(),
        Value::Array(elements) => format!("[{}]", elements.iter().map(to_toml).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!("{} = {}", json!(name), to_toml(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        value => value.to_string(),
    }
}

fn write_test(name: &str, stream: &ReplayedStream) -> String {
    format!(
        "[[test]]\nname = {}\nend_of_input = true\nevents = {}\nrows = {}\nlate = {}\ndead_letters = {}\n",
        json!(name),
        to_toml(&json!(stream.records)),
        to_toml(&Value::Object(stream.rows.clone())),
        to_toml(&Value::Object(stream.late.clone())),
        to_toml(&json!(stream.dead_letters))
    )
}

/// Returns `value`, changed so little that the file is still valid.
fn change_value(name: &str, value: &Value) -> Value {
    let shift_ms = match name {
        "event_time" => 1,
        // Sliding windows start at multiples of 4, 5 and 10 minutes.
        "window_start" | "window_end" => 20 * 60_000,
        _ => 1,
    };
    match value {
        Value::Null => match name {
            name if name.starts_with("page") || name.ends_with("first") && name.starts_with("never") => json!("x"),
            name if name.starts_with("member_first") || name == "member_last" => json!(true),
            _ => json!(7),
        },
        Value::String(text) => json!(format!("{text}x")),
        Value::Bool(truth) => json!(!truth),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => json!(integer + shift_ms),
            None => json!(number.as_f64().expect("a double") * 1.000_001 + 0.000_001),
        },
        other => other.clone(),
    }
}

/// Returns a test for each single change of an expectation.
fn write_changed_tests(seed: u64, stream: &ReplayedStream) -> Vec<String> {
    let (mut tests, mut numbers) = (Vec::new(), SeededNumbers(seed));
    let mut add = |what: String, rows: &Map<String, Value>, late: &Map<String, Value>, dead_letters: &[String]| {
        if numbers.next_below(CHANGES_PER_TRIED_CHANGE) > 0 {
            return;
        }
        let changed = ReplayedStream {
            records: stream.records.clone(),
            rows: rows.clone(),
            late: late.clone(),
            dead_letters: dead_letters.to_vec(),
        };
        tests.push(write_test(&format!("seed {seed}: {what}"), &changed));
    };
    let ReplayedStream { rows, late, dead_letters, .. } = stream;
    for (kind, lists) in [("rows", rows), ("late", late)] {
        for (view, list) in lists {
            for (index, entry) in list.as_array().expect("a list").iter().enumerate() {
                let mut change = |what: &str, edit: &dyn Fn(&mut Vec<Value>)| {
                    let mut changed = lists.clone();
                    edit(changed[view].as_array_mut().expect("a list"));
                    let (rows, late) = if kind == "rows" { (&changed, late) } else { (rows, &changed) };
                    add(format!("{kind} {view} {index} {what}"), rows, late, dead_letters);
                };
                change("removed", &|list| drop(list.remove(index)));
                change("twice", &|list| list.push(entry.clone()));
                for (name, value) in entry.as_object().expect("a row") {
                    change(name, &|list| {
                        list[index][name] = change_value(name, value);
                        // The two ends of a window of fixed size only move together.
                        let other = if name == "window_start" { "window_end" } else { "window_start" };
                        if name.starts_with("window") {
                            list[index].as_object_mut().expect("a row").remove(other);
                        }
                    });
                }
            }
        }
    }
    for index in 0..dead_letters.len() {
        let mut changed = dead_letters.clone();
        changed[index].push('x');
        add(format!("dead letter {index} changed"), rows, late, &changed);
        changed.remove(index);
        add(format!("dead letter {index} removed"), rows, late, &changed);
    }
    tests
}

fn run_tests(tests: &[String], folder: &TempDir) -> (i32, Value) {
    let path = folder.path().join("tests.toml");
    fs::write(&path, format!("{PIPELINE}\n{}", tests.concat())).expect("a file");
    let tested = run(["test", &path.to_string_lossy(), "--json"]);
    assert_eq!(tested.stderr, "");
    let code = tested.code.expect("it ends");
    (code, serde_json::from_str(tested.text()).expect("JSON"))
}

#[test]
fn a_test_made_from_a_replay_passes_and_any_change_fails() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("p.toml"), PIPELINE).expect("a file");
    let (mut tests, mut changed_tests) = (Vec::new(), Vec::new());
    for seed in 0..STREAMS {
        let stream = replay_stream(seed, &folder);
        tests.push(write_test(&format!("seed {seed}"), &stream));
        changed_tests.extend(write_changed_tests(seed, &stream));
    }
    let (code, report) = run_tests(&tests, &folder);
    assert_eq!((code, report["passed"].as_u64()), (0, Some(STREAMS)), "{report:#}");
    assert!(changed_tests.len() > 300, "{} changes", changed_tests.len());
    let (code, report) = run_tests(&changed_tests, &folder);
    let passed: Vec<_> =
        report["tests"].as_array().expect("a list").iter().filter(|test| test["passed"] == true).collect();
    assert!(code == 20 && passed.is_empty(), "these changes were not noticed: {passed:#?}");
}
