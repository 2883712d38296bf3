//! The part of Flink's monitoring REST API that is answered: see `docs/flink_rest.md`.
//!
//! Owns: what Windrow looks like in Flink's words, its URLs and its error form. Does not own: what is measured (reports),
//! savepoints and stops (`controls`).
//! Invariants: (1) an answer is a function of pipeline, reports and store place; (2) every instance answers alike for the
//! whole job; (3) Flink's own client can read every answer: fields it takes for granted are never left out.
//! After a crash: nothing here survives or needs to; ids follow from names and times.

mod body;
mod checkpoints;
mod cluster;
mod exceptions;
mod fault;
mod io;
mod job;
mod look;
mod metrics;
mod operations;
mod plan;
mod routes;
mod stage;
mod throwable;
mod vertex;

pub use routes::router;
