//! Encoding of rows as Redis commands.
//!
//! Owns: the commands that write a row, and the texts of feature values in these commands. Does not own: transactions.
//! Invariants: (1) Encoding a row allocates no memory if the buffers are already large enough. (2) All commands of a row
//! are in one transaction, so a superseded row disappears when the new row appears.

use windrow_core::{EmptyWindowPolicy, Row, Value};
use windrow_engine::FenceToken;
use windrow_spec::{KeyTemplate, Pipeline};

use super::batch::{EncodedRowSpan, RowBatch};
use crate::redis::wire::append_bulk_string;
use crate::value_text::{append_decimal_integer, append_double_text};

/// The parts of the commands that are the same for all rows of a view.
#[derive(Clone, Debug)]
struct ViewEncoding {
    key_template: KeyTemplate,
    /// Whether rows of different windows of an entity have different keys.
    has_key_per_window: bool,
    empty_window_policy: EmptyWindowPolicy,
    encoded_feature_names: Vec<Vec<u8>>,
    encoded_ttl: Vec<u8>,
}

/// Encodes the rows of a pipeline as Redis commands. Every call reuses the four buffers.
#[derive(Clone, Debug)]
pub(crate) struct RowEncoder {
    encoded_entity_field_name: Vec<u8>,
    view_encodings: Vec<ViewEncoding>,
    redis_key_buffer: Vec<u8>,
    superseded_key_buffer: Vec<u8>,
    present_fields_buffer: Vec<u8>,
    absent_fields_buffer: Vec<u8>,
    value_text_buffer: Vec<u8>,
}

impl RowEncoder {
    pub(crate) fn new(pipeline: &Pipeline) -> Self {
        let view_encodings = pipeline.views_with_redis_specs().map(|(view, redis)| ViewEncoding {
            key_template: redis.key_template.clone(),
            has_key_per_window: redis.key_template.has_window_placeholder(),
            empty_window_policy: view.empty_window_policy,
            encoded_feature_names: view
                .features
                .iter()
                .map(|feature| encode_bulk_string(feature.name.as_bytes()))
                .collect(),
            encoded_ttl: encode_bulk_string(redis.ttl_ms.to_string().as_bytes()),
        });
        Self {
            encoded_entity_field_name: encode_bulk_string(pipeline.event.schema.entity_key_name().as_bytes()),
            view_encodings: view_encodings.collect(),
            redis_key_buffer: Vec::new(),
            superseded_key_buffer: Vec::new(),
            present_fields_buffer: Vec::new(),
            absent_fields_buffer: Vec::new(),
            value_text_buffer: Vec::new(),
        }
    }

