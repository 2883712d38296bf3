//! Snapshots saved in pieces between events, kept or lost, and shards restored from them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use windrow_core::{
    BaseOrDelta, FeatureView, LateEvent, Row, SavedViewTarget, Shard, ShardMetadata, ShardOutput, ShardRestore,
    SnapshotStorageOutcome,
};

use crate::process_sample;
use crate::reference::ObservedOutput;
use crate::streams::{SampleEvent, schema, stream_with_inexact_sums, views};

/// Everything a shard emitted: rows with their number, late events with none.
#[derive(Default)]
struct NumberedOutput(Vec<(Option<u64>, ObservedOutput)>);

impl ShardOutput for NumberedOutput {
    fn emit_row(&mut self, row: Row<'_>) {
        let features = row.feature_values().map(|value| format!("{value:?}")).collect();
        let seen = ObservedOutput::Row {
            view: row.view_id.0,
            key: row.entity_key.to_owned(),
            window: row.window,
            features,
            superseded_windows: row.superseded_windows.to_vec(),
            has_newer_row: row.has_newer_row,
            is_empty_window: row.is_empty_window,
        };
        self.0.push((Some(row.row_number), seen));
    }

    fn emit_late_event(&mut self, late: LateEvent<'_>) {
        self.0.push((
            None,
            ObservedOutput::Late {
                view: late.view_id.0,
                key: late.entity_key.to_owned(),
                time: late.event_time,
                cause: late.cause,
            },
        ));
    }
}

/// The action after an event.
#[derive(Clone, Copy, Debug)]
enum SnapshotAction {
    Nothing,
    Cut(BaseOrDelta),
    Save(usize),
    /// Completes the running snapshot and keeps it.
    Keep,
    /// Discards the running snapshot.
    Fail,
    /// Loses the shard; the next one resumes where the last kept snapshot began.
    Crash,
}

fn snapshot_actions() -> impl Strategy<Value = Vec<SnapshotAction>> {
    let then = prop_oneof![
        6 => Just(SnapshotAction::Nothing),
        2 => Just(SnapshotAction::Cut(BaseOrDelta::Delta)),
        1 => Just(SnapshotAction::Cut(BaseOrDelta::Base)),
        4 => (1_usize..60).prop_map(SnapshotAction::Save),
        2 => Just(SnapshotAction::Keep),
        1 => Just(SnapshotAction::Fail),
        1 => Just(SnapshotAction::Crash),
    ];
    prop::collection::vec(then, 1..400)
}

/// The layers of the kept snapshots, and the position of the next event behind them.
#[derive(Clone)]
struct KeptSnapshot {
    layers: Vec<Vec<u8>>,
    facts: ShardMetadata,
    position: usize,
    part_bytes: usize,
}

struct ActiveSnapshot {
    base_or_delta: BaseOrDelta,
    bytes: Vec<u8>,
    facts: ShardMetadata,
    position: usize,
}

