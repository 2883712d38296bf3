//! Collects the rows of `windrow demo`, and shows the newest rows in the terminal.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use windrow_core::{LateEvent, Row, Value};
use windrow_engine::{FenceToken, FlushTicket, Halt, Sink};
use windrow_spec::Pipeline;

use crate::exit::CommandFailure;
use crate::format::{format_count_with_noun, format_event_time};
use crate::{print, table};

/// The largest number of rows of each feature view that are kept for the next drawing.
const KEPT_ROWS_PER_VIEW: usize = 6;

/// The form in which [`TerminalRowDisplay`] shows rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DrawingStyle {
    /// Prints one line per row.
    Lines,
    /// Redraws a table on the whole screen.
    Screen,
}

/// Shows the newest rows of all workers in the terminal.
pub(crate) struct TerminalRowDisplay {
    view_names: Vec<ViewAndFeatureNames>,
    recent_rows: Arc<Mutex<RecentRowsBuffer>>,
    style: DrawingStyle,
}

struct ViewAndFeatureNames {
    view_name: String,
    feature_names: Vec<String>,
}

#[derive(Default)]
struct RecentRowsBuffer {
    /// The newest rows of each view, newest last.
    newest_by_view: Vec<VecDeque<FormattedRow>>,
    fired_row_count: u64,
    late_event_count: u64,
    printed_row_count: u64,
}

struct FormattedRow {
    /// The position of the row among all rows that fired, counted from 1.
    row_number: u64,
    view_index: usize,
    key: String,
    window_text: String,
    feature_values: Vec<String>,
}

impl TerminalRowDisplay {
    pub(crate) fn new(pipeline: &Pipeline, style: DrawingStyle) -> Self {
        let names = |view: &windrow_core::FeatureView| ViewAndFeatureNames {
            view_name: view.name.to_string(),
            feature_names: view.features.iter().map(|feature| feature.name.to_string()).collect(),
        };
        let recent = RecentRowsBuffer {
            newest_by_view: pipeline.views.iter().map(|_| VecDeque::new()).collect(),
            ..RecentRowsBuffer::default()
        };
        Self {
            view_names: pipeline.views.iter().map(names).collect(),
            recent_rows: Arc::new(Mutex::new(recent)),
            style,
        }
    }

    pub(crate) fn create_worker_sink(&self) -> RecentRowsSink {
        RecentRowsSink { recent_rows: Arc::clone(&self.recent_rows), last_ticket: FlushTicket(0) }
    }

    /// Prints the rows that fired since the last call, or redraws the table of the newest rows. The drawing style
    /// decides which of the two.
    pub(crate) fn draw_new_rows(&self) -> Result<(), CommandFailure> {
        let mut recent = self.recent_rows.lock();
        let text = match self.style {
            DrawingStyle::Lines => self.format_new_rows_as_lines(&mut recent),
            DrawingStyle::Screen => self.format_rows_as_screen(&recent),
        };
        drop(recent);
        print::write_stdout(&text)
    }

    fn format_new_rows_as_lines(&self, recent: &mut RecentRowsBuffer) -> String {
        let mut rows: Vec<_> =
            recent.newest_by_view.iter().flatten().filter(|row| row.row_number > recent.printed_row_count).collect();
        rows.sort_by_key(|row| row.row_number);
        let mut lines = String::new();
        let skipped = recent.fired_row_count - recent.printed_row_count - rows.len() as u64;
        if skipped > 0 {
            lines.push_str(&format!("… {} more\n", format_count_with_noun(skipped, "row")));
        }
        for row in rows {
            let view = &self.view_names[row.view_index].view_name;
            lines.push_str(&format!("{view} {} {} {}\n", row.key, row.window_text, self.format_features(row)));
        }
        recent.printed_row_count = recent.fired_row_count;
        lines
    }

    fn format_rows_as_screen(&self, recent: &RecentRowsBuffer) -> String {
        let mut rows = table::create_table_with_header(["feature view", "user", "window (UTC)", "features"]);
        for row in recent.newest_by_view.iter().flatten() {
            rows.add_row([
                self.view_names[row.view_index].view_name.as_str(),
                &row.key,
                &row.window_text,
                &self.format_features(row),
            ]);
        }
        // One write moves the cursor home, clears the screen and draws, so that the screen does not flicker.
        format!(
            "\x1b[H\x1b[2Jwindrow demo: generated shoppers, an in-process mock broker, the real engine. Ctrl-C \
             ends the demo.\n\n{}, {}; the newest rows of each view:\n{rows}\n",
            format_count_with_noun(recent.fired_row_count, "row"),
            format_count_with_noun(recent.late_event_count, "late event"),
        )
    }

    fn format_features(&self, row: &FormattedRow) -> String {
        let pairs = self.view_names[row.view_index].feature_names.iter().zip(&row.feature_values);
        pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }
}

/// The sink of one worker. It keeps only the newest rows, and acknowledges every row at once.
pub(crate) struct RecentRowsSink {
    recent_rows: Arc<Mutex<RecentRowsBuffer>>,
    last_ticket: FlushTicket,
}

impl Sink for RecentRowsSink {
    fn write_row(&mut self, _: FenceToken, row: Row<'_>) {
        let features = row.feature_values().map(|value| match value {
            Value::Null => "NULL".to_owned(),
            Value::String(text) => text.to_owned(),
            Value::Double(number) => format!("{number:.2}"),
            Value::Long(number) => number.to_string(),
            Value::Boolean(truth) => truth.to_string(),
        });
        let clock = |at| format_event_time(at).get(11..19).unwrap_or_default().to_owned();
        let mut recent = self.recent_rows.lock();
        recent.fired_row_count += 1;
        let shown = FormattedRow {
            row_number: recent.fired_row_count,
            view_index: row.view_id.0,
            key: row.entity_key.to_owned(),
            window_text: format!("{}–{}", clock(row.window.start), clock(row.window.end)),
            feature_values: features.collect(),
        };
        let rows = &mut recent.newest_by_view[row.view_id.0];
        rows.push_back(shown);
        if rows.len() > KEPT_ROWS_PER_VIEW {
            rows.pop_front();
        }
    }

    fn write_late_event(&mut self, _late: LateEvent<'_>) {
        self.recent_rows.lock().late_event_count += 1;
    }

    fn start_flush(&mut self) -> Result<FlushTicket, Halt> {
        self.last_ticket.0 += 1;
        Ok(self.last_ticket)
    }

    fn newest_acknowledged_flush(&self) -> FlushTicket {
        self.last_ticket
    }

    fn wait_for_ticket(&mut self, ticket: FlushTicket, _timeout: Duration) -> Result<bool, Halt> {
        Ok(ticket <= self.last_ticket)
    }
}
