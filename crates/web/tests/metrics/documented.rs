//! docs/metrics.md lists exactly the metrics there are; those of the process are there on Linux only.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;

use crate::{render_report, reports, route};

const DOCUMENT: &str = include_str!("../../../../docs/metrics.md");

/// The rows of the table as they must be: name, kind, labels, meaning.
fn expected_table_rows(text: &str) -> Vec<String> {
    let mut rows = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) else { continue };
        let kind = lines.next().and_then(|line| line.rsplit(' ').next()).expect("a type behind the help");
        let mut labels = BTreeSet::new();
        while let Some(sample) = lines.next_if(|line| !line.starts_with('#')) {
            labels.extend(label_names(sample).filter(|label| label != "le"));
        }
        let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        rows.push(format!("| `{name}` | {kind} | {labels} | {help} |"));
    }
    rows
}

/// The names in `metric{name="value",other="…"} 1`.
fn label_names(sample: &str) -> impl Iterator<Item = String> {
    let inside = sample.split_once('{').map_or("", |(_, rest)| rest);
    let mut names = Vec::new();
    let (mut name, mut quoted, mut escaped) = (String::new(), false, false);
    for c in inside.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '=' => names.push(std::mem::take(&mut name)),
            ',' => name.clear(),
            '}' => break,
            _ => name.push(c),
        }
    }
    names.into_iter()
}

#[tokio::test]
async fn the_document_lists_every_metric() {
    let mut expected = expected_table_rows(&render_report(&reports::full_report()));
    let served = route::get_metrics(reports::full_report()).await.text;
    expected.extend(expected_table_rows(&served).into_iter().filter(|row| row.starts_with("| `process_")));
    let listed: Vec<_> = DOCUMENT.lines().filter(|line| line.starts_with("| `")).collect();
    assert!(listed == expected, "its rows should be:\n{}", expected.join("\n"));
}
