//! Any text as a pipeline file.
//!
//! Laws: reading and rendering never panic. Every mistake has a message and lies inside the file. The core can run every
//! accepted pipeline.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use windrow_core::{
    Event, EventTime, FieldType, LateEvent, MAX_PANES_PER_WINDOW, MAX_WINDOW_MS, Row, Shard, ShardOutput, Value,
    Window, WindowKind, pane_size_ms,
};
use windrow_spec::{DiagnosticPlace, Diagnostics, Pipeline, RenderStyle, parse};

const FILE: &str = "p.toml";

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(bytes) else { return Corpus::Reject };
    match parse(FILE, text, &[]) {
        Err(mistakes) => assert_shown(&mistakes, text),
        Ok(pipeline) => {
            assert_sound(&pipeline);
            assert_runs(&pipeline);
        }
    }
    Corpus::Keep
});

fn assert_shown(mistakes: &Diagnostics, text: &str) {
    assert!(mistakes.len() > 0);
    assert_eq!(mistakes.len(), mistakes.iter().count());
    let lines: Vec<&str> = text.split('\n').collect();
    for mistake in mistakes {
        assert!(!mistake.message.is_empty());
        let DiagnosticPlace::File { line, column } = &mistake.place else {
            panic!("there are no overrides: {mistake:?}")
        };
        assert!((1..=lines.len()).contains(line), "line {line} of {}", lines.len());
        // The column after the last character is where something is missing.
        let columns = lines[line - 1].chars().count() + 1;
        assert!((1..=columns).contains(column), "column {column} of {columns} in line {line}");
    }
    let plain = mistakes.render(RenderStyle::Plain);
    let noun = if mistakes.len() == 1 { "mistake" } else { "mistakes" };
    assert!(plain.ends_with(&format!("{} {noun} in {FILE}\n", mistakes.len())), "{plain}");
    assert!(mistakes.render(RenderStyle::Colored).contains("\u{1b}["));
}

/// Checks the requirements of the core's types.
fn assert_sound(pipeline: &Pipeline) {
    assert!(!pipeline.views.is_empty());
    assert!((0..=MAX_WINDOW_MS).contains(&pipeline.watermark.max_out_of_orderness_ms));
    assert!(pipeline.checkpoint.checkpoint_interval_ms >= 1);
    for (view, redis) in pipeline.views_with_redis_specs() {
        assert!(redis.ttl_ms >= 1);
        assert!(!view.features.is_empty());
        match view.window {
            WindowKind::Sliding { size_ms, slide_ms } => {
                assert!((1..=MAX_WINDOW_MS).contains(&size_ms) && (1..=MAX_WINDOW_MS).contains(&slide_ms));
                assert!(size_ms / pane_size_ms(size_ms, slide_ms) <= MAX_PANES_PER_WINDOW);
            }
            WindowKind::Session { gap_ms } => assert!((1..=MAX_WINDOW_MS).contains(&gap_ms)),
        }
        let window = Window { start: EventTime::from_ms(-1), end: EventTime::from_ms(10) };
        let mut key = Vec::new();
        redis.key_template.append_redis_key(&mut key, "u:1", window);
        assert!(redis.key_template.parse_redis_key("u:1", &key).is_some(), "a key is read back");
    }
}

/// Runs every condition, aggregate and default on one event with all fields and one without.
fn assert_runs(pipeline: &Pipeline) {
    let schema = &pipeline.event.schema;
    let views = pipeline.views.iter();
    let mut shard = Shard::new(views, schema, pipeline.watermark.max_out_of_orderness_ms, [0; 16]);
    let whole: Vec<Value<'_>> = schema
        .fields()
        .iter()
        .map(|field| match field.field_type {
            FieldType::String => Value::String("u"),
            FieldType::Double => Value::Double(29.99),
            FieldType::Long => Value::Long(-1),
            FieldType::Boolean => Value::Boolean(true),
        })
        .collect();
    let mut bare = vec![Value::Null; whole.len()];
    bare[0] = Value::String("u");
    let time = EventTime::from_ms(1_704_103_200_000);
    shard.process_event(&Event { entity_key: "u", time, field_values: &whole }, &mut DiscardingOutput);
    shard.process_event(&Event { entity_key: "u", time, field_values: &bare }, &mut DiscardingOutput);
    // An event can be in ten thousand windows, which is valid but slow.
    let windows: i64 = pipeline
        .views
        .iter()
        .map(|view| match view.window {
            WindowKind::Sliding { size_ms, slide_ms } => size_ms / slide_ms,
            WindowKind::Session { .. } => 1,
        })
        .sum();
    if windows < 1_000 {
        shard.finish_input(&mut DiscardingOutput);
        assert_eq!(shard.entity_count(), 0);
    }
}

/// Reads every row and discards it.
struct DiscardingOutput;

impl ShardOutput for DiscardingOutput {
    fn emit_row(&mut self, row: Row<'_>) {
        row.feature_values().for_each(drop);
    }

    fn emit_late_event(&mut self, _late: LateEvent<'_>) {}
}
