//! Renders `/config`, `/overview` and `/taskmanagers`. Each instance of the job is shown as a task manager.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::flink_job::FlinkJob;
use crate::report::{InstanceReport, InstanceState};

/// The version of Flink whose API Windrow implements. Clients decide by this version which requests they send.
const FLINK_VERSION: &str = "2.3.0";
/// The interval at which Flink's own web pages repeat their requests to this server, in milliseconds.
const FLINK_PAGES_REFRESH_INTERVAL_MS: i64 = 3_000;

/// Renders `/config`.
pub(super) fn render_cluster_config(job: &FlinkJob<'_>) -> Value {
    let zone = &job.pipeline.event.time_zone;
    let now = Timestamp::from_millisecond(job.now_ms);
    let offset_s = now.map(|now| zone.to_offset(now).seconds()).unwrap_or_default();
    json!({
        "refresh-interval": FLINK_PAGES_REFRESH_INTERVAL_MS,
        "timezone-name": job.pipeline.event.time_zone_name(),
        "timezone-offset": i64::from(offset_s) * 1_000,
        "flink-version": FLINK_VERSION,
        "flink-revision": format_windrow_version(job),
        "features": { "web-submit": false, "web-cancel": true, "web-rescale": false, "web-history": false },
    })
}

/// Returns Windrow's version. The answers contain it in the fields in which Flink has its source revision.
fn format_windrow_version(job: &FlinkJob<'_>) -> String {
    format!("windrow {}", job.instances.first().map_or("", |instance| instance.version.as_str()))
}

/// Renders `/overview`.
pub(super) fn render_cluster_overview(job: &FlinkJob<'_>) -> Value {
    let is_running = job.status() == "RUNNING";
    json!({
        "taskmanagers": job.instances.len(),
        "slots-total": job.instances.iter().map(|instance| instance.workers.len()).sum::<usize>(),
        "slots-available": job.instances.iter().map(count_free_slots).sum::<usize>(),
        "jobs-running": usize::from(is_running),
        "jobs-finished": 0,
        "jobs-cancelled": 0,
        "jobs-failed": 0,
        "flink-version": FLINK_VERSION,
        "flink-commit": format_windrow_version(job),
    })
}

/// Returns the number of workers that own no partition. Flink's API shows each worker as a task slot.
fn count_free_slots(instance: &InstanceReport) -> usize {
    let is_free = |worker: &usize| !instance.owned_partitions.iter().any(|partition| partition.worker_index == *worker);
    (0..instance.workers.len()).filter(is_free).count()
}

/// Renders `/taskmanagers`.
pub(super) fn render_task_managers(job: &FlinkJob<'_>) -> Value {
    let task_managers: Vec<Value> = job.instances.iter().map(render_task_manager).collect();
    json!({ "taskmanagers": task_managers })
}

/// Renders an instance as a task manager. Memory and other resources are shown as 0, because Windrow does not measure
/// them.
fn render_task_manager(instance: &InstanceReport) -> Value {
    let no_resources = json!({
        "cpuCores": 0.0, "taskHeapMemory": 0, "taskOffHeapMemory": 0, "managedMemory": 0, "networkMemory": 0,
        "extendedResources": {},
    });
    json!({
        "id": instance.instance_id,
        "path": if instance.listen_address.is_empty() { &instance.host } else { &instance.listen_address },
        "dataPort": 0,
        "jmxPort": -1,
        "timeSinceLastHeartbeat": instance.reported_at_ms,
        "slotsNumber": instance.workers.len(),
        "freeSlots": count_free_slots(instance),
        "assignedTasks": instance.owned_partitions.len(),
        "totalResource": no_resources,
        "freeResource": no_resources,
        "hardware": { "cpuCores": instance.workers.len(), "physicalMemory": 0, "freeMemory": 0, "managedMemory": 0 },
        "memoryConfiguration": {
            "frameworkHeap": 0, "taskHeap": 0, "frameworkOffHeap": 0, "taskOffHeap": 0, "networkMemory": 0,
            "managedMemory": 0, "jvmMetaspace": 0, "jvmOverhead": 0, "totalFlinkMemory": 0, "totalProcessMemory": 0,
        },
        "blocked": instance.state == InstanceState::Stopping,
    })
}
