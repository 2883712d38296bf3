//! The job's vertices and their subtasks.
//!
//! A subtask is what is counted for itself: a partition of the source, a worker that decodes, an instance with its part of
//! a feature view, an instance that writes to Redis.

use serde_json::{Value, json};
use windrow_core::WindowKind;
use windrow_spec::Pipeline;

use super::io::SubtaskIo;
use super::look::FlinkJob;
use crate::report::{InstanceReport, InstanceState, PartitionReport, ViewReport, WorkerReport};

/// A vertex.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Vertex {
    /// The Kafka source.
    Source,
    /// From bytes to events.
    Decode,
    /// The feature view with this number.
    View(usize),
    /// The Redis sink.
    Sink,
}

/// One of a vertex.
pub(super) struct Subtask<'a> {
    pub(super) index: usize,
    /// Who runs it; a partition may have no owner.
    pub(super) instance: Option<&'a InstanceReport>,
    pub(super) work: SubtaskWork<'a>,
}

/// What a subtask is.
pub(super) enum SubtaskWork<'a> {
    Partition(Option<&'a PartitionReport>),
    Worker(usize, &'a WorkerReport),
    View(Option<&'a ViewReport>),
    Sink,
}

impl FlinkJob<'_> {
    /// In the order of the data.
    pub(super) fn vertices(&self) -> Vec<Vertex> {
        let views = (0..self.pipeline.views.len()).map(Vertex::View);
        [Vertex::Source, Vertex::Decode].into_iter().chain(views).chain([Vertex::Sink]).collect()
    }

    /// The subtasks of `stage`; never none.
    pub(super) fn subtasks(&self, stage: Vertex) -> Vec<Subtask<'_>> {
        let mut parts: Vec<(Option<&InstanceReport>, SubtaskWork<'_>)> = match stage {
            Vertex::Source => {
                let owners = (0..self.partition_count()).map(|partition| self.partition_owner(partition));
                owners
                    .map(|owner| (owner.map(|(one, _)| one), SubtaskWork::Partition(owner.map(|(_, part)| part))))
                    .collect()
            }
            Vertex::Decode => {
                let of = |one: &'_ InstanceReport| one.workers.len();
                let each = self.instances.iter().flat_map(|one| (0..of(one)).map(move |worker| (one, worker)));
                each.filter_map(|(one, worker)| {
                    Some((Some(one), SubtaskWork::Worker(worker, one.workers.get(worker)?)))
                })
                .collect()
            }
            Vertex::View(number) => {
                let name = self.pipeline.views.get(number).map(|view| &*view.name);
                let of = |one: &'_ InstanceReport| one.views.iter().position(|view| Some(view.name.as_str()) == name);
                let each = self.instances.iter().map(|one| (one, of(one)));
                each.map(|(one, view)| (Some(one), SubtaskWork::View(view.and_then(|view| one.views.get(view)))))
                    .collect()
            }
            Vertex::Sink => self.instances.iter().map(|one| (Some(one), SubtaskWork::Sink)).collect(),
        };
        if parts.is_empty() {
            parts.push((None, SubtaskWork::View(None)));
        }
        let number = |(index, (instance, part))| Subtask { index, instance, work: part };
        parts.into_iter().enumerate().map(number).collect()
    }
}

impl Vertex {
    /// What its id is made of.
    pub(super) fn id_source(self, pipeline: &Pipeline) -> String {
        match self {
            Self::Source => "source".to_owned(),
            Self::Decode => "decode".to_owned(),
            Self::View(_) => format!("view/{}", self.name(pipeline)),
            Self::Sink => "sink".to_owned(),
        }
    }

    /// For people.
    pub(super) fn name(self, pipeline: &Pipeline) -> String {
        match self {
            Self::Source => format!("Source: Kafka {}", pipeline.source.kafka().topic),
            Self::Decode => "Decode".to_owned(),
            Self::View(number) => pipeline.views.get(number).map(|view| view.name.to_string()).unwrap_or_default(),
            Self::Sink => "Sink: Redis".to_owned(),
        }
    }

    /// What it does, in a line.
    pub(super) fn description(self, pipeline: &Pipeline) -> String {
        let Self::View(number) = self else { return self.name(pipeline) };
        let Some(view) = pipeline.views.get(number) else { return self.name(pipeline) };
        let window = match &view.window {
            WindowKind::Sliding { .. } => "sliding windows",
            WindowKind::Session { .. } => "session windows",
        };
        format!("{}: {} features of {window}", view.name, view.features.len())
    }
}

impl Subtask<'_> {
    /// Flink's word for what it is doing.
    pub(super) fn status(&self) -> &'static str {
        match self.instance.map(|one| one.state) {
            None => "SCHEDULED",
            Some(InstanceState::Starting) => "INITIALIZING",
            Some(InstanceState::Running) => "RUNNING",
            Some(InstanceState::Stopping) => "CANCELING",
        }
    }

    pub(super) fn host(&self) -> &str {
        self.instance.map_or("(unassigned)", |one| &one.host)
    }

    pub(super) fn task_manager_id(&self) -> &str {
        self.instance.map_or("(unassigned)", |one| &one.instance)
    }

    /// When it began; the instance's start, which is when its workers began.
    pub(super) fn started_at_ms(&self) -> Option<i64> {
        self.instance.map(|one| one.started_at_ms)
    }

    /// What it read and wrote.
    pub(super) fn io(&self) -> SubtaskIo {
        SubtaskIo::from_subtask(self)
    }

    /// The workers whose time it takes.
    pub(super) fn workers(&self) -> Vec<&WorkerReport> {
        let Some(one) = self.instance else { return Vec::new() };
        match &self.work {
            SubtaskWork::Partition(owned) => {
                owned.and_then(|owned| one.workers.get(owned.worker)).into_iter().collect()
            }
            SubtaskWork::Worker(_, worker) => vec![worker],
            SubtaskWork::View(_) => one.workers.iter().collect(),
            SubtaskWork::Sink => Vec::new(),
        }
    }

    /// How far event time is complete where it stands: of its partitions the smallest, idle ones left out.
    pub(super) fn watermark_ms(&self) -> Option<i64> {
        let one = self.instance?;
        let mine = |partition: &&PartitionReport| match &self.work {
            SubtaskWork::Partition(owned) => owned.is_some_and(|owned| owned.partition == partition.partition),
            SubtaskWork::Worker(worker, _) => partition.worker == *worker,
            SubtaskWork::View(_) | SubtaskWork::Sink => true,
        };
        let smallest = |idle: bool| {
            let of = one.partitions.iter().filter(mine).filter(|partition| partition.idle == idle);
            of.filter_map(|partition| partition.watermark_ms).min()
        };
        smallest(false).or_else(|| smallest(true))
    }
}

/// `value` for each of Flink's states of a task, by the name that `named` gives it.
pub(super) fn count_per_state(states: impl Iterator<Item = &'static str>, named: fn(&str) -> String) -> Value {
    const STATES: [&str; 10] = [
        "CREATED",
        "SCHEDULED",
        "DEPLOYING",
        "RUNNING",
        "FINISHED",
        "CANCELING",
        "CANCELED",
        "FAILED",
        "RECONCILING",
        "INITIALIZING",
    ];
    let states: Vec<_> = states.collect();
    let count = |state: &str| states.iter().filter(|found| **found == state).count();
    STATES.into_iter().map(|state| (named(state), json!(count(state)))).collect::<serde_json::Map<_, _>>().into()
}
