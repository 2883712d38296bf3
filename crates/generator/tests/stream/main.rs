//! Tests of the guarantees of the generator. The tests use only its settings and the bytes that it generates.

mod delivery;
mod event;
mod golden;
mod malformed;
mod settings;
mod shopping;

use windrow_generator::{EventGenerator, GeneratorSettings};

fn generator(settings: GeneratorSettings) -> EventGenerator {
    EventGenerator::new(settings).expect("settings are within their limits")
}
