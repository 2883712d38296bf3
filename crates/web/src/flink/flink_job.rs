//! The job at one moment, described in Flink's terms. All answers of Flink's API are rendered from this description.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};
use windrow_spec::Pipeline;

use super::fault::{bad_path_parameter, not_found};
use super::vertex::Vertex;
use crate::answers::HttpFault;
use crate::report::{InstanceReport, InstanceState, PartitionReport};

/// The job at one moment: its pipeline and the reports of all instances.
pub(super) struct FlinkJob<'a> {
    pub(super) id: String,
    pub(super) pipeline: &'a Pipeline,
    /// The location of the job's checkpoints.
    pub(super) checkpoint_location: &'a str,
    pub(super) now_ms: i64,
    pub(super) instances: &'a [InstanceReport],
}

/// The instance that owns a partition, and the instance's report about the partition.
pub(super) struct FlinkPartitionOwner<'a> {
    pub(super) instance: &'a InstanceReport,
    pub(super) partition_report: &'a PartitionReport,
}

impl FlinkJob<'_> {
    /// Returns the state of the job under Flink's name, computed from the states of the instances.
    pub(super) fn status(&self) -> &'static str {
        if self.instances.iter().all(|instance| instance.state == InstanceState::Stopping) {
            "CANCELLING"
        } else if self.instances.iter().any(|instance| instance.state == InstanceState::Running) {
            "RUNNING"
        } else {
            "CREATED"
        }
    }

    pub(super) fn started_at_ms(&self) -> i64 {
        self.instances.iter().map(|instance| instance.started_at_ms).min().unwrap_or(self.now_ms)
    }

    /// Returns the number of partitions of the topic, or 1 if the number is unknown. The result is never 0, because a
    /// vertex has at least one subtask.
    pub(super) fn partition_count(&self) -> usize {
        let reported = self.instances.iter().map(|instance| instance.topic_partition_count);
        let owned = self.instances.iter().flat_map(|instance| &instance.owned_partitions);
        let at_least = owned.map(|owned| owned.partition.saturating_add(1));
        usize::try_from(reported.chain(at_least).max().unwrap_or_default()).unwrap_or_default().max(1)
    }

    /// Returns the owner of `partition`. If several instances report that they own the partition, the instance that
    /// reports the largest epoch is the owner.
    pub(super) fn partition_owner(&self, partition: usize) -> Option<FlinkPartitionOwner<'_>> {
        let claims = self.instances.iter().flat_map(|instance| {
            instance
                .owned_partitions
                .iter()
                .map(move |report| FlinkPartitionOwner { instance, partition_report: report })
        });
        claims
            .filter(|claim| usize::try_from(claim.partition_report.partition) == Ok(partition))
            .max_by_key(|claim| claim.partition_report.epoch)
    }

    /// Returns a fault unless `id` is the id of this job.
    pub(super) fn require_job_id(&self, id: &str) -> Result<(), HttpFault> {
        if !is_flink_id(id) {
            return Err(bad_path_parameter("jobid", id));
        }
        if id.eq_ignore_ascii_case(&self.id) { Ok(()) } else { Err(not_found(format!("Job {id} not found"))) }
    }

    /// Returns the vertices, from the source to the sink.
    pub(super) fn vertices(&self) -> Vec<Vertex> {
        let views = (0..self.pipeline.views.len()).map(Vertex::View);
        [Vertex::Source, Vertex::Decode].into_iter().chain(views).chain([Vertex::Sink]).collect()
    }

    /// Returns the vertex with this id, or a fault if no vertex has this id.
    pub(super) fn find_vertex(&self, id: &str) -> Result<Vertex, HttpFault> {
        if !is_flink_id(id) {
            return Err(bad_path_parameter("vertexid", id));
        }
        let found = self.vertices().into_iter().find(|vertex| id.eq_ignore_ascii_case(&self.vertex_id(*vertex)));
        found.ok_or_else(|| not_found(format!("JobVertex {id} not found")))
    }

    /// Returns the id of a vertex. The id is the same on all instances and after a restart.
    pub(super) fn vertex_id(&self, vertex: Vertex) -> String {
        let mut hasher = SipHasher13::new();
        hasher.write(self.id.as_bytes());
        hasher.write(vertex.id_hash_input(self.pipeline).as_bytes());
        format!("{:032x}", hasher.finish128().as_u128())
    }
}

/// Returns whether `id` has the form of Flink's ids: 32 hexadecimal digits.
pub(super) fn is_flink_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}
