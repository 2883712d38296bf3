//! What all handlers of a job's web server share.
//!
//! Owns: [`JobServerContext`] and the two interfaces through which the binary describes its own process.
//! Does not own: what handlers do with it.
//! Invariant: nothing here takes a lock that a worker holds for longer than a copy.
//! After a crash: nothing survives or needs to.

use std::sync::Arc;

use axum::extract::State;
use windrow_connectors::redis::{self, WrittenRow};
use windrow_engine::{CheckpointStore, CheckpointStoreOpener, StopSignal};
use windrow_spec::Pipeline;

use crate::controls::registry::SavepointRegistry;
use crate::job::job_report::{JobReport, job_id};
use crate::peers::peer_instances::PeerInstances;
use crate::report::InstanceReport;

/// This process, as it sees itself.
pub trait ReportSource: Send + Sync {
    /// Returns the current report. Called about once a second and for each request to a page, so it takes no lock that a
    /// worker holds for longer than a copy.
    fn report(&self) -> InstanceReport;
}

/// The rows that this process wrote recently.
pub trait RecentRowSource: Send + Sync {
    /// Returns the newest `limit` rows, newest first; with `user`, only rows of that entity.
    fn newest_rows(&self, limit: usize, user: Option<&str>) -> Vec<WrittenRow>;
}

impl RecentRowSource for redis::RecentRows {
    fn newest_rows(&self, limit: usize, user: Option<&str>) -> Vec<WrittenRow> {
        self.newest_rows(limit, user)
    }
}

/// A process that remembers no rows.
impl RecentRowSource for () {
    fn newest_rows(&self, _: usize, _: Option<&str>) -> Vec<WrittenRow> {
        Vec::new()
    }
}

/// The context as axum hands it to handlers.
pub(crate) type SharedContext = State<Arc<JobServerContext>>;

/// The job that a server shows, and the interfaces to it.
pub struct JobServerContext {
    /// The validated pipeline.
    pub pipeline: Arc<Pipeline>,
    /// The text of the pipeline file after overrides, without secrets.
    pub pipeline_text: String,
    /// The plan of the pipeline, as `windrow check --json` prints it.
    pub plan: serde_json::Value,
    /// The report of this process.
    pub report_source: Arc<dyn ReportSource>,
    /// The rows that this process wrote recently.
    pub recent_rows: Arc<dyn RecentRowSource>,
    /// The job's folder of the checkpoint store. The instances of the job find each other through it.
    pub checkpoint_store: Arc<dyn CheckpointStore>,
    /// Opens other locations, for savepoints.
    pub store_opener: Arc<dyn CheckpointStoreOpener>,
    /// Stops this process.
    pub stop_signal: StopSignal,
    /// The other instances of the job; starts as its default.
    pub peers: PeerInstances,
    /// The savepoints requested from this process; starts as its default.
    pub savepoint_registry: SavepointRegistry,
}

impl JobServerContext {
    /// Returns the id of the job: the same for all instances, also after a restart.
    #[must_use]
    pub fn job_id(&self) -> String {
        job_id(&self.pipeline.name, &self.pipeline.source.kafka().group)
    }

    /// Returns the whole job: this process as it is now, and the other instances as they last reported, about five seconds
    /// ago. Reads the checkpoint store at most once a second, and does not wait for a store that does not answer.
    pub async fn assemble_job(&self) -> JobReport {
        let others = self.peers.read_live_reports(&self.checkpoint_store).await;
        let here = self.own_report();
        let now_ms = here.reported_at_ms;
        let others: Vec<_> = others.into_iter().filter(|other| other.instance != here.instance).collect();
        JobReport { now_ms, instances: [vec![here], others].concat() }
    }

    /// Returns the current report of this process, with the savepoints that were requested from it.
    #[must_use]
    pub fn own_report(&self) -> InstanceReport {
        let mut report = self.report_source.report();
        report.savepoints = self.savepoint_registry.savepoint_reports();
        report
    }
}
