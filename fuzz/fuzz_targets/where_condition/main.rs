//! Any text as the `where` of a feature in an otherwise valid pipeline file.
//!
//! Laws: reading never panics. Every mistake lies on the condition's line. An accepted condition agrees with the slow
//! evaluation for every mixture of values and NULLs. `NOT (c)` and `c` are never both true. `(c)`, `c AND c` and `c OR c`
//! are true exactly where `c` is.

#![no_main]

mod slow_truth;

use libfuzzer_sys::{Corpus, fuzz_target};
use windrow_core::{Condition, Value};
use windrow_spec::{DiagnosticPlace, Diagnostics, RenderStyle, parse};

/// A short pipeline with a field of each type, up to the condition of its only feature.
const PIPELINE: &str = r#"
name = "p"
source.kafka = { brokers = "b:9092", topic = "t", group = "g" }
watermark.max_out_of_orderness = "0s"
sink.redis.url = "redis://h"
[event]
key = "user_id"
time = "event_time"
[event.fields]
quantity = "long"
member = "boolean"
"a b" = "string"
event_type = "string"
price = "double"
[feature_view.v]
window.session.gap = "10m"
key = "v:{user_id}"
ttl = "1h"
features.n = { count = "*", where = ""#;

/// The values of fields of each type.
const STRINGS: [Value<'_>; 3] = [Value::Null, Value::String("view"), Value::String("")];
const LONGS: [Value<'_>; 3] = [Value::Null, Value::Long(1), Value::Long(i64::MIN)];
const BOOLEANS: [Value<'_>; 3] = [Value::Null, Value::Boolean(true), Value::Boolean(false)];
const DOUBLES: [Value<'_>; 3] = [Value::Null, Value::Double(1.0), Value::Double(-9_223_372_036_854_775_808.0)];

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(bytes) else { return Corpus::Reject };
    match compiled(text) {
        Ok(condition) => assert_laws(text, &condition),
        Err(mistakes) => assert_placed(&mistakes),
    }
    Corpus::Keep
});

/// Returns the line of the condition in the pipeline file, counted from 1.
fn its_line() -> usize {
    PIPELINE.matches('\n').count() + 1
}

fn compiled(condition: &str) -> Result<Condition, Box<Diagnostics>> {
    let text = format!("{PIPELINE}{}\" }}\n", escaped(condition));
    let pipeline = parse("p.toml", &text, &[])?;
    Ok(pipeline.views[0].features[0].condition.clone().expect("the feature has a condition"))
}

/// Escapes `text` for a quoted TOML string.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

fn assert_placed(mistakes: &Diagnostics) {
    for mistake in mistakes {
        let DiagnosticPlace::File { line, .. } = mistake.place else { panic!("there are no overrides: {mistake:?}") };
        assert_eq!(line, its_line(), "{mistake:?}");
        assert!(!mistake.message.is_empty() && !mistake.expected.is_empty(), "{mistake:?}");
    }
    assert!(mistakes.render(RenderStyle::Plain).contains("mistake"));
}

fn assert_laws(text: &str, condition: &Condition) {
    // A longer or deeper condition may be refused for its size.
    let negated = compiled(&format!("NOT ({text})")).ok();
    let nested = compiled(&format!("({text})")).ok();
    let twice = compiled(&format!("({text}) AND ({text})")).ok();
    let either = compiled(&format!("({text}) OR ({text})")).ok();
    for_each_event(|fields| {
        let truth = condition.matches(fields);
        assert_eq!(truth, slow_truth::is_true(condition, fields), "{condition:?} for {fields:?}");
        assert!(!(truth && negated.as_ref().is_some_and(|negated| negated.matches(fields))), "{fields:?}");
        for same in [&nested, &twice, &either].into_iter().flatten() {
            assert_eq!(same.matches(fields), truth, "{fields:?}");
        }
    });
}

fn for_each_event(mut each: impl FnMut(&[Value<'_>])) {
    for choice in 0..3_usize.pow(5) {
        let pick = |place: u32| choice / 3_usize.pow(place) % 3;
        let key = Value::String("111");
        each(&[key, LONGS[pick(0)], BOOLEANS[pick(1)], STRINGS[pick(2)], STRINGS[pick(3)], DOUBLES[pick(4)]]);
    }
}
