//! Rows and late events as JSON lines.
//!
//! A row is `{"feature_view", <entity key>, "window_start", "window_end", <features…>}`, a late event
//! `{"feature_view", <entity key>, "late": true, "event_time"}`; times are epoch milliseconds, window ends exclusive.
//! Doubles keep their shortest exact form. Values without a JSON number are the text `"NaN"`, `"Infinity"` or
//! `"-Infinity"`.

use std::io::Write;
use std::time::Duration;

use windrow_core::{FeatureView, LateEvent, Row, Value};
use windrow_engine::halt::{OutputFault, share_error};
use windrow_engine::{FenceToken, FlushTicket, Halt, Sink};

use crate::text;

/// The size of the buffer at which it is written.
const BUFFER_BYTES: usize = 256 * 1024;

/// Writes rows and late events to a file or a pipe.
pub struct JsonLinesSink<W> {
    writer: W,
    name: String,
    views: Vec<LinePrefixes>,
    buffer: Vec<u8>,
    fault: Option<Halt>,
    ticket: FlushTicket,
}

/// The parts of a line that are the same for every row of a view.
struct LinePrefixes {
    /// Up to the entity key's value.
    head: Vec<u8>,
    /// Each feature's name, up to its value.
    features: Vec<Vec<u8>>,
}

impl<W: Write> JsonLinesSink<W> {
    /// Writes to `writer`, which errors call `name`; `key_name` is the entity key's field.
    pub fn new(writer: W, name: String, views: &[FeatureView], key_name: &str) -> Self {
        let prefixes = |view: &FeatureView| {
            let mut head = b"{\"feature_view\":".to_vec();
            text::write_json_string(&mut head, &view.name);
            head.push(b',');
            text::write_json_string(&mut head, key_name);
            head.push(b':');
            let feature = |name: &str| {
                let mut prefix = vec![b','];
                text::write_json_string(&mut prefix, name);
                prefix.push(b':');
                prefix
            };
            LinePrefixes { head, features: view.features.iter().map(|f| feature(&f.name)).collect() }
        };
        Self {
            writer,
            name,
            views: views.iter().map(prefixes).collect(),
            buffer: Vec::with_capacity(BUFFER_BYTES + 4096),
            fault: None,
            ticket: FlushTicket(0),
        }
    }

    fn end_line(&mut self) {
        self.buffer.extend_from_slice(b"}\n");
        if self.buffer.len() >= BUFFER_BYTES {
            self.write_buffer();
        }
    }

    fn write_buffer(&mut self) {
        if self.fault.is_none()
            && let Err(error) = self.writer.write_all(&self.buffer).and_then(|()| self.writer.flush())
        {
            let source = share_error(error);
            self.fault = Some(OutputFault::Unwritable { output: self.name.clone(), source }.into());
        }
        self.buffer.clear();
    }
}

impl<W: Write> Sink for JsonLinesSink<W> {
    fn write_row(&mut self, _: FenceToken, row: Row<'_>) {
        let Self { views, buffer, .. } = self;
        let prefixes = &views[row.view.0];
        buffer.extend_from_slice(&prefixes.head);
        text::write_json_string(buffer, row.key);
        buffer.extend_from_slice(b",\"window_start\":");
        text::write_integer(buffer, row.window.start.ms());
        buffer.extend_from_slice(b",\"window_end\":");
        text::write_integer(buffer, row.window.end.ms());
        for (prefix, value) in prefixes.features.iter().zip(row.features()) {
            buffer.extend_from_slice(prefix);
            match value {
                Value::Null => buffer.extend_from_slice(b"null"),
                Value::String(text) => text::write_json_string(buffer, text),
                Value::Double(number) if !number.is_finite() => {
                    buffer.push(b'"');
                    text::write_double(buffer, number);
                    buffer.push(b'"');
                }
                Value::Double(number) => text::write_double(buffer, number),
                Value::Long(number) => text::write_integer(buffer, number),
                Value::Boolean(truth) => buffer.extend_from_slice(if truth { b"true" } else { b"false" }),
            }
        }
        self.end_line();
    }

    fn write_late_event(&mut self, late: LateEvent<'_>) {
        let Self { views, buffer, .. } = self;
        buffer.extend_from_slice(&views[late.view.0].head);
        text::write_json_string(buffer, late.key);
        buffer.extend_from_slice(b",\"late\":true,\"event_time\":");
        text::write_integer(buffer, late.time.ms());
        self.end_line();
    }

    fn flush(&mut self) -> Result<FlushTicket, Halt> {
        self.write_buffer();
        match &self.fault {
            Some(fault) => Err(fault.clone()),
            None => {
                self.ticket.0 += 1;
                Ok(self.ticket)
            }
        }
    }

    fn acknowledged_ticket(&self) -> FlushTicket {
        self.ticket
    }

    fn wait_for_ticket(&mut self, ticket: FlushTicket, _patience: Duration) -> Result<bool, Halt> {
        Ok(ticket <= self.ticket)
    }
}
