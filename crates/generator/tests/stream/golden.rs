//! Tests that the same settings always give the same bytes.

use std::fmt::Write;
use std::hash::Hasher;

use siphasher::sip::SipHasher13;
use windrow_generator::GeneratorSettings;

use crate::generator;

const SETTINGS: GeneratorSettings = GeneratorSettings {
    user_count: 50,
    seed: 42,
    start_ms: 1_704_103_200_000,
    events_per_second: 5.0,
    disorder_ms: 9_000,
    late_percent: 5.0,
    malformed_percent: 5.0,
};

#[test]
fn the_first_lines_stay_what_they_are() {
    let mut generator = generator(SETTINGS);
    let mut lines = String::new();
    for _ in 0..20 {
        let event = generator.next();
        let key = event.record_key.unwrap_or_default().escape_ascii();
        writeln!(lines, "{} {key} {}", event.arrival_ms, event.payload.escape_ascii()).unwrap();
    }
    insta::assert_snapshot!(lines.replace("\\\"", "\""));
}

#[test]
fn the_first_100_000_events_stay_what_they_are() {
    let mut hasher = SipHasher13::new();
    let mut generator = generator(SETTINGS);
    for _ in 0..100_000 {
        let event = generator.next();
        hasher.write(&event.arrival_ms.to_le_bytes());
        hasher.write(event.record_key.unwrap_or_default());
        hasher.write(event.payload);
        hasher.write(b"\n");
    }
    insta::assert_snapshot!(format!("{:016x}", hasher.finish()), @"edb999d7242ca498");
}

#[test]
fn another_seed_is_another_stream() {
    let (mut one, mut other) = (generator(SETTINGS), generator(GeneratorSettings { seed: 43, ..SETTINGS }));
    let same = (0..1_000).filter(|_| one.next().payload == other.next().payload).count();
    assert!(same < 50, "{same} of 1,000 payloads are the same");
}
