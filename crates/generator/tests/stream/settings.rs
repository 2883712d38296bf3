//! Tests that a setting outside its limits gives an error that states the limits.

use windrow_generator::{
    EventGenerator, GeneratorSettings, MAX_DISORDER_MS, MAX_EVENTS_PER_SECOND, MAX_START_MS, MIN_EVENTS_PER_SECOND,
    MIN_START_MS,
};

#[test]
fn what_is_out_of_range_is_refused_with_the_way_out() {
    let ok = GeneratorSettings::default();
    let errors: Vec<String> = [
        GeneratorSettings { user_count: 0, ..ok },
        GeneratorSettings { start_ms: i64::MIN, ..ok },
        GeneratorSettings { events_per_second: 0.0, ..ok },
        GeneratorSettings { events_per_second: f64::NAN, ..ok },
        GeneratorSettings { disorder_ms: -1, ..ok },
        GeneratorSettings { late_percent: 101.0, ..ok },
        GeneratorSettings { malformed_percent: -0.5, ..ok },
        GeneratorSettings { late_percent: 60.0, malformed_percent: 50.0, ..ok },
    ]
    .into_iter()
    .map(|settings| EventGenerator::new(settings).expect_err("out of range").to_string())
    .collect();
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn the_limits_themselves_are_fine() {
    let ok = GeneratorSettings { user_count: 1, ..GeneratorSettings::default() };
    for settings in [
        GeneratorSettings { start_ms: MIN_START_MS, events_per_second: MIN_EVENTS_PER_SECOND, ..ok },
        GeneratorSettings { start_ms: MAX_START_MS, events_per_second: MAX_EVENTS_PER_SECOND, ..ok },
        GeneratorSettings {
            events_per_second: MIN_EVENTS_PER_SECOND,
            disorder_ms: MAX_DISORDER_MS,
            late_percent: 50.0,
            malformed_percent: 50.0,
            ..ok
        },
    ] {
        let mut generator = EventGenerator::new(settings).expect("at the limit");
        for _ in 0..10_000 {
            assert_eq!(generator.next().record_key, Some(b"u1".as_slice()));
        }
    }
}
