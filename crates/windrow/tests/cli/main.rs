//! The command line as its users meet it, one module per command. No Kafka, no Redis.

#[path = "../support/rows.rs"]
mod rows;
#[path = "../support/windrow.rs"]
mod windrow;

mod check;
mod demo;
mod exit_codes;
mod generate;
mod help;
mod kafka_ui;
mod outputs;
mod replay;
mod savepoint;
mod state;
