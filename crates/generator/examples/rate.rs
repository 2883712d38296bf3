//! Measures how fast events are generated on one core: `cargo run --release -p windrow-generator --example rate [EVENTS]`.
#![expect(clippy::print_stdout, reason = "an example prints its result")]

use std::error::Error;
use std::time::Instant;

use windrow_generator::{EventGenerator, GeneratorSettings};

fn main() -> Result<(), Box<dyn Error>> {
    let events: u32 = std::env::args().nth(1).map_or(Ok(4_000_000), |events| events.parse())?;
    let two_hours =
        GeneratorSettings { events_per_second: f64::from(events) / 7_200.0, seed: 42, ..GeneratorSettings::default() };
    let disordered = GeneratorSettings { disorder_ms: 9_000, late_percent: 1.0, malformed_percent: 0.1, ..two_hours };
    for (name, settings) in [("in order", two_hours), ("9 s disorder, 1 % late, 0.1 % malformed", disordered)] {
        let started = Instant::now();
        let mut generator = EventGenerator::new(settings)?;
        let mut bytes = 0;
        for _ in 0..events {
            bytes += generator.next().payload.len();
        }
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{name}: {:.0} events/s ({events} events, {bytes} bytes, {seconds:.2} s)",
            f64::from(events) / seconds
        );
    }
    Ok(())
}
