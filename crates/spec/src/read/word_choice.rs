//! Reads settings that are one of a few words.

use serde_json::{Value, json};

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::read::section::{ReadableValue, SettingValue};
use crate::read::setting::PipelineSetting;
use crate::suggestion::build_closest_name_hint;

/// A setting whose value is one of `words`, each with its meaning.
pub(crate) struct WordChoice<T: 'static> {
    /// If the setting is optional, the first word is the default.
    pub(crate) words: &'static [(&'static str, T)],
    pub(crate) is_optional: bool,
    /// What the words name, for the message about another word: "a unit of time". `None` for a choice of two words,
    /// which the message lists.
    pub(crate) noun: Option<&'static str>,
}

impl<T: Copy> WordChoice<T> {
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + use<T> {
        self.words.iter().map(|(word, _)| *word)
    }

    pub(crate) fn find_word(&self, text: &str) -> Option<T> {
        self.words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning)
    }

    /// Returns the words as text for messages: `"a", "b" or "c"`.
    pub(crate) fn join_quoted_words(&self) -> String {
        let mut names: Vec<String> = self.names().map(|name| format!("\"{name}\"")).collect();
        match names.pop() {
            Some(last) if !names.is_empty() => format!("{} or {last}", names.join(", ")),
            last => last.unwrap_or_default(),
        }
    }

    /// Reports a text that is none of the words.
    pub(crate) fn report_other_word(
        &self,
        setting: &PipelineSetting<'_>,
        hint: Option<String>,
        mistakes: &mut DiagnosticCollector<'_>,
    ) {
        let reason = match self.noun {
            Some(noun) => format!("not {noun}"),
            None => format!("neither {}", self.names().collect::<Vec<_>>().join(" nor ")),
        };
        let message = format!("`{}` is {reason}", setting.path);
        mistakes.report(DiagnosticCode::BadValue, setting.location, message, self.join_quoted_words()).set_hint(hint);
    }
}

impl<T: Copy + Sync> SettingValue for WordChoice<T> {
    fn to_schema(&self) -> Value {
        let mut schema = json!({ "enum": self.names().collect::<Vec<_>>() });
        if let Some((default, _)) = self.words.first().filter(|_| self.is_optional) {
            schema["default"] = json!(default);
        }
        schema
    }
}

impl<T: Copy + Sync> ReadableValue<'_> for WordChoice<T> {
    type Content = T;

    fn read_value(&self, setting: &PipelineSetting<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<T> {
        let text = setting.read_text(&self.join_quoted_words(), mistakes)?;
        let found = self.find_word(text);
        if found.is_none() {
            // A single word needs no hint: the message shows it already.
            let hint = build_closest_name_hint(text, self.names()).filter(|_| self.words.len() > 1);
            self.report_other_word(setting, hint, mistakes);
        }
        found
    }

    fn default_content(&self) -> Option<T> {
        self.words.first().filter(|_| self.is_optional).map(|(_, meaning)| *meaning)
    }
}
