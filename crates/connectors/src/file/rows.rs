//! Rows and late events as JSON lines.
//!
//! A row becomes a line with these fields: `feature_view`, the entity key, `window_start`, `window_end`, and the
//! features.
//! In front of a row, each superseded row becomes a line with the fields `feature_view`, the entity key, `window_start`,
//! `window_end`, and `"superseded": true`. A row that is deleted because its window is empty has `"deleted": true` in place of
//! its features.
//! A late event becomes a line with these fields: `feature_view`, the entity key, `"late": true`, and `event_time`.
//! Times are epoch milliseconds; window ends are exclusive.
//! A double becomes the shortest text that parses to the same double. NaN and the infinities become the texts `"NaN"`,
//! `"Infinity"` and `"-Infinity"`, because JSON has no such numbers.

use std::io::Write;
use std::time::Duration;

use windrow_core::{EmptyWindowPolicy, FeatureView, LateEvent, Row, Value, Window};
use windrow_engine::halt::{OutputFault, share_error};
use windrow_engine::{FenceToken, FlushTicket, Halt, Sink};

use crate::value_text;

/// As soon as the buffer holds this number of bytes, the sink writes the buffer to the output.
const BUFFER_WRITE_THRESHOLD_BYTES: usize = 256 * 1024;

/// Writes rows and late events as JSON lines to a file or a pipe.
pub struct JsonLinesSink<W> {
    writer: W,
    output_name: String,
    view_line_prefixes: Vec<ViewLinePrefixes>,
    buffer: Vec<u8>,
    write_fault: Option<Halt>,
    last_ticket: FlushTicket,
}

/// The pieces of text that are the same in the JSON lines of all rows of one view.
struct ViewLinePrefixes {
    /// The bytes from the start of a line to the value of the entity key.
    prefix_before_key_value: Vec<u8>,
    /// For each feature, the bytes of a line before the feature's value: a comma, the feature's name and a colon.
    feature_prefixes: Vec<Vec<u8>>,
    empty_window_policy: EmptyWindowPolicy,
}

impl<W: Write> JsonLinesSink<W> {
    /// Creates a sink that writes to `writer`. Error messages contain `output_name` as the name of the output. Each
    /// line contains the entity key under the name `key_name`.
    pub fn new(writer: W, output_name: String, views: &[FeatureView], key_name: &str) -> Self {
        let prefixes = |view: &FeatureView| {
            let mut head = b"{\"feature_view\":".to_vec();
            value_text::append_json_string(&mut head, &view.name);
            head.push(b',');
            value_text::append_json_string(&mut head, key_name);
            head.push(b':');
            let feature = |name: &str| {
                let mut prefix = vec![b','];
                value_text::append_json_string(&mut prefix, name);
                prefix.push(b':');
                prefix
            };
            ViewLinePrefixes {
                prefix_before_key_value: head,
                feature_prefixes: view.features.iter().map(|f| feature(&f.name)).collect(),
                empty_window_policy: view.empty_window_policy,
            }
        };
        Self {
            writer,
            output_name,
            view_line_prefixes: views.iter().map(prefixes).collect(),
            buffer: Vec::with_capacity(BUFFER_WRITE_THRESHOLD_BYTES + 4096),
            write_fault: None,
            last_ticket: FlushTicket(0),
        }
    }

    fn end_line(&mut self) {
        self.buffer.extend_from_slice(b"}\n");
        if self.buffer.len() >= BUFFER_WRITE_THRESHOLD_BYTES {
            self.write_buffer();
        }
    }

    fn write_buffer(&mut self) {
        if self.write_fault.is_none()
            && let Err(error) = self.writer.write_all(&self.buffer).and_then(|()| self.writer.flush())
        {
            let source = share_error(error);
            self.write_fault = Some(OutputFault::Unwritable { output: self.output_name.clone(), source }.into());
        }
        self.buffer.clear();
    }
}

/// Appends the beginning of a line: the view, the entity key and the window.
fn append_row_head(buffer: &mut Vec<u8>, prefixes: &ViewLinePrefixes, entity_key: &str, window: Window) {
    buffer.extend_from_slice(&prefixes.prefix_before_key_value);
    value_text::append_json_string(buffer, entity_key);
    buffer.extend_from_slice(b",\"window_start\":");
    value_text::append_decimal_integer(buffer, window.start.ms());
    buffer.extend_from_slice(b",\"window_end\":");
    value_text::append_decimal_integer(buffer, window.end.ms());
}

impl<W: Write> Sink for JsonLinesSink<W> {
    fn write_row(&mut self, _: FenceToken, row: Row<'_>) {
        let Self { view_line_prefixes: views, buffer, .. } = self;
        let prefixes = &views[row.view_id.0];
        for window in row.superseded_windows {
            append_row_head(buffer, prefixes, row.entity_key, *window);
            buffer.extend_from_slice(b",\"superseded\":true}\n");
        }
        append_row_head(buffer, prefixes, row.entity_key, row.window);
        if row.is_empty_window && prefixes.empty_window_policy == EmptyWindowPolicy::DeleteRow {
            buffer.extend_from_slice(b",\"deleted\":true");
            self.end_line();
            return;
        }
        for (prefix, value) in prefixes.feature_prefixes.iter().zip(row.feature_values()) {
            buffer.extend_from_slice(prefix);
            match value {
                Value::Null => buffer.extend_from_slice(b"null"),
                Value::String(text) => value_text::append_json_string(buffer, text),
                Value::Double(number) if !number.is_finite() => {
                    buffer.push(b'"');
                    value_text::append_double_text(buffer, number);
                    buffer.push(b'"');
                }
                Value::Double(number) => value_text::append_double_text(buffer, number),
                Value::Long(number) => value_text::append_decimal_integer(buffer, number),
                Value::Boolean(truth) => buffer.extend_from_slice(if truth { b"true" } else { b"false" }),
            }
        }
        self.end_line();
    }

    fn write_late_event(&mut self, late: LateEvent<'_>) {
        let Self { view_line_prefixes: views, buffer, .. } = self;
        buffer.extend_from_slice(&views[late.view_id.0].prefix_before_key_value);
        value_text::append_json_string(buffer, late.entity_key);
        buffer.extend_from_slice(b",\"late\":true,\"event_time\":");
        value_text::append_decimal_integer(buffer, late.event_time.ms());
        self.end_line();
    }

    fn start_flush(&mut self) -> Result<FlushTicket, Halt> {
        self.write_buffer();
        match &self.write_fault {
            Some(fault) => Err(fault.clone()),
            None => {
                self.last_ticket.0 += 1;
                Ok(self.last_ticket)
            }
        }
    }

    fn newest_acknowledged_flush(&self) -> FlushTicket {
        self.last_ticket
    }

    fn wait_for_ticket(&mut self, ticket: FlushTicket, _timeout: Duration) -> Result<bool, Halt> {
        Ok(ticket <= self.last_ticket)
    }
}
