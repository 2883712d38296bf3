//! The shard against a naive reference that keeps every event and every window.
//!
//! The reference follows the window rules as Flink's operators do: a copy of the event in every window it belongs to, and a
//! scan over all windows after every event. It shares only the vocabulary types with the shard.

mod migration;
mod reference;
mod snapshots;
mod streams;

use proptest::prelude::*;
use reference::{ObservedOutput, ReferenceShard};
use streams::{SampleEvent, stream, views};
use windrow_core::{
    Aggregate, EmptyWindowPolicy, Event, EventSchema, EventTime, Feature, FeatureView, LateEvent, Row, Shard,
    ShardOutput, Value, WindowKind,
};

/// Collects what a shard emits in the reference's form.
#[derive(Default)]
struct CollectedOutput(Vec<ObservedOutput>);

impl ShardOutput for CollectedOutput {
    fn emit_row(&mut self, row: Row<'_>) {
        let features = row.feature_values().map(|value| format!("{value:?}")).collect();
        self.0.push(ObservedOutput::Row {
            view: row.view_id.0,
            key: row.entity_key.to_owned(),
            window: row.window,
            features,
            superseded_windows: row.superseded_windows.to_vec(),
            has_newer_row: row.has_newer_row,
            is_empty_window: row.is_empty_window,
        });
    }

    fn emit_late_event(&mut self, late: LateEvent<'_>) {
        self.0.push(ObservedOutput::Late {
            view: late.view_id.0,
            key: late.entity_key.to_owned(),
            time: late.event_time,
            cause: late.cause,
        });
    }
}

fn with_event<T>(sample: &SampleEvent, run: impl FnOnce(&Event<'_>) -> T) -> T {
    let fields = [
        Value::String(&sample.key),
        sample.kind.as_deref().map_or(Value::Null, Value::String),
        sample.price.map_or(Value::Null, Value::Double),
        sample.quantity.map_or(Value::Null, Value::Long),
        sample.member.map_or(Value::Null, Value::Boolean),
    ];
    run(&Event { entity_key: &sample.key, time: sample.time, field_values: &fields })
}

/// Advances the watermark of the shard if the partition was idle before the event, and then passes the event.
fn process_sample(shard: &mut Shard, sample: &SampleEvent, out: &mut impl ShardOutput) {
    if let Some(time) = sample.idle_watermark {
        shard.advance_watermark(time, out);
    }
    with_event(sample, |event| shard.process_event(event, out));
}

fn run_shard(
    views: &[FeatureView],
    schema: &EventSchema,
    max_out_of_orderness_ms: i64,
    events: &[SampleEvent],
) -> Vec<ObservedOutput> {
    let mut shard = Shard::new(views, schema, max_out_of_orderness_ms, [7; 16]);
    let mut out = CollectedOutput::default();
    for sample in events {
        process_sample(&mut shard, sample, &mut out);
        let by_view: Vec<usize> = shard.entity_counts_by_view().collect();
        // Each entity is in some view, and none twice in one.
        assert!(by_view.iter().max() <= Some(&shard.entity_count()), "{by_view:?}");
        assert!(by_view.iter().sum::<usize>() >= shard.entity_count(), "{by_view:?}");
    }
    shard.finish_input(&mut out);
    assert_eq!(shard.entity_count(), 0, "state is left behind after everything fired");
    assert!(shard.entity_counts_by_view().all(|held| held == 0), "a view counts entities that are gone");
    out.0
}

fn run_reference(
    views: &[FeatureView],
    schema: &EventSchema,
    max_out_of_orderness_ms: i64,
    events: &[SampleEvent],
) -> Vec<ObservedOutput> {
    let mut reference = ReferenceShard::new(views, schema, max_out_of_orderness_ms);
    for sample in events {
        reference.process_event(sample);
    }
    reference.finish_input();
    reference.observed
}

/// Each second event has the time of the watermark, at which a window has just fired. It changes a pane that later windows
/// share.
#[test]
fn events_at_the_watermark_count_in_later_windows() {
    let view = FeatureView {
        name: "many panes".into(),
        window: WindowKind::Sliding { size_ms: 64, slide_ms: 1 },
        allowed_lateness_ms: 0,
        empty_window_policy: EmptyWindowPolicy::KeepRow,
        features: vec![Feature {
            name: "events".into(),
            aggregate: Aggregate::Count,
            condition: None,
            default_value: None,
        }],
    };
    let event_at = |ms| SampleEvent {
        idle_watermark: None,
        key: "a".to_owned(),
        time: EventTime::from_ms(ms),
        kind: None,
        price: None,
        quantity: None,
        member: None,
    };
    let events: Vec<SampleEvent> = (1..300).flat_map(|ms| [event_at(ms), event_at(ms - 1)]).collect();
    let (views, schema) = (vec![view], streams::schema());
    let (mut got, mut want) = (run_shard(&views, &schema, 0, &events), run_reference(&views, &schema, 0, &events));
    got.sort();
    want.sort();
    assert_eq!(got, want);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Any stream, any views: the same rows and the same late events as the reference.
    #[test]
    fn shard_agrees_with_reference(
        (views, max_out_of_orderness_ms) in views(),
        events in stream(),
    ) {
        let schema = streams::schema();
        let mut got = run_shard(&views, &schema, max_out_of_orderness_ms, &events);
        let mut want = run_reference(&views, &schema, max_out_of_orderness_ms, &events);
        got.sort();
        want.sort();
        prop_assert_eq!(got, want);
    }

    /// The hash key decides only where keys lie in memory. It does not even change the order of rows.
    #[test]
    fn hash_key_does_not_reach_results((views, max_out_of_orderness_ms) in views(), events in stream()) {
        let schema = streams::schema();
        let run = |hash_key| {
            let mut shard = Shard::new(&views, &schema, max_out_of_orderness_ms, hash_key);
            let mut out = CollectedOutput::default();
            for sample in &events {
                with_event(sample, |event| shard.process_event(event, &mut out));
            }
            shard.finish_input(&mut out);
            out.0
        };
        prop_assert_eq!(run([0; 16]), run([255; 16]));
    }
}
