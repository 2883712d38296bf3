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
//!
//! # Files
//!
//! The tables name every file. Paths are relative to `src`.
//!
//! ## The server and who may ask it: `server`, `guard`
//!
//! | file | content |
//! |---|---|
//! | `server.rs` | the HTTP server: one thread, with bounds for each client |
//! | `server/connection.rs` | one connection, with its bounds |
//! | `server/connection_counts.rs` | open connections of each client machine |
//! | `server/http_server.rs` | the thread of an HTTP server, which accepts connections until the shutdown, and compression |
//! | `server/listen_address.rs` | parses the address of a server, and opens its listening socket |
//! | `guard.rs` | who may send requests, with the invariants |
//! | `guard/headers.rs` | the security headers of every answer |
//! | `guard/host.rs` | `Host` must be a local name, or one that the operator has named |
//! | `guard/login.rs` | the login with a token, and the delay of wrong ones |
//! | `guard/origin.rs` | `Origin` and `Sec-Fetch-Site` |
//! | `guard/public_host.rs` | a host name under which browsers reach the server |
//! | `guard/request_body.rs` | the bound on bodies |
//! | `guard/session.rs` | the sessions of browsers that are logged in |
//! | `guard/tls_proxy.rs` | whether a browser uses TLS, as a proxy says |
//! | `guard/token.rs` | the access token of a server |
//! | `routes.rs` | all paths of a job's server, with those of its pages (`PAGE_PATHS`) |
//! | `api_route.rs` | a route with its methods, for the comparison with `docs/openapi.json` |
//! | `server_context.rs` | what all handlers of a job's server share |
//! | `query.rs` | a URL's query parameters |
//! | `event_stream_end.rs` | ends the event streams of live pages |
//! | `answers.rs` | the two kinds of answers: data as JSON, or a fault |
//! | `health.rs` | `/healthz`, `/readyz` |
//! | `health_probe.rs` | asks the health checks of a running job |
//! | `random.rs` | random ids |
//!
//! ## Reports: `report`, `peers`, `job`
//!
//! | file | content |
//! |---|---|
//! | `report.rs` | the report of an instance: the source of all pages, answers and metrics |
//! | `report/checkpoint.rs` | reports of checkpoints and of restored partitions |
//! | `report/freshness.rs` | how long rows take to reach Redis |
//! | `report/history.rs` | samples of the last hour, and marks on the charts |
//! | `report/instance.rs` | the report of a process, which holds all others |
//! | `report/partition.rs` | the report of one owned partition |
//! | `report/problem.rs` | reports of late events, dead letters, and logged warnings and errors |
//! | `report/reachability.rs` | whether a dependency is reachable |
//! | `report/redis.rs` | the report of the Redis writer |
//! | `report/savepoint.rs` | the report of a savepoint that was requested over HTTP |
//! | `report/view.rs` | the report of one feature view |
//! | `report/worker.rs` | the report of one worker thread |
//! | `peers.rs` | how instances find each other through the checkpoint store |
//! | `peers/known_instances.rs` | the newest report of each instance, and when it counts as gone |
//! | `peers/object_names.rs` | the names of the reports and stop requests in the checkpoint store |
//! | `peers/peer_instances.rs` | reads the reports of the other instances, and asks them to stop |
//! | `peers/report_publisher.rs` | publishes this instance's report, and reads stop requests |
//! | `job.rs` | the whole job, computed from the reports of all instances |
//! | `job/attention.rs` | what an operator should look at, and the way out |
//! | `job/checkpoints.rs` | a summary of the job's checkpoints |
//! | `job/freshness.rs` | freshness of rows over all instances |
//! | `job/history.rs` | the last hour as time series |
//! | `job/job_report.rs` | the reports of all instances at one time |
//! | `job/partitions.rs` | the owner of each partition |
//! | `job/reachability.rs` | which services are unreachable |
//! | `job/state.rs` | the state of the job |
//! | `job/thresholds.rs` | shares of the workers' time above which the job needs attention |
//! | `job/totals.rs` | totals over all instances |
//! | `job/views.rs` | counts of feature views over all instances |
//!
//! ## JSON and pages: `api`, `live`, `assets`
//!
//! | file | content |
//! |---|---|
//! | `api.rs` | the routes below `/api` |
//! | `api/checkpoints.rs` | `/api/checkpoints`: checkpoints, restores, savepoints |
//! | `api/instances.rs` | `/api/instances`: the reports of all instances |
//! | `api/item_with_instance.rs` | an item of a report, with the instance that reported it |
//! | `api/overview.rs` | `/api/overview`: a summary of the job |
//! | `api/partitions.rs` | `/api/partitions`: all partitions of the topic, with their owners |
//! | `api/pipeline.rs` | `/api/pipeline`: text and plan of the pipeline file |
//! | `api/problems.rs` | `/api/problems`: late events, dead letters, log lines, what needs attention |
//! | `api/recent_rows.rs` | `/api/rows`: the rows that this instance recently wrote to Redis |
//! | `api/savepoint_list.rs` | the cached list of savepoints in the checkpoint store |
//! | `api/savepoints.rs` | `/api/savepoints`: begins a savepoint, and returns its state |
//! | `api/stages.rs` | the JSON of the pipeline's stages |
//! | `api/user_features.rs` | `/api/features`: a user's rows, late events and dead letters |
//! | `api/user_features/key_search.rs` | scans Redis for the keys of the rows |
//! | `api/user_features/lookup_limits.rs` | bounds of reads and searches |
//! | `api/user_features/remembered_users.rs` | the users asked for recently, with their keys |
//! | `api/user_features/render.rs` | the JSON |
//! | `api/user_features/row_lookup.rs` | reads the rows from Redis |
//! | `api/user_features/scan_budget.rs` | how fast all searches together may scan |
//! | `live.rs` | the JSON of pages as server-sent events |
//! | `assets.rs` | serves the files of the pages, which are compiled in |
//!
//! Beside `src`: `assets/job/` and `assets/kafka/` hold one HTML file and a module per page, `assets/login/` the login,
//! which works without JavaScript, and `assets/shared/` what both UIs share (elements, numbers, tables, live streams,
//! theme). `types/` holds the JSON of the pages and the shapes of their modules for `tsc`. The binary does not contain
//! it.
//!
//! ## Requests to the job: `controls`
//!
//! | file | content |
//! |---|---|
//! | `controls.rs` | savepoints and stops requested over HTTP, and their invariants |
//! | `controls/begin_savepoint.rs` | begins a savepoint, and returns its state |
//! | `controls/http_savepoint_request.rs` | the options of such a request |
//! | `controls/remembered_savepoints.rs` | the outcomes of savepoints |
//! | `controls/savepoint_location.rs` | where such savepoints may go |
//! | `controls/savepoint_refusal.rs` | why such a savepoint is refused |
//! | `controls/savepoint_registry.rs` | what handlers and savepoint threads share |
//! | `controls/savepoint_state.rs` | the state of a requested savepoint, for callers that poll for the outcome |
//! | `controls/savepoint_task.rs` | the thread that takes one savepoint |
//! | `controls/stop.rs` | stops requested over HTTP |
//!
//! ## Flink's REST API: `flink`
//!
//! | file | content |
//! |---|---|
//! | `flink.rs` | a part of Flink's monitoring REST API |
//! | `flink/checkpoint_requests.rs` | requests for checkpoints, and whether they are complete |
//! | `flink/checkpoints.rs` | renders `/jobs/:id/checkpoints` |
//! | `flink/checkpoints/config.rs` | renders `/jobs/:id/checkpoints/config` |
//! | `flink/checkpoints/round.rs` | groups the checkpoints of single partitions into rounds |
//! | `flink/checkpoints/statistics.rs` | renders rounds of checkpoints as JSON |
//! | `flink/checkpoints/summary.rs` | distributions (`min`, `max`, `avg`, `p50`, …) |
//! | `flink/cluster.rs` | renders `/config`, `/overview` and `/taskmanagers` |
//! | `flink/exceptions.rs` | renders `/jobs/:id/exceptions`: warnings and errors of all instances |
//! | `flink/fault.rs` | faults with Flink's HTTP statuses and content type |
//! | `flink/flink_job.rs` | the job at one moment, described in Flink's terms |
//! | `flink/flink_request.rs` | extracts the parameters in the path and the query of a request |
//! | `flink/job.rs` | renders `/jobs`, `/jobs/overview`, `/jobs/:id` and `/jobs/:id/status` |
//! | `flink/metric_number.rs` | the value of a metric in an answer of Flink's API |
//! | `flink/metrics.rs` | `…/metrics`: a value per subtask, or aggregates |
//! | `flink/plan.rs` | renders the plan: the vertices and their inputs |
//! | `flink/request_body.rs` | parses the bodies of POST requests |
//! | `flink/routes.rs` | which function answers which URL |
//! | `flink/savepoint_operations.rs` | begins savepoints, and answers whether a savepoint is complete |
//! | `flink/subtask.rs` | finds the subtasks of a vertex |
//! | `flink/subtask_io.rs` | what a subtask read and wrote; its busy, idle and back-pressured time |
//! | `flink/throwable.rs` | a failure as Flink's client reads it |
//! | `flink/vertex.rs` | the vertices of the job: source, decoding, feature views, sink |
//! | `flink/vertex_details.rs` | a vertex in detail |
//!
//! ## Metrics: `metrics`
//!
//! | file | content |
//! |---|---|
//! | `metrics.rs` | `/metrics`, with the rules for names, units and labels |
//! | `metrics/checkpoints.rs` | checkpoints and restored partitions |
//! | `metrics/dependencies.rs` | whether Kafka, Redis and the checkpoint store are reachable |
//! | `metrics/families.rs` | metric families in a registry of `prometheus-client` |
//! | `metrics/freshness.rs` | how long rows take to reach Redis |
//! | `metrics/instance.rs` | version, pipeline, state, times of start and report |
//! | `metrics/partitions.rs` | the partitions of this instance |
//! | `metrics/process.rs` | CPU and memory of the process, which this file reads itself |
//! | `metrics/redis.rs` | rows written to Redis, and rows that wait |
//! | `metrics/views.rs` | rows and late events of each feature view |
//! | `metrics/workers.rs` | the worker threads |
//!
//! ## The Kafka UI: `kafka`
//!
//! | file | content |
//! |---|---|
//! | `kafka.rs` | the routes of the Kafka UI's JSON |
//! | `kafka/answer.rs` | answers: data as JSON, or a fault |
//! | `kafka/cluster.rs` | brokers, topics and groups |
//! | `kafka/limits.rs` | the number of concurrent requests |
//! | `kafka/messages.rs` | reading records |
//! | `kafka/name_in_path.rs` | reads the name of a topic or consumer group from the path of a request |
//! | `kafka/pages.rs` | the paths of the Kafka UI's pages |
//! | `kafka/query.rs` | the parameters of a request for records |
//! | `kafka/send.rs` | sending a record |
//! | `kafka/tail.rs` | following a topic |
//! | `kafka/ui_context.rs` | the state that the handlers of the Kafka UI share |
//!
//! # Where a change goes
//!
//! Here a path begins with the name of its crate, without `src`, or at the root of the repository.
//!
//! - **Something an instance reports**: A field in `web/report/` with a default, because instances of two versions read
//!   each other's reports. `windrow/instance_monitor/reports.rs` fills the reports of workers, views, partitions, Redis
//!   and freshness. `windrow/instance_monitor/recent_events.rs` fills lists. `current_report` in
//!   `windrow/instance_monitor.rs` fills a field of the instance itself. Every number of a report needs a metric, or a
//!   reason for none in `web/tests/metrics/complete.rs`; also `web/tests/metrics/reports.rs`.
//! - **A metric**: Its report in `web/report/`, and the file of the same subject in `web/metrics/`: workers, views,
//!   partitions, Redis, checkpoints, freshness, dependencies, instance. `windrow/instance_monitor/reports.rs` fills the
//!   report. Redis is counted in `connectors/redis/observe/statistics.rs` and published in
//!   `connectors/redis/observe/status.rs`. Only `web/metrics/process.rs` reads what it shows itself. Always: a row in
//!   `docs/metrics.md`, the golden outputs of `web/tests/metrics`; `deploy/monitoring` for a panel or an alert.
//! - **An alert**: `deploy/monitoring/alerts.yml`, and two tests in `deploy/monitoring/alerts_test.yml`: one in which
//!   it fires and one in which it does not.
//! - **A field of a page's JSON**: Its file in `web/api/`, and for a value over all instances also the file in
//!   `web/job/` that computes it. `docs/rest_api.md`, which `web/tests/job/api.rs` compares. `web/types/job-api.d.ts`.
//!   `tests/browser/mock/`.
//! - **A page of the job**: `PAGE_PATHS` in `web/routes.rs`. A module in `web/assets/job/pages/`, listed in
//!   `web/assets/job/app.js`. A file in `web/api/`. `PAGES` in `tests/browser/layout.test.mjs` and in
//!   `tests/browser/mock/server.mjs`.
//! - **The look or behaviour of a page**: `web/types/job-api.d.ts`: whether the value is already sent. A module per
//!   page in `web/assets/job/pages/` (for example `web/assets/job/pages/overview.js`) or `web/assets/kafka/pages/`;
//!   `web/assets/shared/` for both UIs. `tests/browser/`.
//! - **A problem that the pages show to an operator**: `web/job/attention.rs`: when it is shown, and the remedy.
//!   `docs/rest_api.md`, `web/tests/job/api.rs`.
//! - **A URL of Flink's REST API**: `web/flink/routes.rs` and a file beside it. `docs/flink_rest.md`,
//!   `web/tests/flink/answers.rs`, `dev/flink/Read.java`.
//! - **A field of an answer of Flink's REST API**: The file that `web/flink/routes.rs` names for the URL:
//!   `web/flink/job.rs`, `web/flink/cluster.rs`, `web/flink/vertex_details.rs`, `web/flink/checkpoints/statistics.rs`,
//!   … `docs/flink_rest.md`, `web/tests/flink/answers.rs`, `dev/flink/Read.java`.
//! - **A page of the Kafka UI**: `PAGE_PATHS` in `web/kafka/pages.rs`. A module in `web/assets/kafka/pages/`, listed in
//!   `web/assets/kafka/app.js`. `tests/browser/kafka.test.mjs`.
//! - **The search for records on the Kafka UI**: `web/kafka/query.rs`: the parameters.
//!   `connectors/kafka/browse/page/request.rs` and `connectors/kafka/browse/records/tail.rs`: the requests.
//!   `message_contains` in `connectors/kafka/browse/records/record.rs`: the comparison.
//! - **Something else on the Kafka UI**: a file in `connectors/kafka/browse/`: ask Kafka. `web/kafka.rs`: a route, and
//!   the file beside `web/kafka/cluster.rs` that answers it. `web/assets/kafka`, `web/types/kafka-api.d.ts`,
//!   `docs/kafka_ui.md`, `web/tests/kafka_ui`.

pub mod answers;
pub mod api;
mod api_route;
pub mod assets;
pub mod controls;
mod event_stream_end;
pub mod flink;
pub mod guard;
pub mod health;
pub mod health_probe;
pub mod job;
pub mod kafka;
pub mod live;
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
