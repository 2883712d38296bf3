//! The bounds of a snapshot while windows fire into it, in states that are large against these bounds.

use proptest::prelude::*;

use super::*;
use crate::event::{EventField, FieldId};
use crate::snapshot::restore::{SavedViewTarget, ShardRestore};
use crate::value::{FieldType, Value};
use crate::view::{Aggregate, EmptyWindowPolicy, Feature};

const TEXT: FieldId = FieldId(1);
const LONGEST_TEXT_BYTES: usize = 30_000;
/// More than one slot takes in a snapshot: a slot holds a few panes or sessions, each with one text.
const MAX_SLOT_BYTES: usize = 8 * (LONGEST_TEXT_BYTES + 100);
/// More than one event saves: the slot of its entity in each view, and the entity key.
const MAX_SAVED_BYTES_PER_EVENT: usize = 4 * MAX_SLOT_BYTES;

#[derive(Clone, Debug)]
struct TextEvent {
    user: u8,
    step_ms: i64,
    text_bytes: usize,
    /// The limit with which the snapshot continues after this event.
    save_limit: usize,
}

fn text_events() -> impl Strategy<Value = Vec<TextEvent>> {
    let step = prop_oneof![20 => 0_i64..3, 1 => 20_i64..300];
    let limit = prop_oneof![Just(0_usize), 1_usize..100_000];
    let event = (0_u8..60, step, 0..LONGEST_TEXT_BYTES, limit);
    let event =
        event.prop_map(|(user, step_ms, text_bytes, save_limit)| TextEvent { user, step_ms, text_bytes, save_limit });
    prop::collection::vec(event, 1..300)
}

#[derive(Default)]
struct RowTexts(Vec<String>);

impl ShardOutput for RowTexts {
    fn emit_row(&mut self, row: Row<'_>) {
        let values: Vec<String> = row.feature_values().map(|value| format!("{value:?}")).collect();
        self.0.push(format!("{:?} {} {:?} {} {values:?}", row.view_id, row.entity_key, row.window, row.row_number));
    }

    fn emit_late_event(&mut self, _: LateEvent<'_>) {}
}

fn schema() -> EventSchema {
    EventSchema::new("user", [EventField { name: "text".into(), field_type: FieldType::String }])
}

fn new_shard() -> Shard {
    let feature = |aggregate| Feature { name: "f".into(), aggregate, condition: None, default_value: None };
    let view = |name: &str, window, aggregate| FeatureView {
        name: name.into(),
        window,
        allowed_lateness_ms: 0,
        empty_window_policy: EmptyWindowPolicy::KeepRow,
        features: vec![feature(aggregate)],
    };
    let views = [
        view("tumbling", WindowKind::Sliding { size_ms: 100, slide_ms: 100 }, Aggregate::Last(TEXT)),
        view("sliding", WindowKind::Sliding { size_ms: 120, slide_ms: 40 }, Aggregate::First(TEXT)),
        view("session", WindowKind::Session { gap_ms: 30 }, Aggregate::Max(TEXT)),
    ];
    Shard::new(&views, &schema(), 5, [3; 16])
}

fn process(shard: &mut Shard, event: &TextEvent, time_ms: i64, out: &mut RowTexts) {
    let (key, text) = (format!("user {}", event.user), "t".repeat(event.text_bytes));
    let fields = [Value::String(&key), Value::String(&text)];
    shard.process_event(&Event { entity_key: &key, time: EventTime::from_ms(time_ms), field_values: &fields }, out);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// A firing adds no saved bytes, whatever is pending. A step of a snapshot adds its limit and one block or slot. The
    /// restored shard gives the rows of the original.
    #[test]
    fn firing_into_a_snapshot_saves_nothing_at_once(
        events in text_events(),
        begin_at in any::<prop::sample::Index>(),
        part_bytes in 1_usize..200_000,
    ) {
        let begin_at = begin_at.index(events.len());
        let (mut shard, mut bytes, mut cut) = (new_shard(), Vec::new(), None);
        let (mut time_ms, mut rows) = (0, RowTexts::default());
        for (index, event) in events.iter().enumerate() {
            if index == begin_at {
                cut = Some((shard.snapshot_metadata(), time_ms, rows.0.len()));
                shard.begin_snapshot(BaseOrDelta::Base);
            }
            let before = shard.buffered_snapshot_byte_count();
            time_ms += event.step_ms;
            process(&mut shard, event, time_ms, &mut rows);
            let saved = shard.buffered_snapshot_byte_count() - before;
            prop_assert!(saved <= MAX_SAVED_BYTES_PER_EVENT, "event {index} saved {saved} bytes");
            if cut.is_some() {
                let before = bytes.len();
                shard.continue_snapshot(event.save_limit, &mut bytes);
                let step = bytes.len() - before;
                prop_assert!(step <= event.save_limit + 2 * MAX_SLOT_BYTES, "a step of {step} bytes");
            }
        }
        while !shard.continue_snapshot(10_000, &mut bytes) {}
        shard.finish_input(&mut rows);

        let (metadata, mut time_ms, row_count) = cut.expect("begun");
        let mut restore = ShardRestore::new(new_shard(), metadata.slot_count, (0..3).map(SavedViewTarget::SameDefinition).collect());
        for part in bytes.chunks(part_bytes) {
            restore.load_layer_part(part).expect("readable");
        }
        restore.finish_layer().expect("whole");
        let (mut restored, mut restored_rows) = (restore.finish(&metadata).expect("consistent"), RowTexts::default());
        for event in &events[begin_at..] {
            time_ms += event.step_ms;
            process(&mut restored, event, time_ms, &mut restored_rows);
        }
        restored.finish_input(&mut restored_rows);
        prop_assert!(restored_rows.0 == rows.0[row_count..], "other rows after the restore");
    }
}

#[test]
fn a_layer_that_ends_inside_a_block_is_refused() {
    let (mut shard, mut bytes) = (new_shard(), Vec::new());
    let event = TextEvent { user: 1, step_ms: 0, text_bytes: 100_000, save_limit: 0 };
    process(&mut shard, &event, 0, &mut RowTexts::default());
    shard.begin_snapshot(BaseOrDelta::Base);
    assert!(shard.continue_snapshot(usize::MAX, &mut bytes));
    let mut restore = ShardRestore::new(new_shard(), 1, (0..3).map(SavedViewTarget::SameDefinition).collect());
    assert_eq!(restore.load_layer_part(&bytes[..bytes.len() - 1]), Ok(()), "another part could follow");
    assert_eq!(restore.finish_layer(), Err(DamagedSnapshot("a layer that ends inside a block")));
}
