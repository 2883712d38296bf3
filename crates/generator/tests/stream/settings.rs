//! Settings outside their limits are refused in words.

use windrow_generator::{Generator, MAX_DISORDER_MS, MAX_RATE, MAX_START_MS, MIN_RATE, MIN_START_MS, Settings};

#[test]
fn what_is_out_of_range_is_refused_with_the_way_out() {
    let ok = Settings::default();
    let errors: Vec<String> = [
        Settings { users: 0, ..ok },
        Settings { start_ms: i64::MIN, ..ok },
        Settings { rate: 0.0, ..ok },
        Settings { rate: f64::NAN, ..ok },
        Settings { disorder_ms: -1, ..ok },
        Settings { late_percent: 101.0, ..ok },
        Settings { malformed_percent: -0.5, ..ok },
        Settings { late_percent: 60.0, malformed_percent: 50.0, ..ok },
    ]
    .into_iter()
    .map(|settings| Generator::new(settings).expect_err("out of range").to_string())
    .collect();
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn the_limits_themselves_are_fine() {
    let ok = Settings { users: 1, ..Settings::default() };
    for settings in [
        Settings { start_ms: MIN_START_MS, rate: MIN_RATE, ..ok },
        Settings { start_ms: MAX_START_MS, rate: MAX_RATE, ..ok },
        Settings { rate: MIN_RATE, disorder_ms: MAX_DISORDER_MS, late_percent: 50.0, malformed_percent: 50.0, ..ok },
    ] {
        let mut generator = Generator::new(settings).expect("at the limit");
        for _ in 0..10_000 {
            assert_eq!(generator.next().key, Some(b"u1".as_slice()));
        }
    }
}
