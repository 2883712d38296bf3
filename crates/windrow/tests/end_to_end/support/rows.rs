//! Rows as `windrow replay` and Flink print them, compared with rows in Redis.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use windrow_test_support::HANG_TIMEOUT;

use super::redis::{Redis, RowsByKey};

/// The fields of a row, as Redis holds them.
pub(crate) type RowFields = BTreeMap<String, String>;

/// A row with its key in Redis.
pub(crate) struct KeyedRow {
    pub(crate) key: String,
    pub(crate) window_end: i64,
    pub(crate) fields: RowFields,
}

/// Parses a JSON line as a row. Returns `None` for a late event.
pub(crate) fn parse_keyed_row(line: &str) -> Option<KeyedRow> {
    let mut row: Map<String, Value> = serde_json::from_str(line).expect("a JSON line");
    if row.contains_key("late") {
        return None;
    }
    let mut take = |name: &str| row.remove(name).unwrap_or_else(|| panic!("{name} is missing in {line}"));
    let (view, start, end) = (take("feature_view"), take("window_start"), take("window_end"));
    let (start, window_end) = (start.as_i64().expect("a time"), end.as_i64().expect("a time"));
    let user = row["user_id"].as_str().expect("a user").to_owned();
    let key = match view.as_str() {
        Some(view @ ("user_features" | "tally")) => format!("{view}:{user}"),
        Some("session_features") => format!("session_features:{user}:{start}"),
        other => panic!("unknown feature view {other:?}"),
    };
    let fields = row
        .into_iter()
        // A feature that is NULL is an absent field.
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name, value)
        })
        .collect();
    Some(KeyedRow { key, window_end, fields })
}

/// Returns the last row of every key, which Redis holds after all `rows` (JSON lines) were written.
pub(crate) fn last_row_per_key<'a>(rows: impl IntoIterator<Item = &'a str>) -> RowsByKey {
    let mut last: BTreeMap<String, (i64, RowFields)> = BTreeMap::new();
    for row in rows.into_iter().filter(|line| !line.is_empty()).filter_map(parse_keyed_row) {
        let newer = last.get(&row.key).is_none_or(|(latest, _)| row.window_end > *latest);
        if newer {
            last.insert(row.key, (row.window_end, row.fields));
        }
    }
    last.into_iter().map(|(key, (_, fields))| (key, fields)).collect()
}

/// Asserts that Redis holds exactly `expected`. Doubles may differ by a relative error of 1e-9, as sums of panes do.
pub(crate) fn assert_same_rows(expected: &RowsByKey, found: &RowsByKey, what: &str) {
    let only_in = |these: &RowsByKey, those: &RowsByKey| {
        these.keys().filter(|key| !those.contains_key(*key)).cloned().collect::<Vec<_>>()
    };
    let (missing, unexpected) = (only_in(expected, found), only_in(found, expected));
    assert!(
        missing.is_empty() && unexpected.is_empty(),
        "{what}: of {} keys {} are missing, {} are unexpected\nmissing: {missing:?}\nunexpected: {unexpected:?}",
        expected.len(),
        missing.len(),
        unexpected.len(),
    );
    for (key, row) in expected {
        let got = &found[key];
        assert_eq!(row.keys().collect::<Vec<_>>(), got.keys().collect::<Vec<_>>(), "{what}: other fields in {key}");
        for (field, value) in row {
            assert!(values_match(value, &got[field]), "{what}: {key} {field}: expected {value}, found {}", got[field]);
        }
    }
}

fn values_match(expected: &str, found: &str) -> bool {
    if expected == found {
        return true;
    }
    let is_double = |text: &str| text.contains('.') || text.contains('e');
    match (expected.parse::<f64>(), found.parse::<f64>()) {
        (Ok(a), Ok(b)) if is_double(expected) && is_double(found) => {
            (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
        }
        _ => false,
    }
}

/// Waits until Redis holds exactly `expected`.
pub(crate) fn await_same_rows(expected: &RowsByKey, redis: &Redis, what: &str) {
    let until = Instant::now() + HANG_TIMEOUT;
    while Instant::now() < until {
        let found = redis.read_rows();
        let same = |(key, row): (&String, &RowFields)| found.get(key).is_some_and(|found| rows_match(row, found));
        if found.len() == expected.len() && expected.iter().all(same) {
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_same_rows(expected, &redis.read_rows(), what);
}

/// Returns whether two rows have the same fields and values.
pub(crate) fn rows_match(expected: &RowFields, found: &RowFields) -> bool {
    expected.len() == found.len()
        && expected.iter().all(|(field, value)| found.get(field).is_some_and(|found| values_match(value, found)))
}
