//! Writes the log events of the instances into the trace.

use std::fmt::{self, Write};
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::simulation_core::SimulationCore;

/// The fields of log events that hold durations by the clock of the machine, such as that of an outage.
const REAL_TIME_FIELDS: [&str; 1] = ["seconds"];

/// Writes the log events of the engine and the connectors into the trace.
pub(crate) struct TraceSubscriber(pub(crate) Arc<SimulationCore>);

impl Subscriber for TraceSubscriber {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("windrow")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = EventLine { message: String::new(), fields: String::new() };
        event.record(&mut line);
        self.0.record(|| format!("{:>5} {}{}", event.metadata().level(), line.message, line.fields));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct EventLine {
    message: String,
    fields: String,
}

impl Visit for EventLine {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else if !REAL_TIME_FIELDS.contains(&field.name()) {
            let _written = write!(self.fields, " {}={value:?}", field.name());
        }
    }
}
