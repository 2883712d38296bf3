//! Reads the settings of a section by their definitions, and reports missing and unknown settings.
//!
//! Owns: reporting settings that are missing or unknown. Does not own: the meaning of values.

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::document::{DocumentTable, DocumentValue, TableEntry};
use crate::read::section::{DefinedSetting, ReadableValue, SectionDefinition, SettingDefinition};
use crate::read::setting::PipelineSetting;
use crate::suggestion::{find_closest_name, join_names_with_or};

/// A table of the pipeline file whose settings the table's definition lists. All other names in it are unknown:
/// [`TableReader::report_unknown_and_missing_fields`] reports them.
pub(crate) struct TableReader<'a> {
    pub(crate) table_setting: PipelineSetting<'a>,
    pub(crate) table: &'a DocumentTable,
    section: &'static SectionDefinition,
    requested_fields: Vec<&'static str>,
}

/// How to report names that a section does not define.
#[derive(Clone, Copy, Default)]
pub(crate) struct UnknownFieldRules<'r> {
    /// The unknown names that are not reported, because another mistake covers them.
    pub(crate) ignored_names: &'r [&'r str],
    /// Returns a hint for a name that another system uses for a setting of the section.
    pub(crate) foreign_name_hint: Option<fn(&str) -> Option<String>>,
}

impl<'a> TableReader<'a> {
    /// Returns a setting of the section, or `None` if it is not in the file.
    pub(crate) fn find_setting(&mut self, definition: &'static dyn DefinedSetting) -> Option<PipelineSetting<'a>> {
        let name = definition.name();
        self.requested_fields.push(name);
        self.table.get(name).map(|entry| self.table_setting.child_setting(name, &entry.node))
    }

    /// Returns the settings in the file of which the section has exactly one, each with its name.
    pub(crate) fn find_alternatives(&mut self) -> Vec<(&'static str, PipelineSetting<'a>)> {
        let alternatives = self.section.alternatives.iter();
        alternatives
            .filter_map(|alternative| self.find_setting(*alternative).map(|setting| (alternative.name(), setting)))
            .collect()
    }

    /// Returns the content of a setting, or its default if it is not in the file. Returns `None` after a mistake, and
    /// if a required setting is missing.
    pub(crate) fn read_setting<V: ReadableValue<'a>>(
        &mut self,
        definition: &'static SettingDefinition<V>,
        mistakes: &mut DiagnosticCollector<'_>,
    ) -> Option<V::Content> {
        match self.find_setting(definition) {
            Some(setting) => definition.value.read_value(&setting, mistakes),
            None => definition.value.default_content(),
        }
    }

    /// Returns an optional section. All settings of a section that is not in the file have their defaults.
    pub(crate) fn read_section_or_defaults(
        &mut self,
        definition: &'static SettingDefinition<&'static SectionDefinition>,
        mistakes: &mut DiagnosticCollector<'_>,
    ) -> Option<TableReader<'a>> {
        static NO_SETTINGS: DocumentValue = DocumentValue::Table(DocumentTable { entries: Vec::new() });
        let absent = PipelineSetting { value: &NO_SETTINGS, ..self.table_setting.clone() };
        let setting = self.find_setting(definition).unwrap_or(absent);
        definition.value.read_value(&setting, mistakes)
    }

    /// Returns the entries whose names the section does not define.
    pub(crate) fn unknown_entries(&self) -> impl Iterator<Item = &'a TableEntry> + use<'a> {
        let section = self.section;
        self.table.entries.iter().filter(move |entry| !section.setting_names().any(|name| name == entry.name))
    }

    /// Reports the required settings that are missing, and the names that the section does not define.
    pub(crate) fn report_unknown_and_missing_fields(self, mistakes: &mut DiagnosticCollector<'_>) {
        self.report_unknown_and_missing_fields_with(&UnknownFieldRules::default(), mistakes);
    }

    /// Reports the required settings that are missing, and the names that the section does not define, by `rules`.
    pub(crate) fn report_unknown_and_missing_fields_with(
        self,
        rules: &UnknownFieldRules<'_>,
        mistakes: &mut DiagnosticCollector<'_>,
    ) {
        debug_assert!(
            self.section.setting_names().all(|name| self.requested_fields.contains(&name)),
            "a reader ignores a setting of its section: {:?}",
            self.requested_fields
        );
        let known = || self.section.setting_names();
        let mut missing: Vec<(&str, &str)> = self
            .section
            .all_settings()
            .filter(|setting| self.table.get(setting.name()).is_none())
            .filter_map(|setting| Some((setting.name(), setting.required_example()?)))
            .collect();
        for entry in self.unknown_entries().filter(|entry| !rules.ignored_names.contains(&entry.name.as_str())) {
            let suggestion = find_closest_name(&entry.name, known());
            // A misspelt required field is reported as unknown, and not also as missing.
            missing.retain(|(name, _)| Some(*name) != suggestion);
            let message = format!("unknown field `{}` {}", entry.name, self.describe_table_position());
            let foreign_name_hint = rules.foreign_name_hint.and_then(|find_hint| find_hint(&entry.name));
            let hint = foreign_name_hint.or_else(|| suggestion.map(|name| format!("did you mean `{name}`?")));
            mistakes
                .report(DiagnosticCode::UnknownField, &entry.name_location, message, join_names_with_or(known()))
                .set_hint(hint);
        }
        for (name, example) in &missing {
            let message = format!("`{name}` is missing {}", self.describe_table_position());
            mistakes.report(DiagnosticCode::MissingField, self.table_setting.location, message, format!("`{example}`"));
        }
    }

    /// Returns the position of the table in the file as text for messages: `in [source.kafka]`.
    fn describe_table_position(&self) -> String {
        if self.table_setting.path.is_empty() {
            "in the pipeline file".to_owned()
        } else {
            format!("in [{}]", self.table_setting.path)
        }
    }
}

impl<'a> ReadableValue<'a> for &'static SectionDefinition {
    type Content = TableReader<'a>;

    fn read_value(
        &self,
        setting: &PipelineSetting<'a>,
        mistakes: &mut DiagnosticCollector<'_>,
    ) -> Option<TableReader<'a>> {
        let table = setting.read_table(self.expected, mistakes)?;
        Some(TableReader { table_setting: setting.clone(), table, section: self, requested_fields: Vec::new() })
    }

    fn default_content(&self) -> Option<TableReader<'a>> {
        None
    }
}
