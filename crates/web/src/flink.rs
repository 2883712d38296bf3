//! Implements a part of Flink's monitoring REST API. `docs/flink_rest.md` lists the supported URLs.
//!
//! Owns: the description of the job in Flink's terms, the URLs, and the format of error answers.
//! Does not own: the measured values (`report`), savepoints and stops (`controls`).
//! Invariants: (1) An answer about the job depends only on the pipeline, the reports and the location of the checkpoint
//! store. (2) So every instance gives the same answer about the job. Only the instance that received a checkpoint
//! request can answer whether the request is complete. (3) An answer contains all fields that Flink's own client
//! requires.
//! After a crash: the checkpoint requests that the instance remembered are lost. The ids of the job, its vertices and
//! its checkpoints stay the same, because the ids are computed from names and times.
//!
//! Flink's terms: a *vertex* is a stage of the job (source, decoding, a feature view, sink). A *subtask* is a part of a
//! vertex that has counts of its own. `routes` creates a `FlinkJob` for each request. The other modules render the
//! answer from the `FlinkJob`.

mod checkpoint_requests;
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
mod request_body;
mod routes;
mod savepoint_operations;
mod subtask;
mod subtask_io;
mod throwable;
mod vertex;
mod vertex_details;

pub use routes::router;
#[cfg(test)]
pub(crate) use routes::routes;
