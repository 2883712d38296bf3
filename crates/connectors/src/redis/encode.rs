//! From a row to the commands that write it.
//!
//! Owns: the commands of a row and the text of its values. Does not own: transactions (the link).
//! Invariant: no allocation per row or value once the buffers have grown.

use windrow_core::{Row, Value};
use windrow_engine::FenceToken;
use windrow_spec::{KeyTemplate, Pipeline};

use super::batch::{EncodedRow, RowBatch};
use crate::text::{write_double, write_integer};

/// The parts of a view's rows that never change, encoded once.
#[derive(Clone, Debug)]
struct ViewEncoding {
    key_template: KeyTemplate,
    encoded_fields: Vec<Vec<u8>>,
    encoded_ttl: Vec<u8>,
}

/// Encodes the rows of a pipeline.
#[derive(Clone, Debug)]
pub(super) struct RowEncoder {
    entity_field: Vec<u8>,
    view_encodings: Vec<ViewEncoding>,
    redis_key: Vec<u8>,
    present_fields: Vec<u8>,
    absent_fields: Vec<u8>,
    value_text: Vec<u8>,
}

impl RowEncoder {
    pub(super) fn new(pipeline: &Pipeline) -> Self {
        let shapes = pipeline.redis_views().map(|(view, redis)| ViewEncoding {
            key_template: redis.key.clone(),
            encoded_fields: view.features.iter().map(|feature| encode_bulk_string(feature.name.as_bytes())).collect(),
            encoded_ttl: encode_bulk_string(redis.ttl_ms.to_string().as_bytes()),
        });
        Self {
            entity_field: encode_bulk_string(pipeline.event.schema.key_name().as_bytes()),
            view_encodings: shapes.collect(),
            redis_key: Vec::new(),
            present_fields: Vec::new(),
            absent_fields: Vec::new(),
            value_text: Vec::new(),
        }
    }

    /// Appends `row` of `origin` to `batch`: `HSET` with every feature that has a value, `HDEL` with those that have none,
    /// `PEXPIRE`.
    pub(super) fn encode_row(&mut self, origin: FenceToken, row: &Row<'_>, batch: &mut RowBatch) {
        let Self {
            entity_field,
            view_encodings: shapes,
            redis_key: key,
            present_fields: present,
            absent_fields: absent,
            value_text: text,
        } = self;
        let Some(shape) = shapes.get(row.view.0) else { return };
        key.clear();
        shape.key_template.append_key(key, row.key, row.window);
        present.clear();
        absent.clear();
        let (mut present_count, mut absent_count) = (0, 0);
        for (field, value) in shape.encoded_fields.iter().zip(row.features()) {
            if write_field(present, text, field, value) {
                present_count += 1;
            } else {
                absent.extend_from_slice(field);
                absent_count += 1;
            }
        }

        let out = &mut batch.bytes;
        let start = out.len();
        write_command_header(out, b"HSET", 1 + 2 + 2 * present_count);
        write_bulk_string(out, key);
        let key_end = out.len() - 2;
        out.extend_from_slice(entity_field);
        write_bulk_string(out, row.key.as_bytes());
        out.extend_from_slice(present);
        if absent_count > 0 {
            write_command_header(out, b"HDEL", 1 + absent_count);
            write_bulk_string(out, key);
            out.extend_from_slice(absent);
        }
        write_command_header(out, b"PEXPIRE", 2);
        write_bulk_string(out, key);
        out.extend_from_slice(&shape.encoded_ttl);
        let span = EncodedRow {
            redis_key_range: key_end - key.len()..key_end,
            commands_range: start..out.len(),
            command_count: 2 + usize::from(absent_count > 0),
        };
        batch.push(span, origin, row.view, row.number);
    }
}

/// Appends `field` and `value`, unless the value is NULL; whether it did.
fn write_field(out: &mut Vec<u8>, scratch: &mut Vec<u8>, field: &[u8], value: Value<'_>) -> bool {
    scratch.clear();
    let text = match value {
        Value::Null => return false,
        Value::String(text) => text.as_bytes(),
        Value::Boolean(truth) => if truth { "true" } else { "false" }.as_bytes(),
        Value::Long(number) => {
            write_integer(scratch, number);
            scratch
        }
        Value::Double(number) => {
            write_double(scratch, number);
            scratch
        }
    };
    out.extend_from_slice(field);
    write_bulk_string(out, text);
    true
}

/// Appends the start of a command with `arguments` arguments after its name.
pub(super) fn write_command_header(out: &mut Vec<u8>, name: &[u8], arguments: usize) {
    out.push(b'*');
    write_length(out, 1 + arguments);
    write_bulk_string(out, name);
}

/// Appends one argument.
pub(super) fn write_bulk_string(out: &mut Vec<u8>, argument: &[u8]) {
    out.push(b'$');
    write_length(out, argument.len());
    out.extend_from_slice(argument);
    out.extend_from_slice(b"\r\n");
}

fn write_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn encode_bulk_string(argument: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_bulk_string(&mut out, argument);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_length_prefixed_and_binary_safe() {
        let mut out = Vec::new();
        write_command_header(&mut out, b"HLEN", 1);
        write_bulk_string(&mut out, b"a\r\n\0$3");
        assert_eq!(out, b"*2\r\n$4\r\nHLEN\r\n$6\r\na\r\n\0$3\r\n");
    }

    #[test]
    fn values_have_one_text_each_and_null_has_none() {
        let shown = |value| {
            let (mut out, mut scratch) = (Vec::new(), b"left over".to_vec());
            write_field(&mut out, &mut scratch, b"", value).then(|| String::from_utf8(out).expect("UTF-8"))
        };
        assert_eq!(shown(Value::Null), None);
        assert_eq!(shown(Value::Double(29.99)).as_deref(), Some("$5\r\n29.99\r\n"));
        assert_eq!(shown(Value::Double(0.0)).as_deref(), Some("$3\r\n0.0\r\n"));
        assert_eq!(shown(Value::Long(-7)).as_deref(), Some("$2\r\n-7\r\n"));
        assert_eq!(shown(Value::Boolean(true)).as_deref(), Some("$4\r\ntrue\r\n"));
        assert_eq!(shown(Value::String("한")).as_deref(), Some("$3\r\n한\r\n"));
        assert_eq!(shown(Value::String("")).as_deref(), Some("$0\r\n\r\n"));
    }
}
