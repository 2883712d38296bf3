//! From a row to the commands that write it.
//!
//! Owns: the commands of a row and the text of its values. Does not own: transactions (the link).
//! Invariant: no allocation per row or value once the buffers have grown.

use windrow_core::{Row, Schema, Value};
use windrow_engine::Origin;
use windrow_spec::{KeyTemplate, View};

use super::batch::{Batch, Span};
use crate::text::{write_double, write_integer};

/// The parts of a view's rows that never change, encoded once.
#[derive(Clone, Debug)]
struct Shape {
    key: KeyTemplate,
    fields: Vec<Vec<u8>>,
    ttl: Vec<u8>,
}

/// Encodes the rows of a pipeline.
#[derive(Clone, Debug)]
pub(super) struct Encoder {
    entity_field: Vec<u8>,
    shapes: Vec<Shape>,
    key: Vec<u8>,
    present: Vec<u8>,
    absent: Vec<u8>,
    text: Vec<u8>,
}

impl Encoder {
    pub(super) fn new(views: &[View], schema: &Schema) -> Self {
        let shapes = views.iter().map(|view| Shape {
            key: view.key.clone(),
            fields: view.feature_view.features.iter().map(|feature| bulk(feature.name.as_bytes())).collect(),
            ttl: bulk(view.ttl_ms.to_string().as_bytes()),
        });
        Self {
            entity_field: bulk(schema.key_name().as_bytes()),
            shapes: shapes.collect(),
            key: Vec::new(),
            present: Vec::new(),
            absent: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Appends `row` of `origin` to `batch`: `HSET` with every feature that has a value, `HDEL` with those that have none,
    /// `PEXPIRE`.
    pub(super) fn row(&mut self, origin: Origin, row: &Row<'_>, batch: &mut Batch) {
        let Self { entity_field, shapes, key, present, absent, text } = self;
        let Some(shape) = shapes.get(row.view.0) else { return };
        key.clear();
        shape.key.write(key, row.key, row.window);
        present.clear();
        absent.clear();
        let (mut present_count, mut absent_count) = (0, 0);
        for (field, value) in shape.fields.iter().zip(row.features()) {
            if put_value(present, text, field, value) {
                present_count += 1;
            } else {
                absent.extend_from_slice(field);
                absent_count += 1;
            }
        }

        let out = &mut batch.bytes;
        let start = out.len();
        put_command(out, b"HSET", 1 + 2 + 2 * present_count);
        put_bulk(out, key);
        let key_end = out.len() - 2;
        out.extend_from_slice(entity_field);
        put_bulk(out, row.key.as_bytes());
        out.extend_from_slice(present);
        if absent_count > 0 {
            put_command(out, b"HDEL", 1 + absent_count);
            put_bulk(out, key);
            out.extend_from_slice(absent);
        }
        put_command(out, b"PEXPIRE", 2);
        put_bulk(out, key);
        out.extend_from_slice(&shape.ttl);
        let span = Span {
            key: key_end - key.len()..key_end,
            commands: start..out.len(),
            count: 2 + usize::from(absent_count > 0),
        };
        batch.push(span, origin, row.view, row.number);
    }
}

/// Appends `field` and `value`, unless the value is NULL; whether it did.
fn put_value(out: &mut Vec<u8>, scratch: &mut Vec<u8>, field: &[u8], value: Value<'_>) -> bool {
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
    put_bulk(out, text);
    true
}

/// Appends the start of a command with `arguments` arguments after its name.
pub(super) fn put_command(out: &mut Vec<u8>, name: &[u8], arguments: usize) {
    out.push(b'*');
    put_length(out, 1 + arguments);
    put_bulk(out, name);
}

/// Appends one argument.
pub(super) fn put_bulk(out: &mut Vec<u8>, argument: &[u8]) {
    out.push(b'$');
    put_length(out, argument.len());
    out.extend_from_slice(argument);
    out.extend_from_slice(b"\r\n");
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn bulk(argument: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_bulk(&mut out, argument);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_length_prefixed_and_binary_safe() {
        let mut out = Vec::new();
        put_command(&mut out, b"HLEN", 1);
        put_bulk(&mut out, b"a\r\n\0$3");
        assert_eq!(out, b"*2\r\n$4\r\nHLEN\r\n$6\r\na\r\n\0$3\r\n");
    }

    #[test]
    fn values_have_one_text_each_and_null_has_none() {
        let shown = |value| {
            let (mut out, mut scratch) = (Vec::new(), b"left over".to_vec());
            put_value(&mut out, &mut scratch, b"", value).then(|| String::from_utf8(out).expect("UTF-8"))
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
