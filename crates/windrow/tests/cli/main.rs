//! The command line from outside, one module per command. These tests need neither Kafka nor Redis.

#[path = "../support/folder_copy.rs"]
mod folder_copy;
#[path = "../support/folder_files.rs"]
mod folder_files;
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
mod logging;
mod outputs;
mod pipeline_tests;
mod readme;
mod replay;
mod savepoint;
mod schema;
mod state;
