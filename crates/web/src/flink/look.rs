//! One look at the job: all that an answer is made of.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};
use windrow_spec::Pipeline;

use super::fault::{self, HttpFault};
use super::stage::Vertex;
use crate::report::{InstanceReport, InstanceState, PartitionReport};

/// One look.
pub(super) struct FlinkJob<'a> {
    pub(super) id: String,
    pub(super) pipeline: &'a Pipeline,
    /// Where the job's checkpoints are.
    pub(super) checkpoint_place: &'a str,
    pub(super) now_ms: i64,
    pub(super) instances: &'a [InstanceReport],
}

impl FlinkJob<'_> {
    /// Flink's word for what the job is doing.
    pub(super) fn status(&self) -> &'static str {
        let all = |state| self.instances.iter().all(|one| one.state == state);
        if all(InstanceState::Stopping) {
            "CANCELLING"
        } else if self.instances.iter().any(|one| one.state == InstanceState::Running) {
            "RUNNING"
        } else {
            "CREATED"
        }
    }

    pub(super) fn started_at_ms(&self) -> i64 {
        self.instances.iter().map(|one| one.started_at_ms).min().unwrap_or(self.now_ms)
    }

    /// How many partitions the topic has; 1 while that is not known, since nothing of Flink has no subtasks.
    pub(super) fn partition_count(&self) -> usize {
        let told = self.instances.iter().map(|one| one.topic_partitions);
        let owned =
            self.instances.iter().flat_map(|one| &one.partitions).map(|owned| owned.partition.saturating_add(1));
        usize::try_from(told.chain(owned).max().unwrap_or_default()).unwrap_or_default().max(1)
    }

    /// Who owns `partition`: where two say so, the larger epoch does.
    pub(super) fn partition_owner(&self, partition: usize) -> Option<(&InstanceReport, &PartitionReport)> {
        let owned = self.instances.iter().flat_map(|one| one.partitions.iter().map(move |owned| (one, owned)));
        owned
            .filter(|(_, owned)| usize::try_from(owned.partition) == Ok(partition))
            .max_by_key(|(_, owned)| owned.epoch)
    }

    /// Whether `id` is this job's.
    pub(super) fn check_job_id(&self, id: &str) -> Result<(), HttpFault> {
        if !is_flink_id(id) {
            return Err(fault::bad_request(format!("Cannot resolve path parameter (jobid) from value \"{id}\".")));
        }
        if id.eq_ignore_ascii_case(&self.id) { Ok(()) } else { Err(fault::not_found(format!("Job {id} not found"))) }
    }

    /// The stage that the vertex `id` is.
    pub(super) fn find_vertex(&self, id: &str) -> Result<Vertex, HttpFault> {
        if !is_flink_id(id) {
            return Err(fault::bad_request(format!("Cannot resolve path parameter (vertexid) from value \"{id}\".")));
        }
        let found = self.vertices().into_iter().find(|stage| id.eq_ignore_ascii_case(&self.vertex_id(stage)));
        found.ok_or_else(|| fault::not_found(format!("JobVertex {id} not found")))
    }

    /// The same for all instances, and after a restart.
    pub(super) fn vertex_id(&self, stage: &Vertex) -> String {
        let mut hasher = SipHasher13::new();
        hasher.write(self.id.as_bytes());
        hasher.write(stage.id_source(self.pipeline).as_bytes());
        format!("{:032x}", hasher.finish128().as_u128())
    }
}

/// Whether it has the form that Flink's ids have.
pub(super) fn is_flink_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}
