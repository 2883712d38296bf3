//! Finds the subtasks of a vertex.
//!
//! A subtask is a part of a vertex that has counts of its own. The source has a subtask for each partition, and
//! decoding has a subtask for each worker. A feature view and the sink have a subtask for each instance.

use serde_json::{Map, Value, json};

use super::flink_job::FlinkJob;
use super::vertex::Vertex;
use crate::report::{InstanceReport, InstanceState, PartitionReport, ViewReport, WorkerReport};

/// All states that Flink has for a task.
const TASK_STATES: [&str; 10] = [
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

pub(super) struct Subtask<'a> {
    pub(super) index: usize,
    /// The instance that runs the subtask; `None` for a partition without an owner.
    pub(super) instance: Option<&'a InstanceReport>,
    pub(super) work: SubtaskWork<'a>,
}

/// The part of the job that a subtask represents, with the report about this part.
pub(super) enum SubtaskWork<'a> {
    Partition(Option<&'a PartitionReport>),
    Worker { index: usize, report: &'a WorkerReport },
    View(Option<&'a ViewReport>),
    Sink,
}

impl FlinkJob<'_> {
    /// Returns the subtasks of `vertex`. Every vertex has at least one subtask.
    pub(super) fn subtasks(&self, vertex: Vertex) -> Vec<Subtask<'_>> {
        let mut subtasks = match vertex {
            Vertex::Source => self.list_source_vertex_subtasks(),
            Vertex::Decode => self.list_decode_vertex_subtasks(),
            Vertex::View(index) => self.list_view_vertex_subtasks(index),
            Vertex::Sink => self.instances.iter().map(|instance| Subtask::new(instance, SubtaskWork::Sink)).collect(),
        };
        if subtasks.is_empty() {
            subtasks.push(Subtask { index: 0, instance: None, work: SubtaskWork::View(None) });
        }
        for (index, subtask) in subtasks.iter_mut().enumerate() {
            subtask.index = index;
        }
        subtasks
    }

    fn list_source_vertex_subtasks(&self) -> Vec<Subtask<'_>> {
        let owners = (0..self.partition_count()).map(|partition| self.partition_owner(partition));
        owners
            .map(|owner| match owner {
                Some(owner) => Subtask::new(owner.instance, SubtaskWork::Partition(Some(owner.partition_report))),
                None => Subtask { index: 0, instance: None, work: SubtaskWork::Partition(None) },
            })
            .collect()
    }

    fn list_decode_vertex_subtasks(&self) -> Vec<Subtask<'_>> {
        let mut subtasks = Vec::new();
        for instance in self.instances {
            for (index, report) in instance.workers.iter().enumerate() {
                subtasks.push(Subtask::new(instance, SubtaskWork::Worker { index, report }));
            }
        }
        subtasks
    }

    fn list_view_vertex_subtasks(&self, index: usize) -> Vec<Subtask<'_>> {
        let name = self.pipeline.views.get(index).map(|view| &*view.name);
        let mut subtasks = Vec::new();
        for instance in self.instances {
            let view = instance.views.iter().find(|view| Some(view.name.as_str()) == name);
            subtasks.push(Subtask::new(instance, SubtaskWork::View(view)));
        }
        subtasks
    }
}

impl<'a> Subtask<'a> {
    /// Returns a subtask of `instance` with the index 0. `FlinkJob::subtasks` then sets the real index.
    const fn new(instance: &'a InstanceReport, work: SubtaskWork<'a>) -> Self {
        Self { index: 0, instance: Some(instance), work }
    }
}

impl Subtask<'_> {
    /// Returns the state of the subtask under Flink's name, computed from the state of the instance.
    pub(super) fn status(&self) -> &'static str {
        match self.instance.map(|instance| instance.state) {
            None => "SCHEDULED",
            Some(InstanceState::Starting) => "INITIALIZING",
            Some(InstanceState::Running) => "RUNNING",
            Some(InstanceState::Stopping) => "CANCELING",
        }
    }

    pub(super) fn host(&self) -> &str {
        self.instance.map_or("(unassigned)", |instance| &instance.host)
    }

    pub(super) fn task_manager_id(&self) -> &str {
        self.instance.map_or("(unassigned)", |instance| &instance.instance_id)
    }

    /// Returns the start time of the instance that runs the subtask. Flink's API shows this time as the start time of
    /// the subtask.
    pub(super) fn started_at_ms(&self) -> Option<i64> {
        self.instance.map(|instance| instance.started_at_ms)
    }

    /// Returns the reports of the workers whose threads execute the subtask.
    pub(super) fn executing_workers(&self) -> Vec<&WorkerReport> {
        let Some(instance) = self.instance else { return Vec::new() };
        match &self.work {
            SubtaskWork::Partition(owned) => {
                owned.and_then(|owned| instance.workers.get(owned.worker_index)).into_iter().collect()
            }
            SubtaskWork::Worker { report, .. } => vec![report],
            SubtaskWork::View(_) => instance.workers.iter().collect(),
            SubtaskWork::Sink => Vec::new(),
        }
    }

    /// Returns the smallest watermark of the subtask's partitions. Ignores idle partitions, unless all partitions are
    /// idle.
    pub(super) fn lowest_watermark_ms(&self) -> Option<i64> {
        let instance = self.instance?;
        let belongs_here = |partition: &&PartitionReport| match &self.work {
            SubtaskWork::Partition(owned) => owned.is_some_and(|owned| owned.partition == partition.partition),
            SubtaskWork::Worker { index, .. } => partition.worker_index == *index,
            SubtaskWork::View(_) | SubtaskWork::Sink => true,
        };
        let smallest = |idle: bool| {
            let partitions = instance.owned_partitions.iter().filter(belongs_here);
            partitions
                .filter(|partition| partition.is_idle == idle)
                .filter_map(|partition| partition.watermark_ms)
                .min()
        };
        smallest(false).or_else(|| smallest(true))
    }
}

/// Renders, for each of Flink's task states, the number of tasks in this state. `rename` converts the name of a state
/// to the key in the JSON.
pub(super) fn render_task_state_counts(
    states: impl Iterator<Item = &'static str>,
    rename: fn(&str) -> String,
) -> Value {
    let states: Vec<_> = states.collect();
    let count = |state: &str| states.iter().filter(|found| **found == state).count();
    TASK_STATES.into_iter().map(|state| (rename(state), json!(count(state)))).collect::<Map<_, _>>().into()
}
