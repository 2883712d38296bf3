//! Answers a subset of Flink's monitoring REST API; see `docs/flink_rest.md`.
//!
//! Owns: the job in Flink's terms, the URLs and the form of errors. Does not own: the measured values (reports),
//! savepoints and stops (`controls`).
//! Invariants: (1) an answer depends only on the pipeline, the reports and the store's location; (2) every instance
//! gives the same answer about the whole job; (3) no field that Flink's own client requires is missing.
//! After a crash: no state survives, and none is needed; ids are computed from names and times.
//!
//! Flink's terms: a *vertex* is a stage of the job (source, decoding, a feature view, sink). A *subtask* is a part of a
//! vertex with its own counts. `routes` creates a `FlinkJob` for each request, and the other modules render it.

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
