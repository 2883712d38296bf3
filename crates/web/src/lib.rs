//! The web server of Windrow. It serves the pages of a job and their JSON, a subset of Flink's REST API, Prometheus
//! metrics, and the Kafka UI.
//!
//! Each instance of a job describes itself in an [`InstanceReport`] and publishes the report in the checkpoint store.
//! Each instance's server combines the reports of all instances into a [`JobReport`]. So every server can answer for
//! the whole job. Most handlers only read reports. The few calls that block (to Redis, the checkpoint store or Kafka)
//! run on separate threads, whose number is limited.
//!
//! ```text
//!  workers ─► counters ─► ReportSource (binary)              checkpoint store, folder instances/
//!                              │ InstanceReport                    ▲             │
//!                              ▼                                   │             ▼
//!                       JobServerContext ─► peers::ReportPublisher ┘   peers::PeerInstances
//!                              │ ▲                                               │
//!                              │ └────────────── reports of the others ──────────┘
//!                              ▼
//!                          JobReport ─┬─► api, live    JSON, server-sent events
//!                                     ├─► flink        Flink's REST
//!                                     ├─► health       /healthz, /readyz
//!                                     └─► metrics      /metrics (this instance only)
//!
//!  browser ─► server (socket, limits) ─► guard (access control) ─► routes ─► the handlers above
//! ```
//!
//! Files to read first:
//! [`server_context.rs`](../src/windrow_web/server_context.rs.html) (what handlers share),
//! [`job/job_report.rs`](../src/windrow_web/job/job_report.rs.html) (the job, assembled from reports),
//! [`api.rs`](../src/windrow_web/api.rs.html) (the routes of the JSON API).
//!
//! Owns: routes, pages, access control. Does not own: counters (engine and connectors), the content of a report
//! (binary), the start and the end of the process (binary).
//! Invariants: (1) No worker waits for this crate. (2) A page about the job is made from reports, so every instance can
//! show the whole job. (3) No request chooses a file to read or an address to connect to.
//! After a crash: no state survives, and none is needed. Other instances delete the crashed instance's report from the
//! checkpoint store.

pub mod answers;
pub mod api;
mod api_route;
pub mod assets;
pub mod controls;
pub mod flink;
pub mod guard;
pub mod health;
pub mod health_probe;
pub mod job;
pub mod kafka;
pub mod live;
pub mod login_redaction;
pub mod metrics;
pub mod peers;
pub mod query;
pub mod random;
pub mod report;
pub mod routes;
pub mod server;
pub mod server_context;

pub use controls::{AfterSavepoint, HttpSavepointRequest, SavepointRefusal, SavepointState};
pub use job::{JobReport, compute_job_id};
pub use report::InstanceReport;
pub use server_context::{JobServerContext, RecentRowSource, ReportSource};