fn restore_shard(kept: Option<&KeptSnapshot>, empty: Shard, views: usize) -> Shard {
    let Some(kept) = kept else { return empty };
    let mut restoring =
        ShardRestore::new(empty, kept.facts.slot_count, (0..views).map(SavedViewTarget::SameDefinition).collect());
    for (index, layer) in kept.layers.iter().enumerate() {
        // Parts end anywhere, also within a slot.
        for part in layer.chunks(kept.part_bytes + index) {
            restoring.load_layer_part(part).expect("what a shard saved can be read");
        }
        restoring.finish_layer().expect("a whole layer");
    }
    restoring.finish(&kept.facts).expect("what a shard saved fits together")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// Snapshots may begin, be saved in pieces, kept, lost and restored in any order. The rows, their numbers and their order
    /// are those of a run without snapshots.
    #[test]
    fn a_restored_shard_goes_on_as_if_nothing_had_happened(
        (views, max_out_of_orderness_ms) in views(),
        events in stream_with_inexact_sums(),
        thens in snapshot_actions(),
        part_bytes in 1_usize..200,
    ) {
        let schema = schema();
        let empty = |hash_key| Shard::new(&views, &schema, max_out_of_orderness_ms, hash_key);
        let straight = run_without_snapshots(empty([7; 16]), &events);

        let mut shard = empty([1; 16]);
        let (mut kept, mut taking): (Option<KeptSnapshot>, Option<ActiveSnapshot>) = (None, None);
        let mut outputs: Vec<NumberedOutput> = Vec::new();
        let (mut position, mut crashes) = (0, 0_u8);
        let mut thens = thens.into_iter().cycle();
        while position < events.len() {
            outputs.resize_with(events.len().max(position + 1), NumberedOutput::default);
            let mut out = NumberedOutput::default();
            process_sample(&mut shard, &events[position], &mut out);
            if !outputs[position].0.is_empty() {
                prop_assert_eq!(&outputs[position].0, &out.0, "other rows the second time, at event {}", position);
            }
            outputs[position] = out;
            position += 1;
            match thens.next().expect("without end") {
                SnapshotAction::Cut(base_or_delta) => {
                    // A snapshot of changes needs a kept layer that it builds on.
                    let base_or_delta = if kept.is_some() { base_or_delta } else { BaseOrDelta::Base };
                    shard.begin_snapshot(base_or_delta);
                    taking = Some(ActiveSnapshot { base_or_delta, bytes: Vec::new(), facts: shard.snapshot_metadata(), position });
                }
                SnapshotAction::Save(limit) => {
                    if let Some(taking) = &mut taking {
                        shard.continue_snapshot(limit, &mut taking.bytes);
                    }
                }
                SnapshotAction::Keep => {
                    if let Some(mut done) = taking.take() {
                        while !shard.continue_snapshot(100, &mut done.bytes) {}
                        shard.end_snapshot(SnapshotStorageOutcome::Stored);
                        let mut layers = match (done.base_or_delta, kept.take()) {
                            (BaseOrDelta::Delta, Some(before)) => before.layers,
                            _ => Vec::new(),
                        };
                        layers.push(done.bytes);
                        kept = Some(KeptSnapshot { layers, facts: done.facts, position: done.position, part_bytes });
                    }
                }
                SnapshotAction::Fail => {
                    taking = None;
                    shard.end_snapshot(SnapshotStorageOutcome::Discarded);
                }
                SnapshotAction::Crash if crashes < 20 => {
                    crashes += 1;
                    taking = None;
                    shard = restore_shard(kept.as_ref(), empty([crashes; 16]), views.len());
                    position = kept.as_ref().map_or(0, |kept| kept.position);
                }
                SnapshotAction::Crash | SnapshotAction::Nothing => {}
            }
        }
        let mut end = NumberedOutput::default();
        shard.finish_input(&mut end);
        prop_assert_eq!(shard.entity_count(), 0, "state is left behind after everything fired");
        prop_assert!(shard.entity_counts_by_view().all(|held| held == 0), "a view counts entities that are gone");
        outputs.push(end);
        let got: Vec<_> = outputs.into_iter().flat_map(|out| out.0).collect();
        prop_assert_eq!(got, straight);
    }

    /// Dropping a view does not change the others.
    #[test]
    fn a_view_can_be_dropped((views, max_out_of_orderness_ms) in views(), events in stream_with_inexact_sums(), dropped in 0_usize..3) {
        let schema = schema();
        let mut shard = Shard::new(&views, &schema, max_out_of_orderness_ms, [7; 16]);
        for sample in &events {
            process_sample(&mut shard, sample, &mut NumberedOutput::default());
        }
        let (mut layer, facts) = (Vec::new(), shard.snapshot_metadata());
        shard.begin_snapshot(BaseOrDelta::Base);
        prop_assert!(shard.continue_snapshot(usize::MAX, &mut layer));

        let left: Vec<FeatureView> = views.iter().enumerate().filter(|(index, _)| *index != dropped).map(|(_, view)| view.clone()).collect();
        let map: Vec<Option<usize>> = (0..views.len()).map(|index| match index.cmp(&dropped) {
            std::cmp::Ordering::Less => Some(index),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(index - 1),
        }).collect();
        let rows = facts.emitted_row_counts.iter().enumerate().filter(|(index, _)| *index != dropped).map(|(_, rows)| *rows).collect();
        let targets = map.iter().map(|view| view.map_or(SavedViewTarget::Dropped, SavedViewTarget::SameDefinition));
        let empty = Shard::new(&left, &schema, max_out_of_orderness_ms, [9; 16]);
        let mut restoring = ShardRestore::new(empty, facts.slot_count, targets.collect());
        restoring.load_layer_part(&layer).expect("readable");
        let mut restored = restoring.finish(&ShardMetadata { emitted_row_counts: rows, ..facts }).expect("whole");
        let (mut all, mut some) = (NumberedOutput::default(), NumberedOutput::default());
        shard.finish_input(&mut all);
        restored.finish_input(&mut some);
        let expected: Vec<_> = all.0.into_iter().filter_map(|(number, seen)| match seen {
            ObservedOutput::Row { view, key, window, features, superseded_windows, has_newer_row, is_empty_window } => map[view].map(|view| {
                (number, ObservedOutput::Row { view, key, window, features, superseded_windows, has_newer_row, is_empty_window })
            }),
            late @ ObservedOutput::Late { .. } => Some((number, late)),
        }).collect();
        prop_assert_eq!(some.0, expected);
    }

    /// Any bytes are refused or read; nothing panics.
    #[test]
    fn damaged_layers_do_not_panic(
        (views, max_out_of_orderness_ms) in views(),
        events in stream_with_inexact_sums(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let schema = schema();
        let mut shard = Shard::new(&views, &schema, max_out_of_orderness_ms, [7; 16]);
        for sample in &events {
            process_sample(&mut shard, sample, &mut NumberedOutput::default());
        }
        let (mut layer, facts) = (Vec::new(), shard.snapshot_metadata());
        shard.begin_snapshot(BaseOrDelta::Base);
        shard.continue_snapshot(usize::MAX, &mut layer);
        if layer.is_empty() {
            return Ok(());
        }
        for (at, byte) in flips {
            let at = at.index(layer.len());
            layer[at] ^= byte;
        }
        let empty = Shard::new(&views, &schema, max_out_of_orderness_ms, [9; 16]);
        let mut restoring = ShardRestore::new(empty, facts.slot_count, (0..views.len()).map(SavedViewTarget::SameDefinition).collect());
        if restoring.load_layer_part(&layer).is_ok() {
            drop(restoring.finish(&facts));
        }
    }
}

fn run_without_snapshots(mut shard: Shard, events: &[SampleEvent]) -> Vec<(Option<u64>, ObservedOutput)> {
    let mut out = NumberedOutput::default();
    for sample in events {
        process_sample(&mut shard, sample, &mut out);
    }
    let counted = out.0.len();
    shard.finish_input(&mut out);
    let mut numbers: BTreeMap<usize, u64> = BTreeMap::new();
    assert!(out.0[counted..].iter().all(|(number, _)| *number == Some(0)), "what the end fires is not counted");
    for (number, seen) in &out.0[..counted] {
        if let (Some(number), ObservedOutput::Row { view, .. }) = (number, seen) {
            let next = numbers.entry(*view).or_insert(0);
            *next += 1;
            assert_eq!(number, next, "rows are numbered one by one");
        }
    }
    out.0
}
