//! Answers a subset of Flink's monitoring REST API; see `docs/flink_rest.md`.
//!
//! Owns: the job in Flink's terms, the URLs, and the form of errors. Does not own: the measured values (`report`),
//! savepoints and stops (`controls`).
//! Invariants: (1) An answer depends only on the pipeline, the reports and the location of the checkpoint store.
//! (2) Every instance gives the same answer about the whole job. (3) An answer contains all fields that Flink's own
//! client requires.
//! After a crash: remembered checkpoint requests are lost. Ids stay the same, because they are computed from names and
//! times.
//!
//! Flink's terms: a *vertex* is a stage of the job (source, decoding, a feature view, sink). A *subtask* is a part of a
//! vertex with its own counts. `routes` creates a `FlinkJob` for each request, and the other modules render the job.

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
