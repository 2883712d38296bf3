//! `/config`, `/overview`, `/taskmanagers`: what Flink calls a cluster is the job's running instances.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::look::FlinkJob;
use crate::report::{InstanceReport, InstanceState};

/// The version of Flink whose API this is; clients choose what they send by it.
const FLINK_VERSION: &str = "2.3.0";
/// How often Flink's own pages ask, in milliseconds.
const REFRESH_INTERVAL_MS: i64 = 3_000;

/// `/config`
pub(super) fn render_config(look: &FlinkJob<'_>) -> Value {
    let zone = &look.pipeline.event.time_zone;
    let offset = Timestamp::from_millisecond(look.now_ms).map(|now| zone.to_offset(now).seconds()).unwrap_or_default();
    json!({
        "refresh-interval": REFRESH_INTERVAL_MS,
        "timezone-name": zone_name(zone),
        "timezone-offset": i64::from(offset) * 1_000,
        "flink-version": FLINK_VERSION,
        "flink-revision": windrow_revision(look),
        "features": { "web-submit": false, "web-cancel": true, "web-rescale": false, "web-history": false },
    })
}

fn zone_name(zone: &TimeZone) -> String {
    zone.iana_name().map_or_else(|| "UTC".to_owned(), str::to_owned)
}

/// Says that it is Windrow that answers.
fn windrow_revision(look: &FlinkJob<'_>) -> String {
    format!("windrow {}", look.instances.first().map_or("", |one| one.version.as_str()))
}

/// `/overview`
pub(super) fn render_cluster_overview(look: &FlinkJob<'_>) -> Value {
    let running = look.status() == "RUNNING";
    json!({
        "taskmanagers": look.instances.len(),
        "slots-total": look.instances.iter().map(|one| one.workers.len()).sum::<usize>(),
        "slots-available": look.instances.iter().map(count_free_slots).sum::<usize>(),
        "jobs-running": usize::from(running),
        "jobs-finished": 0,
        "jobs-cancelled": 0,
        "jobs-failed": 0,
        "flink-version": FLINK_VERSION,
        "flink-commit": windrow_revision(look),
    })
}

/// Workers without a partition.
fn count_free_slots(one: &InstanceReport) -> usize {
    let idle = |worker: &usize| !one.partitions.iter().any(|partition| partition.worker == *worker);
    (0..one.workers.len()).filter(idle).count()
}

/// `/taskmanagers`
pub(super) fn render_task_managers(look: &FlinkJob<'_>) -> Value {
    let each: Vec<Value> = look.instances.iter().map(render_task_manager).collect();
    json!({ "taskmanagers": each })
}

/// What Flink tells of a machine and Windrow does not is 0.
fn render_task_manager(one: &InstanceReport) -> Value {
    let nothing = json!({
        "cpuCores": 0.0, "taskHeapMemory": 0, "taskOffHeapMemory": 0, "managedMemory": 0, "networkMemory": 0,
        "extendedResources": {},
    });

    json!({
        "id": one.instance,
        "path": if one.listen.is_empty() { one.host.clone() } else { one.listen.clone() },
        "dataPort": 0,
        "jmxPort": -1,
        "timeSinceLastHeartbeat": one.reported_at_ms,
        "slotsNumber": one.workers.len(),
        "freeSlots": count_free_slots(one),
        "assignedTasks": one.partitions.len(),
        "totalResource": nothing,
        "freeResource": nothing,
        "hardware": { "cpuCores": one.workers.len(), "physicalMemory": 0, "freeMemory": 0, "managedMemory": 0 },
        "memoryConfiguration": {
            "frameworkHeap": 0, "taskHeap": 0, "frameworkOffHeap": 0, "taskOffHeap": 0, "networkMemory": 0,
            "managedMemory": 0, "jvmMetaspace": 0, "jvmOverhead": 0, "totalFlinkMemory": 0, "totalProcessMemory": 0,
        },
        "blocked": one.state == InstanceState::Stopping,
    })
}
