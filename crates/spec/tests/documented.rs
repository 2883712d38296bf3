//! docs/pipeline.md describes exactly the settings that the reader knows, and its examples are valid.
//!
//! The test asks the reader itself: an unknown name in a table makes it list the names that it knows there.

#![expect(clippy::panic, reason = "a refused example fails the test with its rendered mistakes")]

use std::collections::{BTreeMap, BTreeSet};

use toml::de::{DeTable, DeValue};
use windrow_spec::{Diagnostic, DiagnosticCode, Diagnostics, Pipeline, SecretSource, parse_with_secrets};

const PAGE: &str = include_str!("../../../docs/pipeline.md");
const OTHER_PAGES: [(&str, &str); 3] = [
    ("README.md", include_str!("../../../README.md")),
    ("README.ko.md", include_str!("../../../README.ko.md")),
    ("docs/quick_start.md", include_str!("../../../docs/quick_start.md")),
];
/// A name that no table of the pipeline file has.
const UNKNOWN_NAME: &str = "no_such_name";
/// The settings that every file needs, with a view and a feature called `NAME` as in the tables of the page.
const SMALLEST_FILE: &str = r#"
    name = "p"
    source.kafka = { brokers = "b:9092", topic = "t", group = "g" }
    event = { key = "user_id", time = "event_time", fields.price = "double" }
    watermark.max_out_of_orderness = "10s"
    sink.redis.url = "redis://h"
    feature_view.NAME = { window.tumbling.size = "1h", key = "f:{user_id}", ttl = "2h", features.NAME.count = "*" }
"#;

/// The settings of a pipeline file: each path with its value in TOML.
#[derive(Clone, Debug)]
struct PipelineSettings(BTreeMap<String, String>);

impl PipelineSettings {
    fn from_toml(text: &str) -> Self {
        let document = DeTable::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let mut settings = Self(BTreeMap::new());
        settings.add_table("", document.get_ref(), text);
        settings
    }

    fn add_table(&mut self, path: &str, table: &DeTable<'_>, text: &str) {
        for (name, value) in table {
            let child = if path.is_empty() { name.get_ref().to_string() } else { format!("{path}.{}", name.get_ref()) };
            match value.get_ref() {
                DeValue::Table(inner) => self.add_table(&child, inner, text),
                _ => drop(self.0.insert(child, text[value.span()].to_owned())),
            }
        }
    }

    /// Returns the smallest file, prepared for `path`: a window and an aggregate do not conflict with the one in `path`.
    fn prepared_for(path: &str) -> Self {
        let mut settings = Self::from_toml(SMALLEST_FILE);
        if path.contains(".window.") {
            settings.remove("feature_view.NAME.window");
        }
        if path.starts_with("event.time.") {
            settings.remove("event.time");
            settings.0.insert("event.time.field".to_owned(), "\"event_time\"".to_owned());
        }
        if path.contains(".window.sliding.") {
            settings.0.insert("feature_view.NAME.window.sliding.size".to_owned(), "\"1h\"".to_owned());
            settings.0.insert("feature_view.NAME.window.sliding.slide".to_owned(), "\"10m\"".to_owned());
        }
        if path.starts_with("test.") {
            settings.0.insert("test.name".to_owned(), "\"a test\"".to_owned());
            settings.0.insert("test.events".to_owned(), "[]".to_owned());
        }
        if path == "source.kafka.on_misplaced" {
            settings.0.insert("source.kafka.partitioner".to_owned(), "\"murmur2\"".to_owned());
        }
        if path.starts_with("feature_view.NAME.features.NAME.")
            && !path.ends_with(".where")
            && !path.ends_with(".default")
        {
            settings.remove("feature_view.NAME.features.NAME");
        }
        settings
    }

    fn with(&self, path: &str, value: &str) -> Self {
        let mut changed = self.clone();
        changed.remove(path);
        changed.0.insert(path.to_owned(), value.to_owned());
        changed
    }

    /// Removes the setting or the table at `path`.
    fn remove(&mut self, path: &str) {
        let inside = format!("{path}.");
        self.0.retain(|known, _| known != path && !known.starts_with(&inside));
    }

    /// Adds the settings of a part of a file. A part with a feature view replaces all feature views.
    fn complete(mut self, part: Self) -> Self {
        if part.0.keys().any(|path| path.starts_with("feature_view.")) {
            self.remove("feature_view");
        }
        // A part may have a table where the file has a text.
        self.0.retain(|path, _| !part.0.keys().any(|added| added.starts_with(&format!("{path}."))));
        self.0.extend(part.0);
        self
    }

