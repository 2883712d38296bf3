//! The commands of the binary, one file per command.

pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod features;
pub(crate) mod generate;
pub(crate) mod health;
pub(crate) mod kafka_ui;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod savepoint;
pub(crate) mod schema;
pub(crate) mod state;
pub(crate) mod test;
