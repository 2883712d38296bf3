//! Any pipeline that the core accepts, over any events, through one shard.
//!
//! Laws: see [`laws`]. The hash key never changes the output.

#![no_main]

mod laws;
mod stream;

use libfuzzer_sys::fuzz_target;
use windrow_core::Shard;

use laws::LawChecker;
use stream::FuzzedInput;

fuzz_target!(|input: FuzzedInput| {
    let emitted = run(&input, [0; 16]);
    let with_another_key = run(&input, [0x5a; 16]);
    assert_eq!(emitted, with_another_key, "the hash key shows");
});

/// Returns everything that the shard emits, as text.
fn run(input: &FuzzedInput, hash_key: [u8; 16]) -> Vec<String> {
    let views = input.views();
    let schema = stream::schema();
    let mut shard = Shard::new(&views, &schema, input.max_out_of_orderness_ms(), hash_key);
    let mut checker = LawChecker::new(&views, input.max_out_of_orderness_ms());
    for sample in input.samples() {
        let fields = sample.fields();
        let event = sample.event(&fields);
        if let Some(time) = sample.idle_watermark {
            checker.before_idle_advance(time);
            shard.advance_watermark(time, &mut checker);
        }
        checker.before_event(&event);
        shard.process_event(&event, &mut checker);
        checker.after_event(shard.watermark(), shard.entity_count());
    }
    checker.before_finish();
    shard.finish_input(&mut checker);
    assert_eq!(shard.entity_count(), 0, "state is left after the end");
    checker.assert_conserved();

    let rows = checker.emitted.len();
    shard.finish_input(&mut checker);
    assert_eq!(checker.emitted.len(), rows, "something fired after the end");
    checker.emitted
}
