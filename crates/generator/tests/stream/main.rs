//! What the generator promises, seen from outside: through the settings and the bytes alone.

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
