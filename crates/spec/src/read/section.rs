//! The tables of settings: which settings a section of the pipeline file has, and which values they accept.
//!
//! Each section has one table, a static [`SectionDefinition`] beside its reader. The readers take from it the known
//! names, the required settings, the bounds and the defaults. [`crate::schema`] turns the same tables into the JSON
//! Schema of the file, so the schema and the readers cannot differ in any of these.
//!
//! Owns: the shape of the tables, and the part of the schema that a section becomes. Does not own: the kinds of values
//! ([`crate::read::duration`] and others), reading a section ([`crate::read::table_reader`]).

use serde_json::{Value, json};

use crate::diagnostics::collector::DiagnosticCollector;
use crate::read::setting::PipelineSetting;

/// The settings of a section, or of another table with fixed names.
pub(crate) struct SectionDefinition {
    /// What to write instead of a value that is not a table: the end of a sentence that begins with "expected".
    pub(crate) expected: &'static str,
    /// Settings of which the section has exactly one.
    pub(crate) alternatives: &'static [&'static dyn DefinedSetting],
    /// The other settings.
    pub(crate) settings: &'static [&'static dyn DefinedSetting],
}

impl SectionDefinition {
    pub(crate) fn all_settings(&self) -> impl Iterator<Item = &'static dyn DefinedSetting> + use<> {
        self.alternatives.iter().chain(self.settings).copied()
    }

    pub(crate) fn setting_names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.all_settings().map(|setting| setting.name())
    }

    pub(crate) fn alternative_names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.alternatives.iter().map(|setting| setting.name())
    }
}

/// A setting of the pipeline file. `V` is the kind of its value.
pub(crate) struct SettingDefinition<V> {
    name: &'static str,
    required_example: Option<&'static str>,
    description: &'static str,
    pub(crate) value: V,
}

impl<V> SettingDefinition<V> {
    /// The message about the missing setting shows `example`, a valid line or header.
    pub(crate) const fn required(
        name: &'static str,
        example: &'static str,
        value: V,
        description: &'static str,
    ) -> Self {
        Self { name, required_example: Some(example), description, value }
    }

    pub(crate) const fn optional(name: &'static str, value: V, description: &'static str) -> Self {
        Self { name, required_example: None, description, value }
    }
}

/// A setting whose kind of value is not known to the caller.
pub(crate) trait DefinedSetting: Sync {
    fn name(&self) -> &'static str;

    /// Returns a valid line or header if the setting is required.
    fn required_example(&self) -> Option<&'static str>;

    fn to_schema(&self) -> Value;
}

impl<V: SettingValue> DefinedSetting for SettingDefinition<V> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn required_example(&self) -> Option<&'static str> {
        self.required_example
    }

    fn to_schema(&self) -> Value {
        let mut schema = self.value.to_schema();
        let note = self.value.describe_values();
        let separator = if note.is_empty() { "" } else { " " };
        schema["description"] = json!(format!("{}{separator}{note}", self.description));
        schema
    }
}

/// A kind of value, with its bounds.
pub(crate) trait SettingValue: Sync {
    /// Returns the JSON Schema of the accepted values. It accepts each value that the reader accepts. It also accepts
    /// values that only the reader can refuse, such as a condition with an undeclared field.
    fn to_schema(&self) -> Value;

    /// Returns sentences about bounds that a JSON Schema cannot express.
    fn describe_values(&self) -> String {
        String::new()
    }
}

/// A kind of value that is read in the same way in all sections.
pub(crate) trait ReadableValue<'a>: SettingValue {
    type Content;

    /// Returns the content of a setting in the file, or reports a mistake.
    fn read_value(
        &self,
        setting: &PipelineSetting<'a>,
        mistakes: &mut DiagnosticCollector<'_>,
    ) -> Option<Self::Content>;

    /// Returns the content of an optional setting that is not in the file.
    fn default_content(&self) -> Option<Self::Content>;
}

impl SettingValue for &'static SectionDefinition {
    fn to_schema(&self) -> Value {
        let properties: serde_json::Map<String, Value> =
            self.all_settings().map(|setting| (setting.name().to_owned(), setting.to_schema())).collect();
        let required: Vec<&str> = self
            .all_settings()
            .filter(|setting| setting.required_example().is_some())
            .map(|setting| setting.name())
            .collect();
        let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        if !self.alternatives.is_empty() {
            schema["oneOf"] = self.alternative_names().map(|name| json!({ "required": [name] })).collect();
        }
        schema
    }
}
