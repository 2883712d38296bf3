//! `windrow features`: what Redis holds for a user now.

use std::time::Duration;

use serde_json::{Map, Value, json};
use windrow_connectors::redis::{Contents, FeaturesError, FoundRow, read_features};
use windrow_spec::Pipeline;

use crate::cli::FeaturesArgs;
use crate::exit::{Exit, Failure};
use crate::status::{span, time};
use crate::{pipeline_file, print, table};

pub(crate) fn run(args: &FeaturesArgs) -> Result<Exit, Failure> {
    let pipeline = pipeline_file::load(args.pipeline.as_deref(), &args.set.overrides)?;
    let found =
        read_features(&pipeline.sink.url, &pipeline.views, &pipeline.event.schema, &args.user).map_err(|error| {
            match error {
                FeaturesError::Address(message) => Failure::new(Exit::Pipeline, format!("error: {message}")),
                FeaturesError::Redis { .. } => Failure::new(Exit::NotReachable, format!("error: {error}")),
            }
        })?;
    if args.json {
        let rows: Vec<_> = found.iter().map(|row| as_json(&pipeline, row)).collect();
        print::data(&format!("{:#}\n", json!({ "user": args.user, "rows": rows })))?;
    } else {
        print::data(&as_table(&pipeline, &args.user, &found))?;
    }
    Ok(Exit::Success)
}

fn as_json(pipeline: &Pipeline, row: &FoundRow) -> Value {
    let mut object = Map::new();
    object.insert("feature_view".to_owned(), json!(view_name(pipeline, row)));
    object.insert("key".to_owned(), json!(String::from_utf8_lossy(&row.redis_key)));
    object.insert("window_start".to_owned(), json!(row.window.start.map(windrow_core::EventTime::ms)));
    object.insert("age_ms".to_owned(), json!(row.age_ms));
    object.insert("ttl_left_ms".to_owned(), json!(row.ttl_left_ms));
    match &row.contents {
        Contents::Fields(fields) => {
            let fields: Map<String, Value> = fields
                .iter()
                .map(|(name, value)| {
                    (String::from_utf8_lossy(name).into_owned(), json!(String::from_utf8_lossy(value)))
                })
                .collect();
            object.insert("fields".to_owned(), Value::Object(fields));
        }
        Contents::OtherType(other) => {
            object.insert("not_a_row".to_owned(), json!(other));
        }
    }
    Value::Object(object)
}

fn as_table(pipeline: &Pipeline, user: &str, found: &[FoundRow]) -> String {
    if found.is_empty() {
        return format!("no rows for user {user:?}: no window of theirs has closed within its time to live\n");
    }
    let mut rows = table::with_head(["feature view", "window", "features", "age", "TTL left"]);
    for row in found {
        let contents = match &row.contents {
            Contents::Fields(fields) => in_columns(fields),
            Contents::OtherType(other) => format!("{} is not a row but a {other}", shown(&row.redis_key)),
        };
        rows.add_row([
            view_name(pipeline, row),
            &row.window.start.map(|start| format!("from {}", time(start))).unwrap_or_default(),
            &contents,
            &row.age_ms.map_or_else(|| "?".to_owned(), said_ms),
            &row.ttl_left_ms.map_or_else(|| "never expires".to_owned(), said_ms),
        ]);
    }
    format!("{rows}\n")
}

/// One line per field, values under each other.
fn in_columns(fields: &[(Vec<u8>, Vec<u8>)]) -> String {
    let names: Vec<String> = fields.iter().map(|(name, _)| shown(name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let lines = names.iter().zip(fields).map(|(name, (_, value))| format!("{name:width$}  {}", shown(value)));
    lines.collect::<Vec<_>>().join("\n")
}

fn view_name<'p>(pipeline: &'p Pipeline, row: &FoundRow) -> &'p str {
    &pipeline.views[row.view.0].feature_view.name
}

/// Text from outside, safe for a terminal: control characters are spelled out.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

fn said_ms(ms: i64) -> String {
    span(Duration::from_secs(ms.unsigned_abs() / 1_000))
}
