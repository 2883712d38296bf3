//! What all handlers of a job's web server share.

use std::sync::Arc;

use windrow_connectors::redis::{self, WrittenRow};
use windrow_engine::{CheckpointStore, CheckpointStoreOpener, StopSignal};
use windrow_spec::Pipeline;

use crate::controls::SavepointRegistry;
use crate::peers::PeerInstances;
use crate::{InstanceReport, JobReport, job_id};

/// This process, as it sees itself.
pub trait ReportSource: Send + Sync {
    /// What it knows of itself now. Called about once a second, and by every look at a page: takes no lock that a worker
    /// holds for longer than a copy.
    fn report(&self) -> InstanceReport;
}

/// The rows that this process wrote lately.
pub trait RecentRowSource: Send + Sync {
    /// The newest `limit` rows, newest first: of the entity `user` where there is one.
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

/// The job that a server shows, and the ways to it.
pub struct JobServerContext {
    /// The pipeline, as validated.
    pub pipeline: Arc<Pipeline>,
    /// Its file's text after overrides, without secrets.
    pub pipeline_text: String,
    /// Its plan, as `windrow check --json` prints it.
    pub plan: serde_json::Value,
    /// This process.
    pub report_source: Arc<dyn ReportSource>,
    /// The rows it wrote lately.
    pub recent_rows: Arc<dyn RecentRowSource>,
    /// The job's folder of the checkpoint store, through which instances find each other.
    pub checkpoint_store: Arc<dyn CheckpointStore>,
    /// Opens other places, for savepoints.
    pub store_opener: Arc<dyn CheckpointStoreOpener>,
    /// Stops this process.
    pub stop_signal: StopSignal,
    /// What is known of the other instances; begin with its default.
    pub peers: PeerInstances,
    /// The savepoints asked for here; begin with its default.
    pub savepoint_registry: SavepointRegistry,
}

impl JobServerContext {
    /// The job's id: the same for all instances, and after a restart.
    #[must_use]
    pub fn job_id(&self) -> String {
        job_id(&self.pipeline.name, &self.pipeline.source.kafka().group)
    }

    /// The whole job: this process as it is now, the others as they last said (about five seconds ago; looked for at most
    /// once a second, and not waited for where the store does not answer).
    pub async fn assemble_job(&self) -> JobReport {
        let others = self.peers.read_live_reports(&self.checkpoint_store).await;
        let here = self.own_report();
        let now_ms = here.reported_at_ms;
        let others: Vec<_> = others.into_iter().filter(|other| other.instance != here.instance).collect();
        JobReport { now_ms, instances: [vec![here], others].concat() }
    }

    /// What this process says of itself now.
    #[must_use]
    pub fn own_report(&self) -> InstanceReport {
        let mut report = self.report_source.report();
        report.savepoints = self.savepoint_registry.savepoint_reports();
        report
    }
}
