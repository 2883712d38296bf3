//! The subset of Flink's monitoring REST API that is answered; see `docs/flink_rest.md`.
//!
//! Owns: the job in Flink's terms, the URLs and the form of errors. Does not own: what is measured (reports), savepoints and
//! stops (`controls`).
//! Invariants: (1) an answer depends on pipeline, reports and store location alone; (2) every instance gives the same answer
//! for the whole job; (3) Flink's own client can read every answer, so no field that it requires is left out.
//! After a crash: nothing survives or needs to; ids follow from names and times.
//!
//! Flink's terms: a *vertex* is a stage of the job (source, decoding, a feature view, sink); a *subtask* is a part of a vertex
//! that is counted by itself. `routes` makes a `FlinkJob` for each request, and the other modules render it.

mod body;
mod checkpoint_triggers;
mod checkpoints;
mod cluster;
mod exceptions;
mod fault;
mod flink_job;
mod flink_request;
mod job;
mod metric_number;
mod metrics;
mod plan;
mod routes;
mod savepoint_operations;
mod subtask;
mod subtask_io;
mod throwable;
mod vertex;
mod vertex_details;

pub use routes::router;
