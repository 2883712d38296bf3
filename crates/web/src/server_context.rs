//! The context that all handlers of a job's web server share.
//!
//! Owns: [`JobServerContext`], and the two traits that the binary implements to describe this process.
//! Does not own: the handlers.
//! Invariant: if a handler shares a lock with a worker, the worker holds this lock only while it copies a value.
//! After a crash: no state survives, and none is needed.

use std::sync::Arc;

use axum::extract::State;
use windrow_connectors::redis::{self, WrittenRow};
use windrow_engine::{CheckpointStore, CheckpointStoreOpener, StopSignal};
use windrow_spec::Pipeline;

use crate::controls::savepoint_registry::SavepointRegistry;
use crate::job::job_report::{JobReport, compute_job_id};
use crate::peers::peer_instances::{LiveReports, PeerInstances};
use crate::report::InstanceReport;

/// Builds the report of this process.
pub trait ReportSource: Send + Sync {
    /// Returns the current report of this process. The server calls this method about once a second, and for each
    /// request that a page sends. If an implementation shares a lock with a worker, the worker must hold this lock only
    /// while it copies a value.
    fn current_report(&self) -> InstanceReport;
}

/// Gives access to the rows that this process wrote recently.
pub trait RecentRowSource: Send + Sync {
    /// Returns at most `limit` recently written rows, the newest row first. With `user`, returns only rows of this
    /// user.
    fn newest_rows(&self, limit: usize, user: Option<&str>) -> Vec<WrittenRow>;
}

impl RecentRowSource for redis::RecentRows {
    fn newest_rows(&self, limit: usize, user: Option<&str>) -> Vec<WrittenRow> {
        self.newest_rows(limit, user)
    }
}

/// The implementation for a process that does not remember the rows that it wrote.
impl RecentRowSource for () {
    fn newest_rows(&self, _: usize, _: Option<&str>) -> Vec<WrittenRow> {
        Vec::new()
    }
}

/// The axum extractor through which handlers receive the [`JobServerContext`].
pub(crate) type SharedContext = State<Arc<JobServerContext>>;

/// The job that a web server shows, with access to the job's checkpoint store and to the job's other instances.
pub struct JobServerContext {
    /// The validated pipeline.
    pub pipeline: Arc<Pipeline>,
    /// The text of the pipeline file, including the overrides on the command line, but without secrets.
    pub pipeline_text: String,
    /// The plan of the pipeline, as `windrow check --json` prints it.
    pub pipeline_plan: serde_json::Value,
    /// The source of this process's report.
    pub report_source: Arc<dyn ReportSource>,
    /// The source of the rows that this process wrote recently.
    pub recent_row_source: Arc<dyn RecentRowSource>,
    /// The job's folder in the checkpoint store. The instances of the job also find each other through this folder.
    pub checkpoint_store: Arc<dyn CheckpointStore>,
    /// Opens the store at the location of a requested savepoint.
    pub savepoint_store_opener: Arc<dyn CheckpointStoreOpener>,
    /// The signal that stops this process.
    pub stop_signal: StopSignal,
    /// The other instances of the job. A new server starts with the default value, which knows no other instance.
    pub peers: PeerInstances,
    /// The savepoints that were requested from this process. A new server starts with the default value, which is
    /// empty.
    pub savepoint_registry: SavepointRegistry,
}

impl JobServerContext {
    /// Returns the id of the job. The id is the same on all instances and after a restart.
    #[must_use]
    pub fn job_id(&self) -> String {
        compute_job_id(&self.pipeline.name, &self.pipeline.source.kafka().consumer_group)
    }

    /// Returns the current report of this process, and the newest known reports of the other live instances. Reads the
    /// checkpoint store at most every two seconds, and waits only briefly for the store.
    pub async fn assemble_job_report(&self) -> JobReport {
        let own_instance = || self.report_source.current_report().instance_id;
        let others = self.peers.read_live_reports(&self.checkpoint_store, own_instance).await;
        let here = self.own_report();
        let now_ms = here.reported_at_ms;
        let LiveReports { reports, has_unread_instances } = others;
        let others: Vec<_> = reports.into_iter().filter(|other| other.instance_id != here.instance_id).collect();
        JobReport { assembled_at_ms: now_ms, instances: [vec![here], others].concat(), has_unread_instances }
    }

    /// Returns the current report of this process, including the savepoints that were requested from this process.
    #[must_use]
    pub fn own_report(&self) -> InstanceReport {
        let mut report = self.report_source.current_report();
        report.requested_savepoints = self.savepoint_registry.savepoint_reports();
        report
    }
}
