//! Rows shown in the terminal as they fire: the demo's sink.

#![allow(clippy::print_stdout)] // the rows are what the user asked for

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use windrow_core::{Late, Row, Value};
use windrow_engine::{Halt, Sink, Ticket};
use windrow_spec::Pipeline;

use crate::status::{count, time};
use crate::table;

/// Rows kept for the next look.
const SHOWN: usize = 12;

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
    rows: VecDeque<Shown>,
    fired: u64,
    late: u64,
    printed: u64,
}

struct Shown {
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
        Self { views: pipeline.views.iter().map(names).collect(), recent: Arc::default(), plain }
    }

    pub(crate) fn sink(&self) -> LiveSink {
        LiveSink { recent: Arc::clone(&self.recent), ticket: Ticket(0) }
    }

    /// Shows what is new.
    pub(crate) fn draw(&self) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if self.plain {
            self.print_new(&mut recent);
        } else {
            self.redraw(&recent);
        }
    }

    fn print_new(&self, recent: &mut Recent) {
        let new = usize::try_from(recent.fired - recent.printed).unwrap_or(usize::MAX);
        if new > recent.rows.len() {
            println!("… {} rows more", count((new - recent.rows.len()) as u64));
        }
        for row in recent.rows.iter().rev().take(new).rev() {
            println!("{} {} {} {}", self.views[row.view].view, row.key, row.window, self.features(row));
        }
        recent.printed = recent.fired;
    }

    fn redraw(&self, recent: &Recent) {
        let mut rows = table::with_head(["feature view", "user", "window (UTC)", "features"]);
        for row in &recent.rows {
            rows.add_row([self.views[row.view].view.as_str(), &row.key, &row.window, &self.features(row)]);
        }
        // Home, clear, draw: one write, so that it does not flicker.
        println!(
            "\x1b[H\x1b[2Jwindrow demo: generated shoppers, an in-process mock broker, the real engine. Ctrl-C ends it.\n\n{} \
             rows fired, {} late events; the newest:\n{rows}",
            count(recent.fired),
            count(recent.late),
        );
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
    fn row(&mut self, row: Row<'_>) {
        let features = row.features().map(|value| match value {
            Value::Null => "NULL".to_owned(),
            Value::String(text) => text.to_owned(),
            Value::Double(number) => format!("{number:.2}"),
            Value::Long(number) => number.to_string(),
            Value::Boolean(truth) => truth.to_string(),
        });
        let clock = |at| time(at).get(11..19).unwrap_or_default().to_owned();
        let shown = Shown {
            view: row.view.0,
            key: row.key.to_owned(),
            window: format!("{}–{}", clock(row.window.start), clock(row.window.end)),
            features: features.collect(),
        };
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.fired += 1;
        recent.rows.push_back(shown);
        if recent.rows.len() > SHOWN {
            recent.rows.pop_front();
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
