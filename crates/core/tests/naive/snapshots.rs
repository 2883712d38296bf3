//! Snapshots taken in pieces while events go on, kept or lost, and shards put together from them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use windrow_core::{FeatureView, Late, Output, Restoring, Row, Scope, Shard, ShardFacts};

use crate::reference::Seen;
use crate::streams::{Sample, schema, stream, views};
use crate::with_fields;

/// Everything a shard emitted: rows with their number, late events with none.
#[derive(Default)]
struct Numbered(Vec<(Option<u64>, Seen)>);

impl Output for Numbered {
    fn row(&mut self, row: Row<'_>) {
        let features = row.features().map(|value| format!("{value:?}")).collect();
        let seen = Seen::Row { view: row.view.0, key: row.key.to_owned(), window: row.window, features };
        self.0.push((Some(row.number), seen));
    }

    fn late(&mut self, late: Late<'_>) {
        self.0.push((None, Seen::Late { view: late.view.0, key: late.key.to_owned(), time: late.time }));
    }
}

/// What happens after an event.
#[derive(Clone, Copy, Debug)]
enum Then {
    Nothing,
    Cut(Scope),
    Save(usize),
    /// The snapshot under way is finished and kept.
    Keep,
    /// The snapshot under way cannot be kept.
    Fail,
    /// The shard is gone; the next one begins where the last kept snapshot was cut.
    Crash,
}

fn thens() -> impl Strategy<Value = Vec<Then>> {
    let then = prop_oneof![
        6 => Just(Then::Nothing),
        2 => Just(Then::Cut(Scope::Changes)),
        1 => Just(Then::Cut(Scope::Everything)),
        4 => (1_usize..60).prop_map(Then::Save),
        2 => Just(Then::Keep),
        1 => Just(Then::Fail),
        1 => Just(Then::Crash),
    ];
    prop::collection::vec(then, 1..400)
}

/// Layers that are kept, and where reading goes on behind them.
#[derive(Clone)]
struct Kept {
    layers: Vec<Vec<u8>>,
    facts: ShardFacts,
    position: usize,
}

struct Taking {
    scope: Scope,
    bytes: Vec<u8>,
    facts: ShardFacts,
    position: usize,
}

