//! Runs one test: its records pass through the decoder and the shard of a job.

use bumpalo::Bump;
use windrow_connectors::job::create_event_decoder;
use windrow_core::{EventTime, LateEvent, Literal, Row, Shard, ShardOutput, SipHashKey, Value, ViewId, Window};
use windrow_engine::EventDecoder;
use windrow_spec::{Pipeline, PipelineTest, TestStep};

/// Runs tests of one pipeline, each with an empty shard.
pub(crate) struct TestRunner<'p> {
    pipeline: &'p Pipeline,
    decoder: EventDecoder,
}

/// What happened in a test.
pub(crate) struct TestRun {
    /// The rows of the windows that fired, in order.
    pub(super) rows: Vec<ActualRow>,
    /// The rows of the windows that were still open after the last event. Empty if the test ends the input.
    pub(super) open_rows: Vec<ActualRow>,
    pub(super) late_events: Vec<ActualLateEvent>,
    pub(super) dead_letters: Vec<ActualDeadLetter>,
    pub(super) events: Vec<DecodedEvent>,
    /// The watermark after the last event, or `None` without any event.
    pub(super) watermark: Option<EventTime>,
}

pub(super) struct ActualRow {
    pub(super) view_id: ViewId,
    pub(super) entity_key: String,
    pub(super) window: Window,
    /// The value of each feature, or `None` for NULL.
    pub(super) values: Vec<Option<Literal>>,
}

pub(super) struct ActualLateEvent {
    pub(super) view_id: ViewId,
    pub(super) entity_key: String,
    pub(super) event_time: EventTime,
    /// The position of the event in the test, counted from 1.
    pub(super) event_number: usize,
    /// The watermark when the event arrived.
    pub(super) watermark: Option<EventTime>,
}

pub(super) struct ActualDeadLetter {
    /// The position of the record in the test, counted from 1.
    pub(super) event_number: usize,
    pub(super) reason: String,
}

pub(super) struct DecodedEvent {
    /// The position of the event in the test, counted from 1.
    pub(super) event_number: usize,
    pub(super) entity_key: String,
    pub(super) event_time: EventTime,
}

impl<'p> TestRunner<'p> {
    pub(crate) fn new(pipeline: &'p Pipeline) -> Self {
        Self { pipeline, decoder: create_event_decoder(pipeline) }
    }

    /// Runs a test.
    pub(crate) fn run_test(&self, test: &PipelineTest) -> TestRun {
        let Pipeline { views, event, watermark, .. } = self.pipeline;
        // Results do not depend on the hash key, and a test holds few entities.
        let hash_key = SipHashKey::default();
        let max_out_of_orderness_ms = watermark.max_out_of_orderness_ms;
        let mut shard = Shard::new(views, &event.schema, max_out_of_orderness_ms, hash_key);
        let mut run = TestRun {
            rows: Vec::new(),
            open_rows: Vec::new(),
            late_events: Vec::new(),
            dead_letters: Vec::new(),
            events: Vec::new(),
            watermark: None,
        };
        for (event_number, step) in (1..).zip(&test.steps) {
            let record = match step {
                TestStep::Record(record) => record,
                TestStep::ClockTime(now) => {
                    // As in production, a partition without any event is not idle.
                    if let Some(watermark) = shard.watermark() {
                        let time = EventTime::from_ms(now.ms() - max_out_of_orderness_ms - 1);
                        let TestRun { rows, late_events, .. } = &mut run;
                        let watermark = Some(watermark);
                        shard.advance_watermark(
                            time,
                            &mut OutputRecorder { rows, late_events, event_number, watermark },
                        );
                    }
                    continue;
                }
            };
            let arena = Bump::new();
            match self.decoder.decode(Some(record.as_bytes()), &arena) {
                Err(error) => {
                    run.dead_letters.push(ActualDeadLetter { event_number, reason: error.to_string() });
                }
                Ok(event) => {
                    run.events.push(DecodedEvent {
                        event_number,
                        entity_key: event.entity_key.to_owned(),
                        event_time: event.time,
                    });
                    let watermark = shard.watermark();
                    let TestRun { rows, late_events, .. } = &mut run;
                    shard.process_event(&event, &mut OutputRecorder { rows, late_events, event_number, watermark });
                }
            }
        }
        run.watermark = shard.watermark();
        let TestRun { rows, open_rows, late_events, watermark, .. } = &mut run;
        let rows = if test.ends_input { rows } else { open_rows };
        let (event_number, watermark) = (test.steps.len(), *watermark);
        shard.finish_input(&mut OutputRecorder { rows, late_events, event_number, watermark });
        run
    }
}

/// Keeps the output of the shard while it processes one event.
struct OutputRecorder<'r> {
    rows: &'r mut Vec<ActualRow>,
    late_events: &'r mut Vec<ActualLateEvent>,
    event_number: usize,
    watermark: Option<EventTime>,
}

impl ShardOutput for OutputRecorder<'_> {
    fn emit_row(&mut self, row: Row<'_>) {
        let own_value = |value: Value<'_>| match value {
            Value::Null => None,
            Value::String(text) => Some(Literal::String(text.into())),
            Value::Double(number) => Some(Literal::Double(number)),
            Value::Long(number) => Some(Literal::Long(number)),
            Value::Boolean(truth) => Some(Literal::Boolean(truth)),
        };
        self.rows.push(ActualRow {
            view_id: row.view_id,
            entity_key: row.entity_key.to_owned(),
            window: row.window,
            values: row.feature_values().map(own_value).collect(),
        });
    }

    fn emit_late_event(&mut self, late: LateEvent<'_>) {
        self.late_events.push(ActualLateEvent {
            view_id: late.view_id,
            entity_key: late.entity_key.to_owned(),
            event_time: late.event_time,
            event_number: self.event_number,
            watermark: self.watermark,
        });
    }
}
