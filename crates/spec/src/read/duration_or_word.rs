//! Reads settings that are a duration or one of a few words, such as `off`.

use serde_json::{Value, json};

use crate::diagnostics::collector::DiagnosticCollector;
use crate::document::DocumentValue;
use crate::read::duration::DurationRange;
use crate::read::section::{ReadableValue, SettingValue};
use crate::read::setting::PipelineSetting;

/// A setting whose value is a duration or one of `words`, each with its meaning.
pub(crate) struct DurationOrWord<T: 'static> {
    /// The bounds of a duration. Messages about other durations name the words too. The range has a default, unless a word
    /// is the default.
    pub(crate) range: DurationRange,
    pub(crate) words: &'static [(&'static str, T)],
    /// The word that is the default, if the range has none.
    pub(crate) default_word: Option<&'static str>,
    /// Returns the meaning of a duration in milliseconds.
    pub(crate) meaning_of_duration: fn(i64) -> T,
}

impl<T: Copy> DurationOrWord<T> {
    fn find_word(&self, text: &str) -> Option<T> {
        self.words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning)
    }
}

impl<T: Copy + Sync> SettingValue for DurationOrWord<T> {
    fn to_schema(&self) -> Value {
        let mut duration = self.range.to_schema();
        let default = duration.as_object_mut().and_then(|schema| schema.remove("default"));
        let words: Vec<&str> = self.words.iter().map(|(word, _)| *word).collect();
        let mut schema = json!({ "anyOf": [{ "enum": words }, duration] });
        if let Some(default) = self.default_word.map(|word| json!(word)).or(default) {
            schema["default"] = default;
        }
        schema
    }

    fn describe_values(&self) -> String {
        self.range.describe_values()
    }
}

impl<T: Copy + Sync> ReadableValue<'_> for DurationOrWord<T> {
    type Content = T;

    fn read_value(&self, setting: &PipelineSetting<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<T> {
        let word = match setting.value {
            DocumentValue::Text(text) => self.find_word(text),
            _ => None,
        };
        word.or_else(|| self.range.read_value(setting, mistakes).map(self.meaning_of_duration))
    }

    fn default_content(&self) -> Option<T> {
        match self.default_word {
            Some(word) => self.find_word(word),
            None => self.range.default_content().map(self.meaning_of_duration),
        }
    }
}
