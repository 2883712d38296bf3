//! Remembers the newest report of each instance, and the names of all reports and stop requests in the store.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use windrow_engine::ListedObject;

use super::object_names::{InstanceObjectKind, parse_object_name};
use crate::report::InstanceReport;

/// An instance counts as gone if it has published no report for this long.
pub const INSTANCE_GONE_AFTER: Duration = Duration::from_secs(20);
/// The largest size of a report, in bytes. A larger report is ignored, so that it cannot exhaust the memory.
const MAX_REPORT_BYTES: u64 = 8 * 1024 * 1024;
/// The largest number of instances whose reports are read. The limit keeps a folder with very many reports from
/// exhausting the memory.
const MAX_PEER_REPORTS: usize = 256;

#[derive(Default)]
pub(super) struct KnownInstances {
    /// The reports and stop requests that the store listed, by object name.
    seen_objects: BTreeMap<String, SeenObject>,
    /// The newest report of each instance, by instance id.
    newest_reports: BTreeMap<String, ReceivedReport>,
    is_refreshing: bool,
    last_refreshed_at: Option<Instant>,
}

struct SeenObject {
    first_seen_at: Instant,
}

/// The newest report of an instance, and when this process read it.
struct ReceivedReport {
    report_number: u64,
    report: InstanceReport,
    /// The time at which this process read the report.
    received_at: Instant,
    /// The age that the report already had when this process read it.
    age_when_received: Duration,
}

impl KnownInstances {
    /// Returns whether a refresh is due, and marks a due refresh as running. A refresh lists the objects in the store
    /// and reads the new reports. It is due if no refresh is running, and the last refresh ended at least `interval`
    /// ago.
    pub(super) fn try_begin_refresh(&mut self, interval: Duration) -> bool {
        let is_due = !self.is_refreshing && self.last_refreshed_at.is_none_or(|at| at.elapsed() >= interval);
        self.is_refreshing |= is_due;
        is_due
    }

    pub(super) fn end_refresh(&mut self) {
        self.is_refreshing = false;
        self.last_refreshed_at = Some(Instant::now());
    }

    /// Replaces the known objects by `listed`, the objects that the store contains now. Returns the object name of each
    /// instance's newest report, unless this process has read this report already.
    pub(super) fn update_objects_and_list_unread_reports(&mut self, listed: &[ListedObject]) -> Vec<String> {
        let now = Instant::now();
        let mut newest: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
        let mut seen = BTreeMap::new();
        for object in listed {
            let Some((instance, kind)) = parse_object_name(&object.object_name) else { continue };
            let known = self.seen_objects.remove(&object.object_name).unwrap_or(SeenObject { first_seen_at: now });
            seen.insert(object.object_name.clone(), known);
            if let InstanceObjectKind::Report(number) = kind
                && object.object_byte_count <= MAX_REPORT_BYTES
            {
                let entry = newest.entry(instance).or_insert((number, &object.object_name));
                if number >= entry.0 {
                    *entry = (number, &object.object_name);
                }
            }
        }
        self.seen_objects = seen;
        self.newest_reports.retain(|instance, _| newest.contains_key(instance.as_str()));
        let known_number = |instance: &str| self.newest_reports.get(instance).map(|received| received.report_number);
        newest
            .into_iter()
            .take(MAX_PEER_REPORTS)
            .filter(|(instance, (number, _))| known_number(instance) != Some(*number))
            .map(|(_, (_, name))| name.to_owned())
            .collect()
    }

    /// Remembers the report in `object`, the content of the object with the name `name`. Ignores the object if it
    /// cannot be parsed, or if the report is from another instance than the object's name says.
    pub(super) fn record_report(&mut self, name: &str, object: &[u8]) {
        let Some((instance, InstanceObjectKind::Report(number))) = parse_object_name(name) else { return };
        let Ok(report) = serde_json::from_slice::<InstanceReport>(object) else { return };
        if report.instance_id != instance {
            return;
        }
        // If this process listed the store recently and already knew the instance, the instance published this report
        // just now. Otherwise the report may be old. Then the age of the report is the current time minus the time in
        // the report. The time in the report comes from the clock of the other instance.
        let saw_it_appear = self.last_refreshed_at.is_some_and(|at| at.elapsed() < INSTANCE_GONE_AFTER / 2)
            && self.newest_reports.contains_key(instance);
        let age_ms = Timestamp::now().as_millisecond() - report.reported_at_ms;
        let age_when_received =
            if saw_it_appear { Duration::ZERO } else { Duration::from_millis(u64::try_from(age_ms).unwrap_or(0)) };
        let received = ReceivedReport { report_number: number, report, received_at: Instant::now(), age_when_received };
        self.newest_reports.insert(instance.to_owned(), received);
    }

    /// Returns the newest report of each live instance.
    pub(super) fn live_reports(&self) -> Vec<InstanceReport> {
        let is_live = |received: &&ReceivedReport| {
            received.received_at.elapsed() + received.age_when_received < INSTANCE_GONE_AFTER
        };
        self.newest_reports.values().filter(is_live).map(|received| received.report.clone()).collect()
    }

    pub(super) fn has_object(&self, name: &str) -> bool {
        self.seen_objects.contains_key(name)
    }

    /// Returns the names of other instances' reports and stop requests that this process first saw at least `min_age`
    /// ago. The instance of such a report is gone, because a live instance replaces its report every few seconds.
    pub(super) fn stale_object_names(&self, own_instance: &str, min_age: Duration) -> Vec<String> {
        let stale = self.seen_objects.iter().filter(|(_, seen)| seen.first_seen_at.elapsed() >= min_age);
        let of_others =
            stale.filter(|(name, _)| parse_object_name(name).is_some_and(|(instance, _)| instance != own_instance));
        of_others.map(|(name, _)| name.clone()).collect()
    }
}
