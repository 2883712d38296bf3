//! The job's server over real sockets: access, answers, several instances, savepoints and stops.

#![expect(clippy::panic, reason = "an answer that is no JSON fails the test, and is shown")]

mod api;
mod compression;
mod controls;
mod guard;
mod health_probe;
mod instances;
mod limits;
mod live;
mod login;
mod support;