    fn read(&self) -> Result<Pipeline, Diagnostics> {
        let settings_of_test = self.0.iter().filter_map(|(path, value)| Some((path.strip_prefix("test.")?, value)));
        let test: String = settings_of_test.map(|(path, value)| format!("{path} = {value}\n")).collect();
        self.read_with_tests(&if test.is_empty() { test } else { format!("[[test]]\n{test}") })
    }

    /// Reads the settings, followed by tests.
    fn read_with_tests(&self, tests: &str) -> Result<Pipeline, Diagnostics> {
        let settings = self.0.iter().filter(|(path, _)| !path.starts_with("test."));
        let text: String = settings.map(|(path, value)| format!("{path} = {value}\n")).collect();
        parse_with_secrets("page.toml", &format!("{text}{tests}"), &[], &AnySecret)
    }

    fn read_mistakes(&self) -> Vec<Diagnostic> {
        self.read().err().map_or_else(Vec::new, |mistakes| mistakes.iter().cloned().collect())
    }
}

/// Holds a value for every variable and every file.
struct AnySecret;

impl SecretSource for AnySecret {
    fn read_variable(&self, name: &str) -> Result<String, String> {
        Ok(if name.ends_with("URL") { "redis://redis:6379" } else { "secret" }.to_owned())
    }

    fn read_file(&self, _path: &str) -> Result<String, String> {
        Ok("secret".to_owned())
    }
}

/// A row of a table of settings.
#[derive(Debug)]
struct DocumentedSetting {
    path: String,
    value_type: String,
    default: String,
}

/// Returns the rows of all tables whose first column is called `setting`. The heading before a table names the table of
/// the pipeline file.
fn documented_settings() -> Vec<DocumentedSetting> {
    let mut found = Vec::new();
    let (mut table, mut is_table_of_settings) = (String::new(), false);
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            table = heading.split('`').nth(1).unwrap_or_default().trim_matches(['[', ']']).to_owned();
        }
        is_table_of_settings = line.starts_with('|') && (is_table_of_settings || line.starts_with("| setting |"));
        if is_table_of_settings && line.starts_with("| `") {
            let cells: Vec<&str> = line.split(" | ").collect();
            let name = cells[0].trim_matches(['|', ' ', '`']);
            let path = if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") };
            found.push(DocumentedSetting { path, value_type: cells[1].to_owned(), default: cells[2].to_owned() });
        }
    }
    found
}

/// Returns the texts between backticks that are values in TOML: text in quotes, a list, a number or a boolean.
fn values_in(cell: &str) -> Vec<&str> {
    let quoted = cell.split('`').skip(1).step_by(2);
    let is_value =
        |text: &&str| text.starts_with(['"', '[']) || text.parse::<i64>().is_ok() || text.parse::<bool>().is_ok();
    quoted.filter(is_value).collect()
}

/// Adds the paths of the settings that the reader knows at and below `path`.
fn collect_known_settings(path: &str, known: &mut BTreeSet<String>) {
    let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let file = PipelineSettings::prepared_for(&join(""));
    let says = |text: &str| file.with(path, "true").read_mistakes().iter().any(|one| one.message.contains(text));
    let is_table = path.is_empty() || says("must be a table") || says("must be a list of tables");
    if !is_table {
        known.insert(path.to_owned());
    }
    if !is_table && !says("must be text or a table") {
        return;
    }
    let mistakes = file.with(&join(UNKNOWN_NAME), "1").read_mistakes();
    let names_unknown =
        |one: &&Diagnostic| one.code == DiagnosticCode::UnknownField && one.message.contains(UNKNOWN_NAME);
    match mistakes.iter().find(names_unknown) {
        Some(mistake) => {
            mistake.expected.split('`').skip(1).step_by(2).for_each(|name| collect_known_settings(&join(name), known));
        }
        // The author of the file chooses the names in this table.
        None => collect_known_settings(&join("NAME"), known),
    }
}

#[test]
fn the_tables_name_exactly_the_settings_of_the_reader() {
    let mut known = BTreeSet::new();
    collect_known_settings("", &mut known);
    assert!(known.len() > 30, "{known:?}");
    let documented: BTreeSet<String> = documented_settings().into_iter().map(|setting| setting.path).collect();
    let missing: Vec<_> = known.difference(&documented).collect();
    let invented: Vec<_> = documented.difference(&known).collect();
    assert!(missing.is_empty() && invented.is_empty(), "missing: {missing:?}; invented: {invented:?}");
}

