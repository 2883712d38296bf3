//! What all handlers of a job's web server share.

use std::sync::Arc;

use windrow_connectors::redis::{self, WrittenRow};
use windrow_engine::{CheckpointStore, CheckpointStores, Stop};
use windrow_spec::Pipeline;

use crate::controls::Controls;
use crate::peers::Peers;
use crate::{InstanceReport, Job, job_id};

/// This process, as it sees itself.
pub trait Observed: Send + Sync {
    /// What it knows of itself now. Called about once a second, and by every look at a page: takes no lock that a worker
    /// holds for longer than a copy.
    fn report(&self) -> InstanceReport;
}

/// The rows that this process wrote lately.
pub trait RecentRows: Send + Sync {
    /// The newest `limit` rows, newest first: of the entity `user` where there is one.
    fn recent(&self, limit: usize, user: Option<&str>) -> Vec<WrittenRow>;
}

impl RecentRows for redis::RecentRows {
    fn recent(&self, limit: usize, user: Option<&str>) -> Vec<WrittenRow> {
        self.newest(limit, user)
    }
}

/// A process that remembers no rows.
impl RecentRows for () {
    fn recent(&self, _: usize, _: Option<&str>) -> Vec<WrittenRow> {
        Vec::new()
    }
}

/// The job that a server shows, and the ways to it.
pub struct Console {
    /// The pipeline, as validated.
    pub pipeline: Arc<Pipeline>,
    /// Its file's text after overrides, without secrets.
    pub pipeline_text: String,
    /// Its plan, as `windrow check --json` prints it.
    pub plan: serde_json::Value,
    /// This process.
    pub observed: Arc<dyn Observed>,
    /// The rows it wrote lately.
    pub rows: Arc<dyn RecentRows>,
    /// The job's folder of the checkpoint store, through which instances find each other.
    pub store: Arc<dyn CheckpointStore>,
    /// Opens other places, for savepoints.
    pub stores: Arc<dyn CheckpointStores>,
    /// Stops this process.
    pub stop: Stop,
    /// What is known of the other instances; begin with its default.
    pub peers: Peers,
    /// The savepoints asked for here; begin with its default.
    pub controls: Controls,
}

impl Console {
    /// The job's id: the same for all instances, and after a restart.
    #[must_use]
    pub fn job_id(&self) -> String {
        job_id(&self.pipeline.name, &self.pipeline.source.group)
    }

    /// The whole job: this process as it is now, the others as they last said (about five seconds ago; looked for at most
    /// once a second, and not waited for where the store does not answer).
    pub async fn job(&self) -> Job {
        let others = self.peers.others(&self.store).await;
        let here = self.report();
        let now_ms = here.reported_at_ms;
        let others: Vec<_> = others.into_iter().filter(|other| other.instance != here.instance).collect();
        Job { now_ms, instances: [vec![here], others].concat() }
    }

    /// What this process says of itself now.
    #[must_use]
    pub fn report(&self) -> InstanceReport {
        let mut report = self.observed.report();
        report.savepoints = self.controls.reports();
        report
    }
}
