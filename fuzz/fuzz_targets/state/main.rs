//! Any bytes as a layer of a snapshot, and as a manifest.
//!
//! Laws: the bytes are refused or read, without a panic, and without more memory than their length. In production, checksums
//! keep damaged bytes away from the reader of layers; here they reach it.

#![no_main]

#[path = "../shard/stream.rs"]
#[allow(dead_code)] // events are not used here
mod stream;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use windrow_core::{EventTime, Restoring, Shard, ShardFacts, survey};
use windrow_engine::checkpoint::Manifest;

use stream::Input;

#[derive(Arbitrary, Debug)]
struct State {
    views: Input,
    slots: u16,
    watermark: Option<i32>,
    layers: Vec<Vec<u8>>,
}

fuzz_target!(|state: State| {
    let views = state.views.views();
    let empty = Shard::new(&views, &stream::schema(), 0, [0; 16]);
    let facts = ShardFacts {
        watermark: state.watermark.map(|ms| EventTime::from_ms(i64::from(ms))),
        slots: u32::from(state.slots),
        entities: 0,
        rows: vec![0; views.len()],
    };
    let mut restoring = Restoring::new(empty, facts.slots, (0..views.len()).map(Some).collect());
    let whole = state.layers.iter().all(|layer| {
        let _ = survey(layer);
        let _ = Manifest::read(layer);
        restoring.apply(layer).is_ok()
    });
    if whole && let Ok(shard) = restoring.finish(&facts) {
        assert!(shard.entities() <= usize::from(state.slots), "more entities than slots");
    }
});
