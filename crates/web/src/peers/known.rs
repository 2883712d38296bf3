//! What was seen of the other instances, and when.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use windrow_engine::ListedObject;

use super::{GONE_AFTER, parse_object_name};
use crate::InstanceReport;

/// A report larger than this is not read.
const REPORT_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Nobody shows more instances than this: a full folder must not fill the memory.
const INSTANCES_MAX: usize = 256;

#[derive(Default)]
pub(super) struct KnownInstances {
    /// By name of the object.
    seen: BTreeMap<String, SeenObject>,
    reports: BTreeMap<String, ReceivedReport>,
    is_refreshing: bool,
    refreshed_at: Option<Instant>,
}

struct SeenObject {
    /// When it was first listed.
    first_seen_at: Instant,
}

/// An instance's newest report.
struct ReceivedReport {
    number: u64,
    report: InstanceReport,
    /// When it was heard last, by this process's clock.
    received_at: Instant,
    /// How long before that it was written.
    age_when_received: Duration,
}

impl KnownInstances {
    /// Whether it is this caller's turn to look, because nobody did within `every` and nobody does now.
    pub(super) fn try_begin_refresh(&mut self, every: Duration) -> bool {
        let due = !self.is_refreshing && self.refreshed_at.is_none_or(|looked| looked.elapsed() >= every);
        self.is_refreshing |= due;
        due
    }

    pub(super) fn end_refresh(&mut self) {
        self.is_refreshing = false;
        self.refreshed_at = Some(Instant::now());
    }

    /// Notes what is there; the names of reports that are to be read.
    pub(super) fn note_listed_objects(&mut self, listed: &[ListedObject]) -> Vec<String> {
        let now = Instant::now();
        let mut newest: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
        let mut seen = BTreeMap::new();
        for object in listed {
            let Some((instance, number)) = parse_object_name(&object.name) else { continue };
            seen.insert(
                object.name.clone(),
                self.seen.remove(&object.name).unwrap_or(SeenObject { first_seen_at: now }),
            );
            if let Some(number) = number.filter(|_| object.bytes <= REPORT_BYTES_MAX) {
                let entry = newest.entry(instance).or_insert((number, &object.name));
                if number >= entry.0 {
                    *entry = (number, &object.name);
                }
            }
        }
        self.seen = seen;
        self.reports.retain(|instance, _| newest.contains_key(instance.as_str()));
        let known = |instance: &str| self.reports.get(instance).map(|told| told.number);
        newest
            .into_iter()
            .take(INSTANCES_MAX)
            .filter(|(instance, (number, _))| known(instance) != Some(*number))
            .map(|(_, (_, name))| name.to_owned())
            .collect()
    }

    /// Takes in what an object says.
    pub(super) fn record_report(&mut self, name: &str, object: &[u8]) {
        let Some((instance, Some(number))) = parse_object_name(name) else { return };
        let Ok(report) = serde_json::from_slice::<InstanceReport>(object) else { return };
        if report.instance != instance {
            return;
        }
        // Whoever looked a moment ago saw it appear. Otherwise only the writer's clock tells how old it is.
        let watching = self.refreshed_at.is_some_and(|looked| looked.elapsed() < GONE_AFTER / 2)
            && self.reports.contains_key(instance);
        let age_ms = Timestamp::now().as_millisecond() - report.reported_at_ms;
        let age = if watching { Duration::ZERO } else { Duration::from_millis(u64::try_from(age_ms).unwrap_or(0)) };
        let instance = instance.to_owned();
        self.reports
            .insert(instance, ReceivedReport { number, report, received_at: Instant::now(), age_when_received: age });
    }

    /// The reports of those who are there.
    pub(super) fn live_reports(&self) -> Vec<InstanceReport> {
        let there =
            self.reports.values().filter(|told| told.received_at.elapsed() + told.age_when_received < GONE_AFTER);
        there.map(|told| told.report.clone()).collect()
    }

    pub(super) fn has_object(&self, name: &str) -> bool {
        self.seen.contains_key(name)
    }

    /// The names of objects that have not changed for `silent`, but for those of `own`.
    pub(super) fn stale_objects(&self, own: &str, silent: Duration) -> Vec<String> {
        let old = self.seen.iter().filter(|(_, seen)| seen.first_seen_at.elapsed() >= silent);
        let others = old.filter(|(name, _)| parse_object_name(name).is_some_and(|(instance, _)| instance != own));
        others.map(|(name, _)| name.clone()).collect()
    }
}