    /// Appends the commands of `row` to `batch`: `HSET` with the entity key and the features that have a value, `HDEL`
    /// with the NULL features, and `PEXPIRE`. Then `DEL` with the keys of the superseded rows. If a newer window of the
    /// entity has a row with the same key, appends only `HLEN`, which changes nothing: the fence must still count the row.
    /// The row of an empty window may be only `DEL`.
    pub(crate) fn encode_row(&mut self, fence_token: FenceToken, row: &Row<'_>, batch: &mut RowBatch) {
        let Self {
            encoded_entity_field_name: entity_field,
            view_encodings,
            redis_key_buffer: redis_key,
            superseded_key_buffer: superseded_key,
            present_fields_buffer: present_fields,
            absent_fields_buffer: absent_fields,
            value_text_buffer: value_text,
        } = self;
        let Some(encoding) = view_encodings.get(row.view_id.0) else { return };
        redis_key.clear();
        encoding.key_template.append_redis_key(redis_key, row.entity_key, row.window);
        let changes_nothing = row.has_newer_row && !encoding.has_key_per_window;
        let is_deleted = row.is_empty_window && encoding.empty_window_policy == EmptyWindowPolicy::DeleteRow;
        if changes_nothing || is_deleted {
            let commands = batch.commands_mut();
            let start = commands.end_position();
            commands.start_command(if changes_nothing { &b"HLEN"[..] } else { b"DEL" }, 1);
            let redis_key_byte_range = commands.append_argument(redis_key);
            let encoded = EncodedRowSpan { redis_key_byte_range, command_span: commands.command_span_since(start) };
            batch.push_row(encoded, fence_token, row.view_id, row.row_number);
            return;
        }
        present_fields.clear();
        absent_fields.clear();
        let (mut present_count, mut absent_count) = (0, 0);
        for (field, value) in encoding.encoded_feature_names.iter().zip(row.feature_values()) {
            if append_field_unless_null(present_fields, value_text, field, value) {
                present_count += 1;
            } else {
                absent_fields.extend_from_slice(field);
                absent_count += 1;
            }
        }

        let commands = batch.commands_mut();
        let start = commands.end_position();
        commands.start_command(b"HSET", 1 + 2 + 2 * present_count);
        let redis_key_byte_range = commands.append_argument(redis_key);
        commands.append_encoded_arguments(entity_field);
        commands.append_argument(row.entity_key.as_bytes());
        commands.append_encoded_arguments(present_fields);
        if absent_count > 0 {
            commands.start_command(b"HDEL", 1 + absent_count);
            commands.append_argument(redis_key);
            commands.append_encoded_arguments(absent_fields);
        }
        commands.start_command(b"PEXPIRE", 2);
        commands.append_argument(redis_key);
        commands.append_encoded_arguments(&encoding.encoded_ttl);
        for window in row.superseded_windows {
            superseded_key.clear();
            encoding.key_template.append_redis_key(superseded_key, row.entity_key, *window);
            if superseded_key != redis_key {
                commands.start_command(b"DEL", 1);
                commands.append_argument(superseded_key);
            }
        }
        let encoded = EncodedRowSpan { redis_key_byte_range, command_span: commands.command_span_since(start) };
        batch.push_row(encoded, fence_token, row.view_id, row.row_number);
    }
}

/// Appends the encoded name `field` of a feature and the text of its `value` to `out`. If `value` is NULL, appends
/// nothing and returns false.
fn append_field_unless_null(out: &mut Vec<u8>, scratch: &mut Vec<u8>, field: &[u8], value: Value<'_>) -> bool {
    scratch.clear();
    let text = match value {
        Value::Null => return false,
        Value::String(text) => text.as_bytes(),
        Value::Boolean(truth) => if truth { "true" } else { "false" }.as_bytes(),
        Value::Long(number) => {
            append_decimal_integer(scratch, number);
            scratch
        }
        Value::Double(number) => {
            append_double_text(scratch, number);
            scratch
        }
    };
    out.extend_from_slice(field);
    append_bulk_string(out, text);
    true
}

fn encode_bulk_string(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    append_bulk_string(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_one_text_each_and_null_has_none() {
        let encoded = |value| {
            let (mut out, mut scratch) = (Vec::new(), b"left over".to_vec());
            append_field_unless_null(&mut out, &mut scratch, b"", value).then(|| String::from_utf8(out).expect("UTF-8"))
        };
        assert_eq!(encoded(Value::Null), None);
        assert_eq!(encoded(Value::Double(29.99)).as_deref(), Some("$5\r\n29.99\r\n"));
        assert_eq!(encoded(Value::Double(0.0)).as_deref(), Some("$3\r\n0.0\r\n"));
        assert_eq!(encoded(Value::Long(-7)).as_deref(), Some("$2\r\n-7\r\n"));
        assert_eq!(encoded(Value::Boolean(true)).as_deref(), Some("$4\r\ntrue\r\n"));
        assert_eq!(encoded(Value::String("한")).as_deref(), Some("$3\r\n한\r\n"));
        assert_eq!(encoded(Value::String("")).as_deref(), Some("$0\r\n\r\n"));
    }
}
