//! Compares result files of `windrow replay` as multisets of rows.
//!
//! Two rows agree when they have the same members and all values agree. Floating-point numbers may differ by a relative
//! error of 1e-9, since sums may be added up in another order. All other values must be equal, and an integer never agrees
//! with a floating-point number.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value};

/// The relative error that rounding may cause.
const TOLERANCE: f64 = 1e-9;
/// How many differences an error lists; it counts the rest.
const LISTED: usize = 10;

/// Compares two result files. Returns the number of rows, or a report of the first differences.
pub(crate) fn compare_rows(expected: &str, actual: &str) -> Result<usize, String> {
    let (mut expected, mut actual) = (RowGroups::read(expected)?, RowGroups::read(actual)?);
    let mut differences = Vec::new();
    let mut agree = 0;
    for (exact, wanted) in &mut expected.0 {
        let mut got = actual.0.remove(exact).unwrap_or_default();
        wanted.sort_by(NumericRow::compare_numbers);
        got.sort_by(NumericRow::compare_numbers);
        for index in 0..wanted.len().max(got.len()) {
            match (wanted.get(index), got.get(index)) {
                (Some(wanted), Some(got)) if wanted.is_close(got) => agree += 1,
                (Some(wanted), Some(got)) => {
                    differences.push(format!("line {}: expected {} but got {}", got.line, wanted.row, got.row));
                }
                (Some(wanted), None) => differences.push(format!("missing: {}", wanted.row)),
                (None, Some(got)) => differences.push(format!("line {}: not expected: {}", got.line, got.row)),
                (None, None) => {}
            }
        }
    }
    for got in actual.0.into_values().flatten() {
        differences.push(format!("line {}: not expected: {}", got.line, got.row));
    }
    if differences.is_empty() { Ok(agree) } else { Err(describe_differences(agree, &differences)) }
}

fn describe_differences(agree: usize, differences: &[String]) -> String {
    let mut text = format!("{agree} rows agree, {} differ:\n", differences.len());
    for difference in differences.iter().take(LISTED) {
        let _ = writeln!(text, "  {difference}"); // writing to a string does not fail
    }
    if differences.len() > LISTED {
        let _ = writeln!(text, "  … and {} more", differences.len() - LISTED);
    }
    text
}

/// Rows, grouped by everything that has to be equal.
struct RowGroups(BTreeMap<String, Vec<NumericRow>>);

/// A row's floating-point numbers, in the order of their members' names.
struct NumericRow {
    numbers: Vec<f64>,
    row: String,
    line: usize,
}

impl RowGroups {
    fn read(text: &str) -> Result<Self, String> {
        let mut groups: BTreeMap<String, Vec<NumericRow>> = BTreeMap::new();
        for (line, row) in (1..).zip(text.lines()).filter(|(_, row)| !row.trim().is_empty()) {
            let members: Map<String, Value> =
                serde_json::from_str(row).map_err(|error| format!("line {line} is no row: {error}: {row}"))?;
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            let exact: Vec<String> = sorted
                .iter()
                .map(|(name, value)| if value.is_f64() { format!("{name:?}") } else { format!("{name:?}={value}") })
                .collect();
            let numbers = sorted.values().filter(|value| value.is_f64()).filter_map(|value| value.as_f64()).collect();
            groups.entry(exact.join(",")).or_default().push(NumericRow { numbers, row: row.to_owned(), line });
        }
        Ok(Self(groups))
    }
}

impl NumericRow {
    fn compare_numbers(&self, other: &Self) -> std::cmp::Ordering {
        let pairs = self.numbers.iter().zip(&other.numbers);
        pairs.map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    }

    fn is_close(&self, other: &Self) -> bool {
        let mut pairs = self.numbers.iter().zip(&other.numbers);
        pairs.all(|(a, b)| (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0))
    }
}
