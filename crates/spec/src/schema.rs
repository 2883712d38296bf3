//! The JSON Schema of the pipeline file, with which editors complete and check it.
//!
//! Owns: the head of the schema. Does not own: the settings, which come from the tables of the readers
//! ([`crate::read::section`]). The dialect is draft 7, because Taplo, the TOML language server of most editors, reads no
//! later one.

use serde_json::json;

/// Returns the JSON Schema of the pipeline file as text, with a line break at the end.
///
/// The schema accepts every valid pipeline file. It also accepts some invalid files, because it cannot express all
/// rules: the bounds of a duration, the language of conditions, and whether fields are declared. [`crate::parse`] checks
/// them.
#[must_use]
pub fn pipeline_file_schema() -> String {
    let mut schema = crate::read::build_file_schema();
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("Pipeline file of Windrow");
    schema["description"] = json!("One source, one type of event, the feature views, and one sink.");
    format!("{schema:#}\n")
}
