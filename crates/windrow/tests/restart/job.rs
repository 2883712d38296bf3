//! The shipped job over a script.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use windrow_connectors::object_store::ObjectStores;
use windrow_engine::checkpoint::{Checkpoints, From, Identity};
use windrow_engine::{
    CheckpointStore, CheckpointStores, CountOnly, Decoder, Ended, Halt, Job, MonotonicClock, Stop, Worker,
    WorkerMetrics,
};
use windrow_spec::{ECOMMERCE, Override, Pipeline, parse};

use crate::rows::RowStore;
use crate::script::{KILLED, Script};

/// What every run of a job has in common.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) rows: RowStore,
    pub(crate) checkpoints: Checkpoints,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) enum Run {
    Ended(Ended),
    Killed,
    Halted(Halt),
}

impl Setup {
    /// Checkpoints in `folder`, taken as often as possible.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self::in_store(folder_store(folder))
    }

    pub(crate) fn in_store(store: Arc<dyn CheckpointStore>) -> Self {
        let rows = RowStore::default();
        let checkpoints = Checkpoints {
            identity: Identity {
                pipeline: "ecommerce".to_owned(),
                topic: "events".to_owned(),
                topic_id: Some("id".to_owned()),
                partitions: 1,
            },
            store,
            requests: Default::default(),
            fence: Arc::new(rows.clone()),
            guard: Arc::new(|| Ok(())),
            every: Duration::ZERO,
            keep: 3,
            from: None,
            drop_state: Default::default(),
            accept_partitions: false,
            owner: "test".to_owned(),
        };
        Self { pipeline: Arc::new(pipeline(&[])), rows, checkpoints }
    }

    /// With the fence of its own rows, after they were replaced.
    pub(crate) fn fenced_by_its_rows(mut self) -> Self {
        self.checkpoints.fence = Arc::new(self.rows.clone());
        self
    }

    pub(crate) fn from(mut self, folder: &Path) -> Self {
        self.checkpoints.from = Some(From { store: folder_store(folder) });
        self
    }

    pub(crate) fn run(&self, script: Script) -> Run {
        self.run_until(script, &Stop::default())
    }

    pub(crate) fn run_until(&self, script: Script, stop: &Stop) -> Run {
        self.run_saying(script, stop, &WorkerMetrics::new(self.pipeline.views.len()))
    }

    /// A run; what the worker says of itself is in `metrics`.
    pub(crate) fn run_saying(&self, script: Script, stop: &Stop, metrics: &Arc<WorkerMetrics>) -> Run {
        let (event, views) = (&self.pipeline.event, &self.pipeline.views);
        let job = Job {
            views: views.iter().map(|view| view.feature_view.clone()).collect(),
            schema: event.schema.clone(),
            max_out_of_orderness_ms: self.pipeline.watermark.max_out_of_orderness_ms,
            decoder: Decoder::new(
                event.schema.clone(),
                &event.time_field,
                event.time_zone.clone(),
                event.max_key_bytes,
            ),
            topic: "events".into(),
            hash_key: [7; 16],
            keys_required: false,
        };
        let sink = self.rows.sink(&job.views, event.schema.key_name());
        let (metrics, checkpoints) = (Arc::clone(metrics), Some(self.checkpoints.clone()));
        let mut worker =
            Worker::new(job, script, sink, CountOnly, MonotonicClock::start(), checkpoints, stop.clone(), metrics);
        match worker.run() {
            Ok(ended) => Run::Ended(ended),
            Err(Halt::Input(reason)) if reason == KILLED => Run::Killed,
            Err(halt) => Run::Halted(halt),
        }
    }
}

impl Run {
    pub(crate) fn expect_end(self) {
        assert!(matches!(self, Self::Ended(Ended::Exhausted)), "{self}");
    }

    pub(crate) fn expect_killed(self) {
        assert!(matches!(self, Self::Killed), "{self}");
    }

    pub(crate) fn expect_halt(self) -> Halt {
        match self {
            Self::Halted(halt) => halt,
            other => panic!("not halted: {other}"),
        }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

pub(crate) fn pipeline(overrides: &[&str]) -> Pipeline {
    let overrides: Vec<Override> = overrides.iter().map(|text| text.parse().expect("an override")).collect();
    parse("shipped", ECOMMERCE, &overrides).expect("a pipeline")
}

pub(crate) fn folder_store(folder: &Path) -> Arc<dyn CheckpointStore> {
    let stores = ObjectStores::new().expect("a place for stores");
    stores.open(&format!("file:{}", folder.display())).expect("a folder")
}
