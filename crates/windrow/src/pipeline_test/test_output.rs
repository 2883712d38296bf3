//! The results of tests as lines for the terminal, and as JSON.

use std::fmt::Write;

use serde_json::json;

use super::difference::{FeatureDifference, TestDifference};
use crate::table;

/// The result of one test.
pub(crate) struct TestResult<'t> {
    pub(crate) name: &'t str,
    /// The line of the test in the pipeline file.
    pub(crate) line: Option<usize>,
    /// All differences. A test without differences has passed.
    pub(crate) differences: Vec<TestDifference>,
}

impl TestResult<'_> {
    pub(crate) fn has_passed(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Returns one line for a test that has passed. For a test that has failed, lines with all differences follow.
pub(crate) fn format_result_lines(result: &TestResult<'_>, file_name: &str) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    if result.has_passed() {
        let _ = writeln!(out, "✓ {}", result.name);
        return out;
    }
    let place = result.line.map(|line| format!("  {file_name}:{line}")).unwrap_or_default();
    let _ = writeln!(out, "✗ {}{place}", result.name);
    for difference in &result.differences {
        let line = difference.line.filter(|line| Some(*line) != result.line);
        let place = line.map(|line| format!(" (line {line})")).unwrap_or_default();
        let _ = writeln!(out, "    {}{place}", difference.message);
        if !difference.features.is_empty() {
            let _ = write!(out, "{}", format_feature_table(&difference.features));
        }
        for explanation in &difference.explanations {
            let _ = writeln!(out, "      {explanation}");
        }
    }
    out
}

fn format_feature_table(features: &[FeatureDifference]) -> String {
    let mut rows = table::create_borderless_table(["      feature", "expected", "actual"]);
    for FeatureDifference { feature, expected, actual } in features {
        rows.add_row([&format!("      {feature}"), expected, actual]);
    }
    let lines = rows.to_string();
    lines.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Returns the result of a test as JSON.
pub(crate) fn result_as_json(result: &TestResult<'_>) -> serde_json::Value {
    let difference = |difference: &TestDifference| {
        let feature = |feature: &FeatureDifference| json!({ "feature": feature.feature, "expected": feature.expected, "actual": feature.actual });
        json!({
            "kind": difference.kind.name(),
            "line": difference.line,
            "message": difference.message,
            "features": difference.features.iter().map(feature).collect::<Vec<_>>(),
            "explanations": difference.explanations,
        })
    };
    json!({
        "name": result.name,
        "line": result.line,
        "passed": result.has_passed(),
        "differences": result.differences.iter().map(difference).collect::<Vec<_>>(),
    })
}
