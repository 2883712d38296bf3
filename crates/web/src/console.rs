//! What all handlers of a job's web server share.

use std::sync::Arc;

use windrow_engine::{CheckpointStore, CheckpointStores, Stop};
use windrow_spec::Pipeline;

use crate::InstanceReport;

/// This process, as it sees itself.
pub trait Observed: Send + Sync {
    /// What it knows of itself now. Called about once a second, and by every look at a page: takes no lock that a worker
    /// holds for longer than a copy.
    fn report(&self) -> InstanceReport;
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
    /// The job's folder of the checkpoint store, through which instances find each other.
    pub store: Arc<dyn CheckpointStore>,
    /// Opens other places, for savepoints.
    pub stores: Arc<dyn CheckpointStores>,
    /// Stops this process.
    pub stop: Stop,
}
