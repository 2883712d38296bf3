//! The demo's sink: shows rows in the terminal as they fire.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use windrow_core::{LateEvent, Row, Value};
use windrow_engine::{FenceToken, FlushTicket, Halt, Sink};
use windrow_spec::Pipeline;

use crate::exit::CommandFailure;
use crate::format::{format_event_time, format_plural};
use crate::{print, table};

/// How many rows of each view are kept for the next drawing.
const ROWS_PER_VIEW: usize = 6;

/// How [`TerminalRows`] writes to the terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DrawingStyle {
    /// One line per row.
    Lines,
    /// A table that is redrawn.
    Screen,
}

/// Draws the newest rows of all workers.
pub(crate) struct TerminalRows {
    views: Vec<ViewNames>,
    recent: Arc<Mutex<RecentTerminalRows>>,
    style: DrawingStyle,
}

struct ViewNames {
    view: String,
    features: Vec<String>,
}

#[derive(Default)]
struct RecentTerminalRows {
    /// The newest rows of each view, newest last.
    rows: Vec<VecDeque<TerminalRow>>,
    fired: u64,
    late: u64,
    printed: u64,
}

struct TerminalRow {
    /// Its number among all rows, from 1.
    number: u64,
    view: usize,
    key: String,
    window: String,
    features: Vec<String>,
}

impl TerminalRows {
    pub(crate) fn new(pipeline: &Pipeline, style: DrawingStyle) -> Self {
        let names = |view: &windrow_core::FeatureView| ViewNames {
            view: view.name.to_string(),
            features: view.features.iter().map(|feature| feature.name.to_string()).collect(),
        };
        let recent = RecentTerminalRows {
            rows: pipeline.views.iter().map(|_| VecDeque::new()).collect(),
            ..RecentTerminalRows::default()
        };
        Self { views: pipeline.views.iter().map(names).collect(), recent: Arc::new(Mutex::new(recent)), style }
    }

    pub(crate) fn sink(&self) -> TerminalSink {
        TerminalSink { recent: Arc::clone(&self.recent), ticket: FlushTicket(0) }
    }

    /// Prints new rows, or redraws the screen.
    pub(crate) fn draw_new_rows(&self) -> Result<(), CommandFailure> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match self.style {
            DrawingStyle::Lines => self.format_new_lines(&mut recent),
            DrawingStyle::Screen => self.format_screen(&recent),
        };
        drop(recent);
        print::write_stdout(&text)
    }

    fn format_new_lines(&self, recent: &mut RecentTerminalRows) -> String {
        let mut rows: Vec<_> = recent.rows.iter().flatten().filter(|row| row.number > recent.printed).collect();
        rows.sort_by_key(|row| row.number);
        let mut lines = String::new();
        let skipped = recent.fired - recent.printed - rows.len() as u64;
        if skipped > 0 {
            lines.push_str(&format!("… {} more\n", format_plural(skipped, "row")));
        }
        for row in rows {
            let view = &self.views[row.view].view;
            lines.push_str(&format!("{view} {} {} {}\n", row.key, row.window, self.format_features(row)));
        }
        recent.printed = recent.fired;
        lines
    }

    fn format_screen(&self, recent: &RecentTerminalRows) -> String {
        let mut rows = table::table_with_header(["feature view", "user", "window (UTC)", "features"]);
        for row in recent.rows.iter().flatten() {
            rows.add_row([self.views[row.view].view.as_str(), &row.key, &row.window, &self.format_features(row)]);
        }
        // Move home, clear and draw in one write, so that the screen does not flicker.
        format!(
            "\x1b[H\x1b[2Jwindrow demo: generated shoppers, an in-process mock broker, the real engine. Ctrl-C ends \
             it.\n\n{}, {}; the newest of each view:\n{rows}\n",
            format_plural(recent.fired, "row"),
            format_plural(recent.late, "late event"),
        )
    }

    fn format_features(&self, row: &TerminalRow) -> String {
        let pairs = self.views[row.view].features.iter().zip(&row.features);
        pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }
}

/// One worker's sink.
pub(crate) struct TerminalSink {
    recent: Arc<Mutex<RecentTerminalRows>>,
    ticket: FlushTicket,
}

impl Sink for TerminalSink {
    fn write_row(&mut self, _: FenceToken, row: Row<'_>) {
        let features = row.features().map(|value| match value {
            Value::Null => "NULL".to_owned(),
            Value::String(text) => text.to_owned(),
            Value::Double(number) => format!("{number:.2}"),
            Value::Long(number) => number.to_string(),
            Value::Boolean(truth) => truth.to_string(),
        });
        let clock = |at| format_event_time(at).get(11..19).unwrap_or_default().to_owned();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.fired += 1;
        let shown = TerminalRow {
            number: recent.fired,
            view: row.view.0,
            key: row.key.to_owned(),
            window: format!("{}–{}", clock(row.window.start), clock(row.window.end)),
            features: features.collect(),
        };
        let rows = &mut recent.rows[row.view.0];
        rows.push_back(shown);
        if rows.len() > ROWS_PER_VIEW {
            rows.pop_front();
        }
    }

    fn write_late_event(&mut self, _late: LateEvent<'_>) {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).late += 1;
    }

    fn flush(&mut self) -> Result<FlushTicket, Halt> {
        self.ticket.0 += 1;
        Ok(self.ticket)
    }

    fn acknowledged_ticket(&self) -> FlushTicket {
        self.ticket
    }

    fn wait_for_ticket(&mut self, ticket: FlushTicket, _patience: Duration) -> Result<bool, Halt> {
        Ok(ticket <= self.ticket)
    }
}
