//! The context that all handlers of a job's web server share.
//!
//! Owns: [`JobServerContext`], and the two traits through which the binary describes this process.
//! Does not own: the handlers.
//! Invariant: the context takes no lock that a worker holds longer than it needs to copy a value.
//! After a crash: no state survives, and none is needed.

use std::sync::Arc;

use axum::extract::State;
use windrow_connectors::redis::{self, WrittenRow};
use windrow_engine::{CheckpointStore, CheckpointStoreOpener, StopSignal};
use windrow_spec::Pipeline;

use crate::controls::registry::SavepointRegistry;
use crate::job::job_report::{JobReport, compute_job_id};
use crate::peers::peer_instances::PeerInstances;
use crate::report::InstanceReport;

/// Builds the report of this process.
pub trait ReportSource: Send + Sync {
    /// Returns the current report. It is called about once a second and for each request to a page. It must not take a
    /// lock that a worker holds longer than it needs to copy a value.
    fn current_report(&self) -> InstanceReport;
}

/// The rows that this process wrote recently.
pub trait RecentRowSource: Send + Sync {
    /// Returns at most `limit` rows, newest first. With `user`, returns only rows of that user.
    fn newest_rows(&self, limit: usize, user: Option<&str>) -> Vec<WrittenRow>;
}

impl RecentRowSource for redis::RecentRows {
    fn newest_rows(&self, limit: usize, user: Option<&str>) -> Vec<WrittenRow> {
        self.newest_rows(limit, user)
    }
}

/// Stands for a process that remembers no rows.
impl RecentRowSource for () {
    fn newest_rows(&self, _: usize, _: Option<&str>) -> Vec<WrittenRow> {
        Vec::new()
    }
}

/// The axum extractor of the context.
pub(crate) type SharedContext = State<Arc<JobServerContext>>;

/// The job that a server shows, and access to its stores and instances.
pub struct JobServerContext {
    /// The validated pipeline.
    pub pipeline: Arc<Pipeline>,
    /// The text of the pipeline file after overrides, without secrets.
    pub pipeline_text: String,
    /// The plan of the pipeline, as `windrow check --json` prints it.
    pub pipeline_plan: serde_json::Value,
    /// The source of this process's report.
    pub report_source: Arc<dyn ReportSource>,
    /// The rows that this process wrote recently.
    pub recent_rows: Arc<dyn RecentRowSource>,
    /// The job's folder in the checkpoint store. The instances of the job find each other through this folder.
    pub checkpoint_store: Arc<dyn CheckpointStore>,
    /// Opens the target locations of savepoints.
    pub savepoint_store_opener: Arc<dyn CheckpointStoreOpener>,
    /// The signal that stops this process.
    pub stop_signal: StopSignal,
    /// The other instances of the job. The initial value is the default.
    pub peers: PeerInstances,
    /// The savepoints requested from this process. The initial value is the default.
    pub savepoint_registry: SavepointRegistry,
}

impl JobServerContext {
    /// Returns the id of the job. It is the same for all instances, and after a restart.
    #[must_use]
    pub fn job_id(&self) -> String {
        compute_job_id(&self.pipeline.name, &self.pipeline.source.kafka().consumer_group)
    }

    /// Returns the current report of this process and the last reports of the other instances, which are about five
    /// seconds old.
    /// Reads the checkpoint store at most once a second, and waits only a short time for it.
    pub async fn assemble_job_report(&self) -> JobReport {
        let others = self.peers.read_live_reports(&self.checkpoint_store).await;
        let here = self.own_report();
        let now_ms = here.reported_at_ms;
        let others: Vec<_> = others.into_iter().filter(|other| other.instance != here.instance).collect();
        JobReport { assembled_at_ms: now_ms, instances: [vec![here], others].concat() }
    }

    /// Returns the current report of this process, including the savepoints that were requested from this process.
    #[must_use]
    pub fn own_report(&self) -> InstanceReport {
        let mut report = self.report_source.current_report();
        report.savepoints = self.savepoint_registry.savepoint_reports();
        report
    }
}
