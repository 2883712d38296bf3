//! Compares what happened in a test with what it expects.

use windrow_core::Literal;
use windrow_spec::{ExpectedTestRow, ExpectedViewRows, PipelineTest};

use super::difference::{DifferenceKind, FeatureDifference, TestDifference};
use super::missing_row::explain_missing_row;
use super::test_run::{ActualRow, TestRun};
use super::test_texts::{TestTexts, format_value};

/// Two doubles are equal if they agree to about 12 digits, so that an author may write 0.3 for 0.1 + 0.2.
const RELATIVE_DOUBLE_TOLERANCE: f64 = 1e-12;

/// Returns all differences, or an empty list if the test passes.
pub(crate) fn compare_with_expectations(
    test: &PipelineTest,
    run: &TestRun,
    texts: &TestTexts<'_>,
) -> Vec<TestDifference> {
    let mut differences = Vec::new();
    compare_dead_letters(test, run, &mut differences);
    for expected in &test.expected_rows {
        compare_rows(test, expected, run, texts, &mut differences);
    }
    compare_late_events(test, run, texts, &mut differences);
    differences
}

fn compare_rows(
    test: &PipelineTest,
    expected: &ExpectedViewRows,
    run: &TestRun,
    texts: &TestTexts<'_>,
    differences: &mut Vec<TestDifference>,
) {
    let view_id = expected.view_id;
    // A window can write several rows: each expected row of a window takes the next one.
    let mut unmatched: Vec<&ActualRow> = run.rows.iter().filter(|row| row.view_id == view_id).collect();
    for row in &expected.rows {
        match unmatched.iter().position(|actual| is_same_window(row, actual)) {
            Some(index) => differences.extend(compare_features(row, unmatched.remove(index), texts)),
            None => differences.push(TestDifference {
                kind: DifferenceKind::MissingRow,
                line: row.line,
                message: format!("no row of {}", describe_expected_row(expected, row, texts)),
                features: Vec::new(),
                explanations: explain_missing_row(view_id, row, run, texts),
            }),
        }
    }
    if test.allows_other_rows {
        return;
    }
    differences.extend(unmatched.into_iter().map(|actual| TestDifference {
        kind: DifferenceKind::UnexpectedRow,
        line: test.line,
        message: format!("a row that the test does not list: {}", describe_row(actual, texts)),
        features: Vec::new(),
        explanations: vec![
            texts.format_features(view_id, &actual.values),
            format!("add it to `rows.{}`, or write `other_rows = true`", texts.view(view_id).name),
        ],
    }));
}

pub(super) fn is_same_window(expected: &ExpectedTestRow, actual: &ActualRow) -> bool {
    expected.entity_key == actual.entity_key
        && expected.window_start.is_none_or(|start| start == actual.window.start)
        && expected.window_end.is_none_or(|end| end == actual.window.end)
}

fn compare_features(expected: &ExpectedTestRow, actual: &ActualRow, texts: &TestTexts<'_>) -> Option<TestDifference> {
    let view = texts.view(actual.view_id);
    let differing = expected.features.iter().filter_map(|feature| {
        let value = actual.values[feature.feature_index].as_ref();
        (!is_equal_value(feature.value.as_ref(), value)).then(|| FeatureDifference {
            feature: view.features[feature.feature_index].name.to_string(),
            expected: format_value(feature.value.as_ref()),
            actual: format_value(value),
        })
    });
    let features: Vec<FeatureDifference> = differing.collect();
    (!features.is_empty()).then(|| TestDifference {
        kind: DifferenceKind::FeatureValues,
        line: expected.line,
        message: format!("other values in the row of {}", describe_row(actual, texts)),
        features,
        explanations: Vec::new(),
    })
}

fn is_equal_value(expected: Option<&Literal>, actual: Option<&Literal>) -> bool {
    match (expected, actual) {
        (Some(Literal::Double(expected)), Some(Literal::Double(actual))) => is_equal_double(*expected, *actual),
        (expected, actual) => expected == actual,
    }
}

fn is_equal_double(expected: f64, actual: f64) -> bool {
    if expected == actual || (expected.is_nan() && actual.is_nan()) {
        return true;
    }
    let tolerance = RELATIVE_DOUBLE_TOLERANCE * expected.abs().max(actual.abs());
    tolerance.is_finite() && (expected - actual).abs() <= tolerance
}

