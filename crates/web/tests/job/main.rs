//! The job's server over real sockets: who may ask, what is answered, several instances, savepoints and stops.

// Helpers of tests fail and report as tests do.
#![allow(clippy::panic)]

mod api;
mod controls;
mod guard;
mod instances;
mod limits;
mod live;
mod login;
mod support;