#[test]
fn the_defaults_are_those_of_the_reader() {
    for DocumentedSetting { path, default, .. } in documented_settings() {
        let mut without = PipelineSettings::from_toml(SMALLEST_FILE);
        if path.contains(".window.sliding.") || path.starts_with("event.time.") || path.starts_with("test.") {
            without = PipelineSettings::prepared_for(&path);
        } else if path.contains(".window.session.") {
            without = PipelineSettings::prepared_for(&path).with(&path, "\"1h\"");
        } else if path.ends_with(".count") {
            without = without.with("feature_view.NAME.features.NAME.sum", "\"price\"");
        }
        without.remove(&path);
        match (default.as_str(), values_in(&default).as_slice()) {
            ("required", _) => {
                let mistakes = without.read_mistakes();
                let missing = mistakes.iter().all(|one| one.code == DiagnosticCode::MissingField);
                assert!(missing && !mistakes.is_empty(), "{path} is not required: {mistakes:?}");
            }
            ("none", _) => drop(without.read().unwrap_or_else(|mistakes| panic!("without {path}: {mistakes}"))),
            (_, [value]) => {
                let with = without.with(&path, value).read();
                assert_eq!(
                    format!("{:?}", with.unwrap_or_else(|mistakes| panic!("{path}: {mistakes}"))),
                    format!("{:?}", without.read().unwrap_or_else(|mistakes| panic!("{path}: {mistakes}"))),
                    "{path} has another default than {value}"
                );
            }
            _ => panic!("{path}: the default `{default}` is neither required, none nor one value"),
        }
    }
}

#[test]
fn the_values_in_the_column_type_are_accepted_and_the_bounds_are_right() {
    for DocumentedSetting { path, value_type, .. } in documented_settings() {
        let file = PipelineSettings::prepared_for(&path);
        let values = values_in(&value_type);
        for value in &values {
            // Not every pair of a size and a slide is allowed.
            let refused = file.with(&path, value).read_mistakes();
            let refused: Vec<_> = refused.iter().filter(|one| one.code != DiagnosticCode::TooManyPanes).collect();
            assert!(refused.is_empty(), "{path} = {value}: {refused:?}");
        }
        let is_number = value_type.starts_with("duration") || value_type.starts_with("integer");
        let is_choice = value_type.split('`').step_by(2).all(|text| matches!(text.trim(), "" | "," | "or"));
        let wrong = match value_type.as_str() {
            _ if is_choice => "\"no such word\"",
            duration if duration.starts_with("duration") => "\"-1s\"",
            _ => "-1",
        };
        if is_number || is_choice {
            let mistakes = file.with(&path, wrong).read_mistakes();
            for value in &values {
                let bound = if is_number { value.trim_matches('"') } else { *value };
                let named = mistakes.iter().any(|one| one.expected.contains(bound));
                assert!(named, "{path}: the reader does not name {bound}: {mistakes:?}");
            }
        }
    }
}

/// Returns the text of each block of TOML in a page.
fn toml_blocks(page: &str) -> Vec<String> {
    let lines_after =
        |block: &str| block.lines().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
    page.split("\n```toml\n").skip(1).map(lines_after).collect()
}

#[test]
fn every_example_is_a_valid_file_or_a_part_of_the_file_of_the_page() {
    let is_whole_file = |block: &str| block.starts_with("name = ");
    let pages = OTHER_PAGES.into_iter().chain([("docs/pipeline.md", PAGE)]);
    for (page, text) in pages {
        let blocks = toml_blocks(text);
        let whole =
            blocks.iter().find(|block| is_whole_file(block)).unwrap_or_else(|| panic!("{page} has no whole file"));
        let whole = PipelineSettings::from_toml(whole);
        for block in blocks {
            let read = if is_whole_file(&block) {
                parse_with_secrets(page, &block, &[], &AnySecret)
            } else {
                let tests_start = block.find("[[test]]").unwrap_or(block.len());
                let (settings, tests) = block.split_at(tests_start);
                whole.clone().complete(PipelineSettings::from_toml(settings)).read_with_tests(tests)
            };
            read.unwrap_or_else(|mistakes| panic!("{page}: {mistakes}\n{block}"));
        }
    }
}
