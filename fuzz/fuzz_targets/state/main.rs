//! Any bytes as a layer of a snapshot, and as a manifest.
//!
//! Laws: the bytes are refused or read, without a panic, and without more memory than their length. In production, checksums
//! keep damaged bytes away from the reader of layers; here they reach it.

#![no_main]

#[path = "../shard/stream.rs"]
#[expect(dead_code, reason = "events are not used here")]
mod stream;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use windrow_core::{EventTime, LayerByteCounter, SavedViewTarget, Shard, ShardMetadata, ShardRestore};
use windrow_engine::checkpoint::CheckpointManifest;

use stream::FuzzedInput;

#[derive(Arbitrary, Debug)]
struct State {
    views: FuzzedInput,
    slots: u16,
    watermark: Option<i32>,
    /// Each element is one layer, as a list of parts.
    layers: Vec<Vec<Vec<u8>>>,
}

fuzz_target!(|state: State| {
    let views = state.views.views();
    let empty = Shard::new(&views, &stream::schema(), 0, [0; 16]);
    let metadata = ShardMetadata {
        watermark: state.watermark.map(|ms| EventTime::from_ms(i64::from(ms))),
        slot_count: u32::from(state.slots),
        entity_count: 0,
        emitted_row_counts: vec![0; views.len()],
    };
    let targets = (0..views.len()).map(SavedViewTarget::SameDefinition).collect();
    let mut restore = ShardRestore::new(empty, metadata.slot_count, targets);
    let whole = state.layers.iter().all(|layer| {
        let mut counter = LayerByteCounter::default();
        for part in layer {
            let _ = counter.count_part(part);
            let _ = CheckpointManifest::decode(part);
        }
        let _ = counter.finish_layer();
        layer.iter().all(|part| restore.load_layer_part(part).is_ok()) && restore.finish_layer().is_ok()
    });
    if whole && let Ok(shard) = restore.finish(&metadata) {
        assert!(shard.entity_count() <= usize::from(state.slots), "more entities than slots");
    }
});
