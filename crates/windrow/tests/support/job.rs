//! What tests need to run a worker over a pipeline without Kafka and Redis.

use std::path::Path;
use std::sync::Arc;

use windrow_connectors::job::{self, JobInput};
use windrow_connectors::object_store::ObjectStoreOpener;
use windrow_engine::{CheckpointStore, CheckpointStoreOpener, JobDefinition};
use windrow_spec::Pipeline;

/// Defines the job of `pipeline` over a topic with one partition, with a fixed hash key.
pub(crate) fn define_job(pipeline: &Pipeline, topic: &str) -> JobDefinition {
    job::define_job(pipeline, JobInput::with_one_partition(topic), [7; 16])
}

/// Opens a folder as a checkpoint store.
pub(crate) fn open_folder_store(folder: &Path) -> Arc<dyn CheckpointStore> {
    let stores = ObjectStoreOpener::new().expect("object stores");
    stores.open_store(&format!("file:{}", folder.display())).expect("a folder")
}
