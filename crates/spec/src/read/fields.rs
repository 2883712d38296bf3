//! Tables read field by field: what is required, what is optional, and what is neither.
//!
//! Owns: the mistakes every table can have (missing, unknown, wrongly typed fields). Does not own: what a value means.

use super::suggestion::{closest, one_of};
use crate::{
    diagnostics::{At, Code, Mistakes},
    document::{Node, Table, Value},
};

/// A value with the path that people know it by.
#[derive(Clone, Debug)]
pub(crate) struct Setting<'a> {
    /// Names from the root, joined by dots.
    pub(crate) path: String,
    pub(crate) at: &'a At,
    pub(crate) value: &'a Value,
}

impl<'a> Setting<'a> {
    pub(crate) fn root(document: &'a Node) -> Self {
        Self { path: String::new(), at: &document.at, value: &document.value }
    }

    pub(crate) fn child(&self, name: &str, node: &'a Node) -> Self {
        Self { path: join(&self.path, name), at: &node.at, value: &node.value }
    }

    /// Its text, which must not be blank; `expected` reads on after "expected".
    pub(crate) fn text(&self, expected: &str, mistakes: &mut Mistakes<'_>) -> Option<&'a str> {
        match self.value {
            Value::Text(text) if text.trim().is_empty() => {
                mistakes.add(Code::EmptyText, self.at, format!("`{}` is empty", self.path), expected);
                None
            }
            Value::Text(text) => Some(text),
            _ => {
                self.wrong_type("text", expected, mistakes);
                None
            }
        }
    }

    /// Its integer.
    pub(crate) fn integer(&self, expected: &str, mistakes: &mut Mistakes<'_>) -> Option<i64> {
        match self.value {
            Value::Integer(integer) => Some(*integer),
            _ => {
                self.wrong_type("an integer", expected, mistakes);
                None
            }
        }
    }

    /// Its fields.
    pub(crate) fn table(&self, expected: &str, mistakes: &mut Mistakes<'_>) -> Option<Fields<'a>> {
        match self.value {
            Value::Table(table) => {
                Some(Fields { setting: self.clone(), table, known: Vec::new(), missing: Vec::new() })
            }
            _ => {
                self.wrong_type("a table", expected, mistakes);
                None
            }
        }
    }

    pub(crate) fn wrong_type(&self, wanted: &str, expected: &str, mistakes: &mut Mistakes<'_>) {
        if matches!(self.value, Value::Broken) {
            return;
        }
        let message = format!("`{}` must be {wanted}, not {}", self.path, self.value.type_name());
        let scalar = matches!(self.value, Value::Integer(_) | Value::Float(_) | Value::Boolean(_));
        let quote = wanted == "text" && scalar && matches!(self.at, At::Override(_));
        mistakes
            .add(Code::WrongType, self.at, message, expected)
            .hint(quote.then(|| format!("quote it: --set '{}=\"…\"'", self.path)));
    }
}

/// A table of which every field is asked for by name; [`Fields::finish`] tells of the others.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) setting: Setting<'a>,
    pub(crate) table: &'a Table,
    known: Vec<&'static str>,
    missing: Vec<(&'static str, &'static str)>,
}

impl<'a> Fields<'a> {
    /// A field that has to be there; `example` is a line (or header) that would do.
    pub(crate) fn required(&mut self, name: &'static str, example: &'static str) -> Option<Setting<'a>> {
        let setting = self.optional(name);
        if setting.is_none() {
            self.missing.push((name, example));
        }
        setting
    }

    pub(crate) fn optional(&mut self, name: &'static str) -> Option<Setting<'a>> {
        self.known.push(name);
        self.table.get(name).map(|entry| self.setting.child(name, &entry.node))
    }

    /// A table inside a table (`source.kafka`) that has to be there; `example` is its header.
    pub(crate) fn required_table(
        &mut self,
        name: &'static str,
        example: &'static str,
        mistakes: &mut Mistakes<'_>,
    ) -> Option<Fields<'a>> {
        self.required(name, example)?.table(&format!("a table: `{example}`"), mistakes)
    }

    /// Notes what is missing, and every field that nobody asked for.
    pub(crate) fn finish(mut self, mistakes: &mut Mistakes<'_>) {
        for entry in self.table.entries.iter().filter(|entry| !self.known.contains(&entry.name.as_str())) {
            let suggestion = closest(&entry.name, self.known.iter().copied());
            // A misspelt field is one mistake, not also a missing one.
            self.missing.retain(|(name, _)| Some(*name) != suggestion);
            let message = format!("there is no `{}` {}", entry.name, self.place());
            mistakes
                .add(Code::UnknownField, &entry.name_at, message, one_of(self.known.iter().copied()))
                .hint(suggestion.map(|name| format!("did you mean `{name}`?")));
        }
        for (name, example) in &self.missing {
            let message = format!("`{name}` is missing {}", self.place());
            mistakes.add(Code::MissingField, self.setting.at, message, format!("`{example}`"));
        }
    }

    /// Where this table is, in words.
    fn place(&self) -> String {
        if self.setting.path.is_empty() {
            "in the pipeline file".to_owned()
        } else {
            format!("in [{}]", self.setting.path)
        }
    }
}

/// A path one name longer; names that TOML would quote are quoted.
pub(crate) fn join(path: &str, name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let name = if bare { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}
