//! The generator's guarantees, tested through its settings and its bytes alone.

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
