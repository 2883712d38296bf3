//! Everything of Windrow that speaks HTTP: the pages of a job, their JSON twins, Flink's REST subset, metrics, and the
//! Kafka UI.
//!
//! Owns: routes, pages, who may ask. Does not own: what is measured (the engine and the connectors count, the binary hands
//! it over as an [`InstanceReport`]), starting and stopping (the binary).
//! Invariants: (1) nothing here is waited for by a worker; (2) what a page shows follows from reports alone, so every
//! instance can show the whole job; (3) no request names a file that is read, or an address that is asked.
//! After a crash: nothing here survives or needs to; what an instance published of itself is swept by the others.

pub mod answers;
pub mod api;
pub mod assets;
pub mod console;
pub mod controls;
pub mod flink;
pub mod guard;
pub mod health;
pub mod job;
pub mod kafka;
pub mod live;
pub mod metrics;
pub mod peers;
pub mod report;
pub mod routes;
pub mod secrets;
pub mod server;
mod words;

pub use console::{JobServerContext, RecentRowSource, ReportSource};
pub use controls::{SavepointRefusal, SavepointState};
pub use job::{JobReport, job_id};
pub use report::InstanceReport;
