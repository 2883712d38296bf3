//! Explains why a row that a test expects was not written.

use windrow_core::{EventTime, ViewId, Window, WindowKind};
use windrow_spec::{ExpectedTestRow, find_similar_names};

use super::test_run::{ActualRow, DecodedEvent, TestRun};
use super::test_texts::TestTexts;

/// Returns sentences about the missing row: why its window has not fired or has no events, and the most similar row.
pub(super) fn explain_missing_row(
    view_id: ViewId,
    expected: &ExpectedTestRow,
    run: &TestRun,
    texts: &TestTexts<'_>,
) -> Vec<String> {
    let events: Vec<&DecodedEvent> =
        run.events.iter().filter(|event| event.entity_key == expected.entity_key).collect();
    if events.is_empty() {
        return vec![explain_unknown_entity(expected, run, texts)];
    }
    let of_entity = |row: &&ActualRow| row.view_id == view_id && row.entity_key == expected.entity_key;
    let open = run.open_rows.iter().filter(of_entity).find(|row| is_expected_window(expected, row.window));
    let mut explanations = Vec::new();
    if let Some(open) = open {
        explanations.extend(explain_open_window(open.window, run, texts));
        explanations.push(format!("so far, its row is: {}", texts.format_features(view_id, &open.values)));
        return explanations;
    }
    if let WindowKind::Sliding { size_ms, .. } = texts.view(view_id).window {
        explanations
            .extend(complete_window(expected, size_ms).map(|window| explain_empty_window(window, &events, texts)));
    }
    let rows = run.rows.iter().filter(of_entity).map(|row| (row, "the nearest row"));
    let open_rows = run.open_rows.iter().filter(of_entity).map(|row| (row, "the nearest window, which is still open,"));
    if let Some((nearest, noun)) = rows.chain(open_rows).min_by_key(|(row, _)| distance_ms(expected, row.window)) {
        explanations.push(format!(
            "{noun} of {} is {}: {}",
            texts.format_entity(&nearest.entity_key),
            texts.format_window(nearest.window),
            texts.format_features(view_id, &nearest.values)
        ));
    } else if explanations.is_empty() {
        explanations.push(format!("all events of {} are late", texts.format_entity(&expected.entity_key)));
    }
    explanations
}

fn explain_unknown_entity(expected: &ExpectedTestRow, run: &TestRun, texts: &TestTexts<'_>) -> String {
    let none = format!("no event of the test has {}", texts.format_entity(&expected.entity_key));
    let mut keys: Vec<&str> = run.events.iter().map(|event| event.entity_key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    match find_similar_names(&expected.entity_key, keys.iter().copied(), 1).first() {
        Some(similar) => format!("{none}; did you mean {similar:?}?"),
        None if keys.is_empty() => "no record of the test is an event".to_owned(),
        None => {
            let quoted: Vec<String> = keys.iter().take(5).map(|key| format!("{key:?}")).collect();
            format!("{none}; its events have {}", quoted.join(", "))
        }
    }
}

fn explain_open_window(window: Window, run: &TestRun, texts: &TestTexts<'_>) -> [String; 2] {
    let delay_ms = texts.pipeline.watermark.max_out_of_orderness_ms;
    let firing_event_time = EventTime::from_ms(window.end.ms() + delay_ms);
    let watermark = run.watermark.map(|watermark| texts.format_time(watermark)).unwrap_or_default();
    [
        format!(
            "the window has not fired: the watermark is {watermark}, and it fires at {}",
            texts.format_time(window.last_ms())
        ),
        format!("an event of {} or later fires it, or `end_of_input = true`", texts.format_time(firing_event_time)),
    ]
}

/// Explains why a window without a row has no events: there are none, or they arrived after it had fired.
fn explain_empty_window(window: Window, events: &[&DecodedEvent], texts: &TestTexts<'_>) -> String {
    let inside = |event: &&&DecodedEvent| window.start <= event.event_time && event.event_time < window.end;
    let numbers: Vec<String> = events.iter().filter(inside).map(|event| event.event_number.to_string()).collect();
    if !numbers.is_empty() {
        let noun = if numbers.len() == 1 { "event" } else { "events" };
        return format!("{noun} {} of this window arrived after it had fired", numbers.join(", "));
    }
    let distance = |event: &&&DecodedEvent| {
        let (from, to) = (window.start.ms() - event.event_time.ms(), event.event_time.ms() - window.end.ms());
        from.max(to)
    };
    let nearest = events.iter().min_by_key(distance).map(|event| {
        format!("; the nearest is event {} at {}", event.event_number, texts.format_time(event.event_time))
    });
    format!("no event of this entity is in this window{}", nearest.unwrap_or_default())
}

/// Returns the whole window of an expected row of a sliding view.
fn complete_window(expected: &ExpectedTestRow, size_ms: i64) -> Option<Window> {
    let from_start = expected.window_start.map(EventTime::ms);
    let start = from_start.or_else(|| expected.window_end.map(|end| end.ms() - size_ms))?;
    Some(Window { start: EventTime::from_ms(start), end: EventTime::from_ms(start + size_ms) })
}

fn is_expected_window(expected: &ExpectedTestRow, window: Window) -> bool {
    expected.window_start.is_none_or(|start| start == window.start)
        && expected.window_end.is_none_or(|end| end == window.end)
}

fn distance_ms(expected: &ExpectedTestRow, window: Window) -> u64 {
    let between = |one: Option<EventTime>, other: EventTime| one.map_or(0, |one| one.ms().abs_diff(other.ms()));
    between(expected.window_start, window.start).max(between(expected.window_end, window.end))
}
