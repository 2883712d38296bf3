//! Any pipeline that the core accepts, over any events, through one shard.
//!
//! Laws: see [`laws`]. The hash key never changes the output.

#![no_main]

mod laws;
mod stream;

use libfuzzer_sys::fuzz_target;
use windrow_core::Shard;

use laws::Watcher;
use stream::Input;

fuzz_target!(|input: Input| {
    let seen = run(&input, [0; 16]);
    let with_another_key = run(&input, [0x5a; 16]);
    assert_eq!(seen, with_another_key, "the hash key shows");
});

/// Returns everything that the shard emits, as text.
fn run(input: &Input, hash_key: [u8; 16]) -> Vec<String> {
    let views = input.views();
    let schema = stream::schema();
    let mut shard = Shard::new(&views, &schema, input.max_out_of_orderness_ms(), hash_key);
    let mut watcher = Watcher::new(&views, input.max_out_of_orderness_ms());
    for sample in input.samples() {
        let fields = sample.fields();
        let event = sample.event(&fields);
        watcher.before(&event);
        shard.step(&event, &mut watcher);
        watcher.after(shard.watermark(), shard.entities());
    }
    watcher.before_finish();
    shard.finish(&mut watcher);
    assert_eq!(shard.entities(), 0, "state is left after the end");
    watcher.assert_conserved();

    let rows = watcher.seen.len();
    shard.finish(&mut watcher);
    assert_eq!(watcher.seen.len(), rows, "something fired after the end");
    watcher.seen
}
