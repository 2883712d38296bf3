//! The definition of the job that a worker runs.

use std::sync::Arc;
use std::time::Duration;

use windrow_core::{Aggregate, EmptyWindowPolicy, Event, EventSchema, FeatureView, FieldId, Shard, SipHashKey, Value};

use crate::out_of_orderness_text::describe_max_out_of_orderness;
use crate::{EventDecoder, RecordPlacementRules};

/// The parts of a pipeline that a worker needs to turn records into rows.
#[derive(Clone, Debug)]
pub struct JobDefinition {
    /// The feature views, in the order of the pipeline file.
    pub views: Arc<[FeatureView]>,
    /// The fields of an event.
    pub schema: EventSchema,
    /// The maximum out-of-orderness of event times, in milliseconds.
    pub max_out_of_orderness_ms: i64,
    /// What the wall clock decides.
    pub clock_rules: ClockRules,
    /// The decoder that turns records into events.
    pub decoder: EventDecoder,
    /// The name of the topic or file that the records come from. Dead letters contain this name.
    pub topic: Arc<str>,
    /// The secret key of SipHash, the function with which hash tables hash entity keys. If this secret is random, a
    /// sender of events cannot choose entity keys that collide.
    pub sip_hash_key: SipHashKey,
    /// What is known about the partitions of records, and what happens with misplaced records.
    pub record_placement: RecordPlacementRules,
}

/// What the wall clock decides about the records of a job. By default nothing: rows depend on the records alone.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ClockRules {
    /// When a partition is idle; `None` if its watermark never follows the wall clock.
    pub idle_timeout: Option<IdleTimeout>,
    /// How much later than the wall clock an event may be, in milliseconds; `None` if it may have any time.
    pub max_future_ms: Option<i64>,
}

/// When a partition is idle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdleTimeout {
    /// The time for which no record has come.
    pub duration: Duration,
    /// Whether the timeout also concerns partitions whose newest events were already a day old when they were processed.
    pub includes_history: bool,
}

impl JobDefinition {
    /// Creates a shard without state.
    pub(crate) fn new_shard(&self) -> Shard {
        Shard::new(self.views.iter(), &self.schema, self.max_out_of_orderness_ms, self.sip_hash_key)
    }

    /// Returns a text with the decoding rules, the maximum out-of-orderness and Windrow's version. Each manifest
    /// contains this text.
    pub(crate) fn describe_decoding_and_lateness(&self) -> String {
        format!(
            "{}{}, {}{}, Windrow {}",
            self.decoder.describe_decoding_rules(),
            self.record_placement.describe_refused_records(),
            describe_max_out_of_orderness(self.max_out_of_orderness_ms),
            self.describe_empty_windows(),
            env!("CARGO_PKG_VERSION")
        )
    }

    /// Returns a text with the views whose empty windows fire too; an empty text if there are none. The state does not depend
    /// on it, but the numbers of rows do.
    fn describe_empty_windows(&self) -> String {
        let views = self.views.iter().filter(|view| view.empty_window_policy != EmptyWindowPolicy::KeepRow);
        views.map(|view| format!(", empty windows of {}", view.name)).collect()
    }

    /// Returns the number of fields whose text in `event` is too long for the aggregates that would keep it.
    pub(crate) fn count_oversized_texts(&self, event: &Event<'_>) -> u64 {
        let keeps_text = |field: FieldId| {
            let mut aggregates = self.views.iter().flat_map(|view| &view.features).map(|feature| feature.aggregate);
            aggregates.any(|aggregate| match aggregate {
                Aggregate::Min(kept) | Aggregate::Max(kept) | Aggregate::First(kept) | Aggregate::Last(kept) => {
                    kept == field
                }
                _ => false,
            })
        };
        let max_bytes = self.schema.max_field_bytes();
        let is_oversized = |value: &Value<'_>| matches!(value, Value::String(text) if text.len() > max_bytes);
        let oversized = event.field_values.iter().enumerate().filter(|(_, value)| is_oversized(value));
        oversized.filter(|(index, _)| keeps_text(FieldId(*index))).count() as u64
    }
}
