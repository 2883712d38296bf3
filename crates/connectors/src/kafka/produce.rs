//! Writes generated events and dead letters to topics.

mod dead_letters;
mod delivery_errors;
mod events;
mod pending_deliveries;

pub use dead_letters::KafkaDeadLetters;
pub use events::EventProducer;
