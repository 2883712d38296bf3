//! The same seed gives the same trace, byte for byte.

use windrow_simulation::{TraceMode, simulate_seed};

#[test]
fn a_seed_always_gives_the_same_trace() {
    for seed in 0..40 {
        let first = simulate_seed(seed, TraceMode::Recorded).expect("the pipeline");
        let second = simulate_seed(seed, TraceMode::Recorded).expect("the pipeline");
        assert!(first.trace.lines().count() > 50, "seed {seed} has no trace");
        for (number, (first, second)) in first.trace.lines().zip(second.trace.lines()).enumerate() {
            assert_eq!(first, second, "seed {seed}, line {number}");
        }
        assert_eq!(first.trace, second.trace, "seed {seed}");
    }
}

#[test]
fn recording_the_trace_changes_nothing() {
    for seed in 0..40 {
        let recorded = simulate_seed(seed, TraceMode::Recorded).expect("the pipeline");
        let silent = simulate_seed(seed, TraceMode::Off).expect("the pipeline");
        assert_eq!((recorded.counts, recorded.simulated), (silent.counts, silent.simulated), "seed {seed}");
        assert_eq!(recorded.violation, silent.violation, "seed {seed}");
    }
}