fn restore(kept: Option<&Kept>, empty: Shard, views: usize) -> Shard {
    let Some(kept) = kept else { return empty };
    let mut restoring = Restoring::new(empty, kept.facts.slots, (0..views).map(Some).collect());
    for layer in &kept.layers {
        restoring.apply(layer).expect("what a shard saved can be read");
    }
    restoring.finish(&kept.facts).expect("what a shard saved fits together")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// However snapshots are cut, saved in pieces, kept, lost and restored: the same rows with the same numbers in the
    /// same order as without any of it.
    #[test]
    fn a_restored_shard_goes_on_as_if_nothing_had_happened(
        (views, max_out_of_orderness_ms) in views(),
        events in stream(),
        thens in thens(),
    ) {
        let schema = schema();
        let empty = |hash_key| Shard::new(&views, &schema, max_out_of_orderness_ms, hash_key);
        let straight = run_straight(empty([7; 16]), &events);

        let mut shard = empty([1; 16]);
        let (mut kept, mut taking): (Option<Kept>, Option<Taking>) = (None, None);
        let mut outputs: Vec<Numbered> = Vec::new();
        let (mut position, mut crashes) = (0, 0_u8);
        let mut thens = thens.into_iter().cycle();
        while position < events.len() {
            outputs.resize_with(events.len().max(position + 1), Numbered::default);
            let mut out = Numbered::default();
            with_fields(&events[position], |event| shard.step(event, &mut out));
            if !outputs[position].0.is_empty() {
                prop_assert_eq!(&outputs[position].0, &out.0, "other rows the second time, at event {}", position);
            }
            outputs[position] = out;
            position += 1;
            match thens.next().expect("without end") {
                Then::Cut(scope) => {
                    // Changes are changes since a layer that was kept.
                    let scope = if kept.is_some() { scope } else { Scope::Everything };
                    shard.cut(scope);
                    taking = Some(Taking { scope, bytes: Vec::new(), facts: shard.facts(), position });
                }
                Then::Save(limit) => {
                    if let Some(taking) = &mut taking {
                        shard.save(limit);
                        shard.collect(&mut taking.bytes);
                    }
                }
                Then::Keep => {
                    if let Some(mut done) = taking.take() {
                        while !shard.save(100) {
                            shard.collect(&mut done.bytes);
                        }
                        shard.collect(&mut done.bytes);
                        shard.settle(true);
                        let mut layers = match (done.scope, kept.take()) {
                            (Scope::Changes, Some(before)) => before.layers,
                            _ => Vec::new(),
                        };
                        layers.push(done.bytes);
                        kept = Some(Kept { layers, facts: done.facts, position: done.position });
                    }
                }
                Then::Fail => {
                    taking = None;
                    shard.settle(false);
                }
                Then::Crash if crashes < 20 => {
                    crashes += 1;
                    taking = None;
                    shard = restore(kept.as_ref(), empty([crashes; 16]), views.len());
                    position = kept.as_ref().map_or(0, |kept| kept.position);
                }
                Then::Crash | Then::Nothing => {}
            }
        }
        let mut end = Numbered::default();
        shard.finish(&mut end);
        prop_assert_eq!(shard.entities(), 0, "state is left behind after everything fired");
        prop_assert!(shard.entities_by_view().all(|held| held == 0), "a view counts entities that are gone");
        outputs.push(end);
        let got: Vec<_> = outputs.into_iter().flat_map(|out| out.0).collect();
        prop_assert_eq!(got, straight);
    }

    /// Views that are dropped leave the others as they were.
    #[test]
    fn a_view_can_be_dropped((views, max_out_of_orderness_ms) in views(), events in stream(), dropped in 0_usize..3) {
        let schema = schema();
        let mut shard = Shard::new(&views, &schema, max_out_of_orderness_ms, [7; 16]);
        for sample in &events {
            with_fields(sample, |event| shard.step(event, &mut Numbered::default()));
        }
        let (mut layer, facts) = (Vec::new(), shard.facts());
        shard.cut(Scope::Everything);
        prop_assert!(shard.save(usize::MAX));
        shard.collect(&mut layer);

        let left: Vec<FeatureView> = views.iter().enumerate().filter(|(index, _)| *index != dropped).map(|(_, view)| view.clone()).collect();
        let map: Vec<Option<usize>> = (0..views.len()).map(|index| match index.cmp(&dropped) {
            std::cmp::Ordering::Less => Some(index),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(index - 1),
        }).collect();
        let rows = facts.rows.iter().enumerate().filter(|(index, _)| *index != dropped).map(|(_, rows)| *rows).collect();
        let empty = Shard::new(&left, &schema, max_out_of_orderness_ms, [9; 16]);
        let mut restoring = Restoring::new(empty, facts.slots, map.clone());
        restoring.apply(&layer).expect("readable");
        let mut restored = restoring.finish(&ShardFacts { rows, ..facts }).expect("whole");
        let (mut all, mut some) = (Numbered::default(), Numbered::default());
        shard.finish(&mut all);
        restored.finish(&mut some);
        let expected: Vec<_> = all.0.into_iter().filter_map(|(number, seen)| match seen {
            Seen::Row { view, key, window, features } => map[view].map(|view| (number, Seen::Row { view, key, window, features })),
            late @ Seen::Late { .. } => Some((number, late)),
        }).collect();
        prop_assert_eq!(some.0, expected);
    }

    /// Any bytes are refused or read; nothing panics.
    #[test]
    fn damaged_layers_do_not_panic(
        (views, max_out_of_orderness_ms) in views(),
        events in stream(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let schema = schema();
        let mut shard = Shard::new(&views, &schema, max_out_of_orderness_ms, [7; 16]);
        for sample in &events {
            with_fields(sample, |event| shard.step(event, &mut Numbered::default()));
        }
        let (mut layer, facts) = (Vec::new(), shard.facts());
        shard.cut(Scope::Everything);
        shard.save(usize::MAX);
        shard.collect(&mut layer);
        if layer.is_empty() {
            return Ok(());
        }
        for (at, byte) in flips {
            let at = at.index(layer.len());
            layer[at] ^= byte;
        }
        let empty = Shard::new(&views, &schema, max_out_of_orderness_ms, [9; 16]);
        let mut restoring = Restoring::new(empty, facts.slots, (0..views.len()).map(Some).collect());
        if restoring.apply(&layer).is_ok() {
            drop(restoring.finish(&facts));
        }
    }
}

fn run_straight(mut shard: Shard, events: &[Sample]) -> Vec<(Option<u64>, Seen)> {
    let mut out = Numbered::default();
    for sample in events {
        with_fields(sample, |event| shard.step(event, &mut out));
    }
    let counted = out.0.len();
    shard.finish(&mut out);
    let mut numbers: BTreeMap<usize, u64> = BTreeMap::new();
    assert!(out.0[counted..].iter().all(|(number, _)| *number == Some(0)), "what the end fires is not counted");
    for (number, seen) in &out.0[..counted] {
        if let (Some(number), Seen::Row { view, .. }) = (number, seen) {
            let next = numbers.entry(*view).or_insert(0);
            *next += 1;
            assert_eq!(number, next, "rows are numbered one by one");
        }
    }
    out.0
}
