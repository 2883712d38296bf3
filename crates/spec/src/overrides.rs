//! `--set path.to.field=value`: replaces values of the file from the command line.
//!
//! Owns: the syntax of an override, and the change of the document. Does not own: whether the field exists, and whether
//! the value is valid. The reader of each section checks an overridden value like any other value, and reports a
//! mistake at the `--set`.

use std::str::FromStr;

use toml::de::{DeTable, DeValue};

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::diagnostics::location::DocumentLocation;
use crate::document::{DocumentNode, DocumentTable, DocumentValue, TableEntry, parse_override_value};
use crate::suggestion::build_closest_name_hint;

/// One `--set path.to.field=value`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PipelineOverride {
    /// The path of the field: the names of its tables, from the root of the file, and its own name, joined by dots. A
    /// name is quoted if TOML requires quotes.
    pub path: String,
    /// The new value in TOML. A value that is not TOML is read as text, so most texts need no quotes. If the field is
    /// text in the file, the value is always read as text.
    pub value: String,
}

/// The error for a `--set` argument that does not have the form `path=value`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` does not have the form path.to.field=value, for example source.kafka.brokers=kafka:9092")]
pub struct OverrideSyntaxError(String);

impl FromStr for PipelineOverride {
    type Err = OverrideSyntaxError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A quoted name may contain a `=`. So the path ends at the first `=` with a complete path before it.
        text.match_indices('=')
            .map(|(equals, _)| (&text[..equals], &text[equals + 1..]))
            .find(|(path, _)| split_override_path(path).is_some())
            .map(|(path, value)| Self { path: path.trim().to_owned(), value: value.to_owned() })
            .ok_or_else(|| OverrideSyntaxError(text.to_owned()))
    }
}

/// Splits `path` into names by TOML's rules for dotted keys. Returns `None` if `path` is not a dotted key.
fn split_override_path(path: &str) -> Option<Vec<String>> {
    let line = format!("{path} = 0");
    let document = DeTable::parse(&line).ok()?;
    let mut names = Vec::new();
    let mut table = document.get_ref();
    loop {
        let mut entries = table.iter();
        let (name, value) = entries.next().filter(|_| entries.next().is_none())?;
        names.push(name.get_ref().to_string());
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            // The value must be the `0` that this function put at the end of `line`. If it is not, `path` contains more
            // than names and dots.
            DeValue::Integer(_) if value.span().end == line.len() => return Some(names),
            _ => return None,
        }
    }
}

/// Returns whether an override changes settings that tests depend on: the event or the feature views.
pub(crate) fn changes_tested_settings(one: &PipelineOverride) -> bool {
    let names = split_override_path(&one.path).unwrap_or_default();
    names.first().is_some_and(|name| name == "event" || name == "feature_view")
}

/// Applies `overrides` to the document, one after the other.
pub(crate) fn apply_overrides(
    overrides: &[PipelineOverride],
    document: &mut DocumentNode,
    mistakes: &mut DiagnosticCollector<'_>,
) {
    for (index, one) in overrides.iter().enumerate() {
        let at = DocumentLocation::Override(index);
        match split_override_path(&one.path) {
            Some(names) => apply_override(document, &names, one, &at, mistakes),
            None => {
                mistakes
                    .report(
                        DiagnosticCode::BadOverride,
                        &at,
                        format!("`{}` is not a valid path", one.path),
                        "names joined by dots",
                    )
                    .set_hint("for example --set source.kafka.brokers=kafka:9092".to_owned());
            }
        }
    }
}

fn apply_override(
    document: &mut DocumentNode,
    names: &[String],
    one: &PipelineOverride,
    at: &DocumentLocation,
    mistakes: &mut DiagnosticCollector<'_>,
) {
    let Some((leaf, parents)) = names.split_last() else { return };
    let DocumentValue::Table(root) = &mut document.value else { return };
    let mut table = root;
    for (depth, name) in parents.iter().enumerate() {
        let index = match table.entries.iter().position(|entry| entry.name == *name) {
            Some(index) => index,
            // An override sets one field, but a feature view needs several. So an override cannot add a view, and the
            // name of a view that is not in the file is a mistake.
            None if depth == 1 && names[0] == "feature_view" => {
                let known: Vec<&str> = table.entries.iter().map(|entry| entry.name.as_str()).collect();
                mistakes
                    .report(
                        DiagnosticCode::BadOverride,
                        at,
                        format!("there is no feature view `{name}`"),
                        "the name of a view in the file",
                    )
                    .set_hint(build_closest_name_hint(name, known));
                return;
            }
            None => {
                let node = DocumentNode { location: at.clone(), value: DocumentValue::Table(DocumentTable::default()) };
                table.entries.push(TableEntry { name: name.clone(), name_location: at.clone(), node });
                table.entries.len() - 1
            }
        };
        match &mut table.entries[index].node.value {
            DocumentValue::Table(inner) => table = inner,
            other => {
                let message = format!("`{}` is {}, not a table", names[..=depth].join("."), other.describe_type());
                mistakes.report(DiagnosticCode::BadOverride, at, message, "a path that leads through tables");
                return;
            }
        }
    }
    let existing = table.entries.iter().position(|entry| entry.name == *leaf);
    let was_text = existing.is_some_and(|index| matches!(table.entries[index].node.value, DocumentValue::Text(_)));
    let text = || DocumentNode { location: at.clone(), value: DocumentValue::Text(one.value.clone()) };
    let node = match parse_override_value(&one.value, at, mistakes) {
        Some(node) if matches!(node.value, DocumentValue::Text(_)) => node,
        Some(DocumentNode { value: DocumentValue::Other("a date or time"), .. }) | None => text(),
        Some(_) if was_text => text(),
        Some(node) => node,
    };
    match existing {
        Some(index) => table.entries[index].node = node,
        None => table.entries.push(TableEntry { name: leaf.clone(), name_location: at.clone(), node }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_ends_at_the_first_equals_sign_outside_of_quotes() {
        let one: PipelineOverride = "a.'x=y'.b=c=d".parse().expect("an override");
        assert_eq!(one, PipelineOverride { path: "a.'x=y'.b".to_owned(), value: "c=d".to_owned() });
        assert_eq!(split_override_path(&one.path).expect("a path"), ["a", "x=y", "b"]);
    }

    #[test]
    fn what_is_not_an_override_says_what_one_looks_like() {
        for text in ["", "a", "=1", "a..b=1", "a\n=1", "a b=1"] {
            let error = text.parse::<PipelineOverride>().expect_err(text).to_string();
            assert!(error.contains("path.to.field=value"), "{error}");
        }
        assert_eq!(split_override_path("a = 0 #"), None);
        assert_eq!(split_override_path("a = 1\nb"), None);
    }
}
