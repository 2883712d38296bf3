//! The tables of the pipeline file in which the author of the file chooses the names.

use serde_json::{Value, json};

use crate::read::section::SettingValue;
use crate::read::text::TextPattern;

/// A table in which the author of the file chooses the names, such as the table of all feature views.
pub(crate) struct NamedEntries {
    /// The names that an entry can have.
    pub(crate) name: TextPattern,
    /// The kind of value of each entry.
    pub(crate) entry: &'static dyn SettingValue,
    /// The smallest number of entries.
    pub(crate) min_count: usize,
}

impl SettingValue for NamedEntries {
    fn to_schema(&self) -> Value {
        let mut schema = json!({
            "type": "object",
            "propertyNames": self.name.to_schema(),
            "additionalProperties": self.entry.to_schema(),
        });
        if self.min_count > 0 {
            schema["minProperties"] = json!(self.min_count);
        }
        schema
    }
}
