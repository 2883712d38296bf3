//! Rows shown in the terminal as they fire: the demo's sink.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use windrow_core::{Late, Row, Value};
use windrow_engine::{Halt, Origin, Sink, Ticket};
use windrow_spec::Pipeline;

use crate::exit::Failure;
use crate::status::{plural, time};
use crate::{print, table};

/// Rows of each view kept for the next look.
const SHOWN: usize = 6;

/// The newest rows of all workers.
pub(crate) struct LiveRows {
    views: Vec<ViewNames>,
    recent: Arc<Mutex<Recent>>,
    plain: bool,
}

struct ViewNames {
    view: String,
    features: Vec<String>,
}

#[derive(Default)]
struct Recent {
    /// Per view, the newest last.
    rows: Vec<VecDeque<Shown>>,
    fired: u64,
    late: u64,
    printed: u64,
}

struct Shown {
    /// Its number among all rows.
    number: u64,
    view: usize,
    key: String,
    window: String,
    features: Vec<String>,
}

impl LiveRows {
    pub(crate) fn new(pipeline: &Pipeline, plain: bool) -> Self {
        let names = |view: &windrow_spec::View| ViewNames {
            view: view.feature_view.name.to_string(),
            features: view.feature_view.features.iter().map(|feature| feature.name.to_string()).collect(),
        };
        let recent = Recent { rows: pipeline.views.iter().map(|_| VecDeque::new()).collect(), ..Recent::default() };
        Self { views: pipeline.views.iter().map(names).collect(), recent: Arc::new(Mutex::new(recent)), plain }
    }

    pub(crate) fn sink(&self) -> LiveSink {
        LiveSink { recent: Arc::clone(&self.recent), ticket: Ticket(0) }
    }

    /// Shows what is new.
    pub(crate) fn draw(&self) -> Result<(), Failure> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let text = if self.plain { self.new_lines(&mut recent) } else { self.screen(&recent) };
        drop(recent);
        print::data(&text)
    }

    fn new_lines(&self, recent: &mut Recent) -> String {
        let mut rows: Vec<_> = recent.rows.iter().flatten().filter(|row| row.number > recent.printed).collect();
        rows.sort_by_key(|row| row.number);
        let mut lines = String::new();
        let untold = recent.fired - recent.printed - rows.len() as u64;
        if untold > 0 {
            lines.push_str(&format!("… {} more\n", plural(untold, "row")));
        }
        for row in rows {
            let view = &self.views[row.view].view;
            lines.push_str(&format!("{view} {} {} {}\n", row.key, row.window, self.features(row)));
        }
        recent.printed = recent.fired;
        lines
    }

    fn screen(&self, recent: &Recent) -> String {
        let mut rows = table::with_head(["feature view", "user", "window (UTC)", "features"]);
        for row in recent.rows.iter().flatten() {
            rows.add_row([self.views[row.view].view.as_str(), &row.key, &row.window, &self.features(row)]);
        }
        // Home, clear, draw: one write, so that it does not flicker.
        format!(
            "\x1b[H\x1b[2Jwindrow demo: generated shoppers, an in-process mock broker, the real engine. Ctrl-C ends \
             it.\n\n{}, {}; the newest of each view:\n{rows}\n",
            plural(recent.fired, "row"),
            plural(recent.late, "late event"),
        )
    }

    fn features(&self, row: &Shown) -> String {
        let pairs = self.views[row.view].features.iter().zip(&row.features);
        pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }
}

/// One worker's way to the terminal.
pub(crate) struct LiveSink {
    recent: Arc<Mutex<Recent>>,
    ticket: Ticket,
}

impl Sink for LiveSink {
    fn row(&mut self, _: Origin, row: Row<'_>) {
        let features = row.features().map(|value| match value {
            Value::Null => "NULL".to_owned(),
            Value::String(text) => text.to_owned(),
            Value::Double(number) => format!("{number:.2}"),
            Value::Long(number) => number.to_string(),
            Value::Boolean(truth) => truth.to_string(),
        });
        let clock = |at| time(at).get(11..19).unwrap_or_default().to_owned();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.fired += 1;
        let shown = Shown {
            number: recent.fired,
            view: row.view.0,
            key: row.key.to_owned(),
            window: format!("{}–{}", clock(row.window.start), clock(row.window.end)),
            features: features.collect(),
        };
        let rows = &mut recent.rows[row.view.0];
        rows.push_back(shown);
        if rows.len() > SHOWN {
            rows.pop_front();
        }
    }

    fn late(&mut self, _late: Late<'_>) {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).late += 1;
    }

    fn flush(&mut self) -> Result<Ticket, Halt> {
        self.ticket.0 += 1;
        Ok(self.ticket)
    }

    fn acknowledged(&self) -> Ticket {
        self.ticket
    }

    fn wait(&mut self, ticket: Ticket, _patience: Duration) -> Result<bool, Halt> {
        Ok(ticket <= self.ticket)
    }
}
