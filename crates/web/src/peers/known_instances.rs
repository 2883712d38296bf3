//! What is known of the other instances, and since when.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use windrow_engine::ListedObject;

use super::object_names::{InstanceObject, parse_object_name};
use crate::report::InstanceReport;

/// An instance that has been silent for this long counts as gone.
pub const GONE_AFTER: Duration = Duration::from_secs(20);
/// A larger report is not read.
const REPORT_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Reports of more instances are not read: a full folder must not fill the memory.
const INSTANCES_MAX: usize = 256;

#[derive(Default)]
pub(super) struct KnownInstances {
    /// By name of the object.
    seen: BTreeMap<String, SeenObject>,
    /// By name of the instance.
    reports: BTreeMap<String, ReceivedReport>,
    is_refreshing: bool,
    refreshed_at: Option<Instant>,
}

struct SeenObject {
    first_seen_at: Instant,
}

/// The newest report of an instance.
struct ReceivedReport {
    number: u64,
    report: InstanceReport,
    /// When this process read it.
    received_at: Instant,
    /// How old it was then.
    age_when_received: Duration,
}

impl KnownInstances {
    /// Returns whether the caller must refresh: no refresh is running, and none ended within `interval`.
    pub(super) fn try_begin_refresh(&mut self, interval: Duration) -> bool {
        let is_due = !self.is_refreshing && self.refreshed_at.is_none_or(|at| at.elapsed() >= interval);
        self.is_refreshing |= is_due;
        is_due
    }

    pub(super) fn end_refresh(&mut self) {
        self.is_refreshing = false;
        self.refreshed_at = Some(Instant::now());
    }

    /// Notes which objects are in the store, and returns the names of the reports to be read.
    pub(super) fn note_listed_objects(&mut self, listed: &[ListedObject]) -> Vec<String> {
        let now = Instant::now();
        let mut newest: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
        let mut seen = BTreeMap::new();
        for object in listed {
            let Some((instance, kind)) = parse_object_name(&object.name) else { continue };
            let known = self.seen.remove(&object.name).unwrap_or(SeenObject { first_seen_at: now });
            seen.insert(object.name.clone(), known);
            if let InstanceObject::Report(number) = kind
                && object.bytes <= REPORT_BYTES_MAX
            {
                let entry = newest.entry(instance).or_insert((number, &object.name));
                if number >= entry.0 {
                    *entry = (number, &object.name);
                }
            }
        }
        self.seen = seen;
        self.reports.retain(|instance, _| newest.contains_key(instance.as_str()));
        let known_number = |instance: &str| self.reports.get(instance).map(|received| received.number);
        newest
            .into_iter()
            .take(INSTANCES_MAX)
            .filter(|(instance, (number, _))| known_number(instance) != Some(*number))
            .map(|(_, (_, name))| name.to_owned())
            .collect()
    }

    /// Takes over the report in `object`. Ignores an object that is not a report of the instance in its name.
    pub(super) fn record_report(&mut self, name: &str, object: &[u8]) {
        let Some((instance, InstanceObject::Report(number))) = parse_object_name(name) else { return };
        let Ok(report) = serde_json::from_slice::<InstanceReport>(object) else { return };
        if report.instance != instance {
            return;
        }
        // A reader that refreshed a moment ago saw the report appear. Otherwise only the writer's clock tells its age.
        let saw_it_appear =
            self.refreshed_at.is_some_and(|at| at.elapsed() < GONE_AFTER / 2) && self.reports.contains_key(instance);
        let age_ms = Timestamp::now().as_millisecond() - report.reported_at_ms;
        let age_when_received =
            if saw_it_appear { Duration::ZERO } else { Duration::from_millis(u64::try_from(age_ms).unwrap_or(0)) };
        let received = ReceivedReport { number, report, received_at: Instant::now(), age_when_received };
        self.reports.insert(instance.to_owned(), received);
    }

    /// Returns the reports of the live instances.
    pub(super) fn live_reports(&self) -> Vec<InstanceReport> {
        let is_live =
            |received: &&ReceivedReport| received.received_at.elapsed() + received.age_when_received < GONE_AFTER;
        self.reports.values().filter(is_live).map(|received| received.report.clone()).collect()
    }

    pub(super) fn has_object(&self, name: &str) -> bool {
        self.seen.contains_key(name)
    }

    /// Returns the names of objects that other instances left unchanged for `unchanged_for`.
    pub(super) fn stale_objects(&self, own_instance: &str, unchanged_for: Duration) -> Vec<String> {
        let stale = self.seen.iter().filter(|(_, seen)| seen.first_seen_at.elapsed() >= unchanged_for);
        let of_others =
            stale.filter(|(name, _)| parse_object_name(name).is_some_and(|(instance, _)| instance != own_instance));
        of_others.map(|(name, _)| name.clone()).collect()
    }
}