fn compare_late_events(
    test: &PipelineTest,
    run: &TestRun,
    texts: &TestTexts<'_>,
    differences: &mut Vec<TestDifference>,
) {
    let mut unmatched: Vec<_> = run.late_events.iter().collect();
    for expected in &test.expected_late_events {
        let is_expected = |late: &&super::test_run::ActualLateEvent| {
            late.view_id == expected.view_id
                && late.entity_key == expected.entity_key
                && late.event_time == expected.event_time
        };
        if let Some(index) = unmatched.iter().position(is_expected) {
            unmatched.remove(index);
            continue;
        }
        let (view, entity) = (&texts.view(expected.view_id).name, texts.format_entity(&expected.entity_key));
        let time = texts.format_time(expected.event_time);
        let is_sent = run
            .events
            .iter()
            .any(|event| event.entity_key == expected.entity_key && event.event_time == expected.event_time);
        let explanation = if is_sent {
            format!("the event joined a window of {view} that had not fired")
        } else {
            "no event of the test has this key and this time".to_owned()
        };
        differences.push(TestDifference {
            kind: DifferenceKind::MissingLateEvent,
            line: expected.line,
            message: format!("no late event for {view}: {entity}, {time}"),
            features: Vec::new(),
            explanations: vec![explanation],
        });
    }
    differences.extend(unmatched.into_iter().map(|late| {
        let view = &texts.view(late.view_id).name;
        let watermark = late.watermark.map(|watermark| texts.format_time(watermark)).unwrap_or_default();
        TestDifference {
            kind: DifferenceKind::UnexpectedLateEvent,
            line: test.line,
            message: format!(
                "event {} is late for {view}: {}, {}",
                late.event_number,
                texts.format_entity(&late.entity_key),
                texts.format_time(late.event_time)
            ),
            features: Vec::new(),
            explanations: vec![
                format!("all its windows had fired when it arrived: the watermark was {watermark}"),
                format!("if it should be late, add it to `late.{view}`"),
            ],
        }
    }));
}

fn compare_dead_letters(test: &PipelineTest, run: &TestRun, differences: &mut Vec<TestDifference>) {
    let (expected, actual) = (&test.expected_dead_letters, &run.dead_letters);
    for (part, letter) in expected.iter().zip(actual) {
        if !letter.reason.contains(part.as_str()) {
            differences.push(TestDifference {
                kind: DifferenceKind::DeadLetterReason,
                line: test.line,
                message: format!("event {} is a dead letter for another reason", letter.event_number),
                features: Vec::new(),
                explanations: vec![
                    format!("expected a reason with: {part}"),
                    format!("the reason is: {}", letter.reason),
                ],
            });
        }
    }
    differences.extend(expected.iter().skip(actual.len()).map(|part| TestDifference {
        kind: DifferenceKind::MissingDeadLetter,
        line: test.line,
        message: format!("no dead letter with the reason: {part}"),
        features: Vec::new(),
        explanations: vec!["all other records of the test are events".to_owned()],
    }));
    differences.extend(actual.iter().skip(expected.len()).map(|letter| TestDifference {
        kind: DifferenceKind::UnexpectedDeadLetter,
        line: test.line,
        message: format!("event {} is a dead letter: {}", letter.event_number, letter.reason),
        features: Vec::new(),
        explanations: vec!["if it should be one, add a part of this reason to `dead_letters`".to_owned()],
    }));
}

fn describe_expected_row(expected: &ExpectedViewRows, row: &ExpectedTestRow, texts: &TestTexts<'_>) -> String {
    let window = match (row.window_start, row.window_end) {
        (Some(start), Some(end)) => texts.format_window(windrow_core::Window { start, end }),
        (Some(start), None) => format!("that starts at {}", texts.format_time(start)),
        (None, Some(end)) => format!("that ends at {}", texts.format_time(end)),
        (None, None) => String::new(),
    };
    let view = &texts.view(expected.view_id).name;
    format!("{view} for {}, window {window}", texts.format_entity(&row.entity_key))
}

pub(super) fn describe_row(row: &ActualRow, texts: &TestTexts<'_>) -> String {
    let view = &texts.view(row.view_id).name;
    format!("{view} for {}, window {}", texts.format_entity(&row.entity_key), texts.format_window(row.window))
}
