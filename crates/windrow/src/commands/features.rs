//! `windrow features`: shows the rows that Redis holds for a user.

use std::time::Duration;

use serde_json::{Map, Value, json};
use windrow_connectors::redis::{ReadFeaturesError, StoredRow, StoredRowContents, read_features};
use windrow_spec::Pipeline;

use crate::cli::FeaturesArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::format::{format_duration, format_event_time};
use crate::{pipeline_file, print, table};

pub(crate) fn run(args: &FeaturesArgs) -> Result<ExitStatus, CommandFailure> {
    let pipeline = pipeline_file::load(args.pipeline_path.as_deref(), &args.override_args.overrides)?;
    let found =
        read_features(&pipeline.sink.redis().redis_url, &pipeline, &args.user_id).map_err(|error| match error {
            ReadFeaturesError::InvalidAddress(message) => {
                CommandFailure::new(ExitStatus::Pipeline, format!("error: {message}"))
            }
            ReadFeaturesError::RedisFailed { .. } => {
                CommandFailure::new(ExitStatus::NotReachable, format!("error: {error}"))
            }
        })?;
    if args.json {
        let rows: Vec<_> = found.iter().map(|row| row_as_json(&pipeline, row)).collect();
        print::write_stdout(&format!("{:#}\n", json!({ "user": args.user_id, "rows": rows })))?;
    } else {
        print::write_stdout(&format_row_table(&pipeline, &args.user_id, &found))?;
    }
    Ok(ExitStatus::Success)
}

fn row_as_json(pipeline: &Pipeline, row: &StoredRow) -> Value {
    let mut object = Map::new();
    object.insert("feature_view".to_owned(), json!(view_name(pipeline, row)));
    object.insert("key".to_owned(), json!(String::from_utf8_lossy(&row.redis_key)));
    object.insert("window_start".to_owned(), json!(row.window.start.map(windrow_core::EventTime::ms)));
    object.insert("age_ms".to_owned(), json!(row.age_ms));
    object.insert("ttl_left_ms".to_owned(), json!(row.remaining_ttl_ms));
    match &row.contents {
        StoredRowContents::Fields(fields) => {
            let fields: Map<String, Value> = fields
                .iter()
                .map(|(name, value)| {
                    (String::from_utf8_lossy(name).into_owned(), json!(String::from_utf8_lossy(value)))
                })
                .collect();
            object.insert("fields".to_owned(), Value::Object(fields));
        }
        StoredRowContents::OtherType(other) => {
            object.insert("not_a_row".to_owned(), json!(other));
        }
    }
    Value::Object(object)
}

fn format_row_table(pipeline: &Pipeline, user: &str, found: &[StoredRow]) -> String {
    if found.is_empty() {
        return format!("no rows for user {user:?}: no window of this user has closed yet, or all rows have expired\n");
    }
    let mut rows = table::create_table_with_header(["feature view", "window", "features", "age", "TTL left"]);
    for row in found {
        let contents = match &row.contents {
            StoredRowContents::Fields(fields) => format_aligned_fields(fields),
            StoredRowContents::OtherType(other) => {
                format!("key {} holds a Redis {other} instead of a row", escape_control_characters(&row.redis_key))
            }
        };
        rows.add_row([
            view_name(pipeline, row),
            &row.window.start.map(|start| format!("from {}", format_event_time(start))).unwrap_or_default(),
            &contents,
            &row.age_ms.map_or_else(|| "?".to_owned(), format_ms_as_whole_seconds),
            &row.remaining_ttl_ms.map_or_else(|| "never expires".to_owned(), format_ms_as_whole_seconds),
        ]);
    }
    format!("{rows}\n")
}

/// Formats each field of a row as one line, with aligned values.
fn format_aligned_fields(fields: &[(Vec<u8>, Vec<u8>)]) -> String {
    let names: Vec<String> = fields.iter().map(|(name, _)| escape_control_characters(name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let lines = names
        .iter()
        .zip(fields)
        .map(|(name, (_, value))| format!("{name:width$}  {}", escape_control_characters(value)));
    lines.collect::<Vec<_>>().join("\n")
}

fn view_name<'p>(pipeline: &'p Pipeline, row: &StoredRow) -> &'p str {
    &pipeline.views[row.view.0].name
}

/// Decodes bytes as text. Escapes control characters, because they could change the state of the terminal.
fn escape_control_characters(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

fn format_ms_as_whole_seconds(ms: i64) -> String {
    format_duration(Duration::from_secs(ms.unsigned_abs() / 1_000))
}
