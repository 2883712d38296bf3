//! Remembers the newest report of each instance, and the names of all reports, marks and stop requests in the store.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use windrow_engine::ListedObject;

use super::object_names::{InstanceObjectKind, open_page_mark_name, parse_object_name};
use crate::report::InstanceReport;

/// While a page is open, an instance counts as gone if it has published no report for this long.
pub const INSTANCE_GONE_AFTER: Duration = Duration::from_secs(20);
/// The longest time between two reports of an instance while no page is open.
pub(super) const MAX_PUBLISH_INTERVAL: Duration = Duration::from_secs(60);
/// The time after the first mark of an open page after which every live instance has noticed it, and has published a
/// report.
const PAGE_NOTICE_TIME: Duration = Duration::from_secs(25);
/// A page counts as closed if nothing has asked for the reports for this long. The same holds for the page of another
/// instance, if its newest mark was first seen this long ago.
const PAGE_CLOSED_AFTER: Duration = Duration::from_secs(45);
/// An instance with an open page writes a new mark at this interval.
const MARK_RENEWAL_INTERVAL: Duration = Duration::from_secs(20);
/// The largest size of a report, in bytes. A larger report is ignored, so that it cannot exhaust the memory.
const MAX_REPORT_BYTES: u64 = 8 * 1024 * 1024;
/// The largest number of instances whose reports are read. The limit keeps a folder with very many reports from
/// exhausting the memory.
const MAX_PEER_REPORTS: usize = 256;

#[derive(Default)]
pub(super) struct KnownInstances {
    /// The reports, marks and stop requests that the store listed, by object name.
    seen_objects: BTreeMap<String, SeenObject>,
    /// The newest report of each instance, by instance id.
    newest_reports: BTreeMap<String, ReceivedReport>,
    is_refreshing: bool,
    last_refreshed_at: Option<Instant>,
    /// The beginning of the last refresh that listed the store and read every new report.
    last_complete_refresh_began_at: Option<Instant>,
    /// The id of this process, once a page has asked for the reports.
    pub(super) own_instance: Option<String>,
    /// When a page last asked for the reports.
    last_page_request_at: Option<Instant>,
    /// When a page asked for the reports after a time without an open page.
    page_opened_at: Option<Instant>,
    own_mark: Option<OwnPageMark>,
    /// Since when a mark of this process has been in the store without a break.
    marked_since: Option<Instant>,
    written_mark_count: u64,
}

/// The newest mark that this process has written.
struct OwnPageMark {
    object_name: String,
    written_at: Instant,
}

/// The mark of this process to write and the mark to delete, if any.
#[derive(Default)]
pub(super) struct MarkRenewal {
    pub(super) new_mark: Option<String>,
    pub(super) expired_mark: Option<String>,
}

/// How much a refresh read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RefreshCompleteness {
    AllReportsRead,
    SomeUnread,
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

    pub(super) fn is_refreshing(&self) -> bool {
        self.is_refreshing
    }

    /// Records the end of a refresh that began at `began_at`.
    pub(super) fn end_refresh(&mut self, began_at: Instant, completeness: RefreshCompleteness) {
        self.is_refreshing = false;
        self.last_refreshed_at = Some(Instant::now());
        if completeness == RefreshCompleteness::AllReportsRead {
            self.last_complete_refresh_began_at = Some(began_at);
        }
    }

    /// Returns whether the reports of some instances may not have been read: since the page was opened, or for so long
    /// that reports read before count as old.
    pub(super) fn has_unread_instances(&self) -> bool {
        self.last_complete_refresh_began_at.is_none_or(|began_at| {
            self.page_opened_at.is_some_and(|opened_at| began_at < opened_at)
                || began_at.elapsed() >= INSTANCE_GONE_AFTER
        })
    }

    /// Returns how long ago a page was opened.
    pub(super) fn time_since_page_opened(&self) -> Duration {
        self.page_opened_at.map_or(Duration::ZERO, |opened_at| opened_at.elapsed())
    }

    /// Records that a page of this process asks for the reports of all instances.
    pub(super) fn record_page_request(&mut self, own_instance: &str) {
        self.own_instance.get_or_insert_with(|| own_instance.to_owned());
        let now = Instant::now();
        if !self.has_own_open_page() {
            self.page_opened_at = Some(now);
        }
        self.last_page_request_at = Some(now);
    }

    /// Returns whether a page of this process shows the reports.
    pub(super) fn has_own_open_page(&self) -> bool {
        self.last_page_request_at.is_some_and(|at| at.elapsed() < PAGE_CLOSED_AFTER)
    }

    /// Returns whether a page of this process or of another instance shows the reports.
    pub(super) fn is_page_open(&self, own_instance: &str) -> bool {
        let is_mark_of_other = |name: &str| {
            let parsed = parse_object_name(name);
            parsed.is_some_and(|(instance, kind)| {
                instance != own_instance && matches!(kind, InstanceObjectKind::OpenPageMark(_))
            })
        };
        let mut recent = self.seen_objects.iter().filter(|(_, seen)| seen.first_seen_at.elapsed() < PAGE_CLOSED_AFTER);
        self.has_own_open_page() || recent.any(|(name, _)| is_mark_of_other(name))
    }

    /// Decides which mark of this process is due to be written or deleted. A process without other instances writes none.
    pub(super) fn renew_mark(&mut self, own_instance: &str) -> MarkRenewal {
        let is_other = |name: &String| parse_object_name(name).is_some_and(|(instance, _)| instance != own_instance);
        let is_wanted = self.has_own_open_page() && self.seen_objects.keys().any(is_other);
        let is_recent = |mark: &OwnPageMark| mark.written_at.elapsed() < MARK_RENEWAL_INTERVAL;
        if is_wanted && self.own_mark.as_ref().is_some_and(is_recent) {
            return MarkRenewal::default();
        }
        let expired_mark = self.own_mark.take().map(|mark| mark.object_name);
        if !is_wanted {
            self.marked_since = None;
            return MarkRenewal { new_mark: None, expired_mark };
        }
        self.written_mark_count += 1;
        let object_name = open_page_mark_name(own_instance, self.written_mark_count);
        self.own_mark = Some(OwnPageMark { object_name: object_name.clone(), written_at: Instant::now() });
        MarkRenewal { new_mark: Some(object_name), expired_mark }
    }

    /// Records that the store has taken the newest mark.
    pub(super) fn record_written_mark(&mut self) {
        self.marked_since.get_or_insert_with(Instant::now);
    }

    /// Replaces the known objects by `listed`, the objects that the store contains now.
    pub(super) fn update_objects(&mut self, listed: &[ListedObject]) {
        let now = Instant::now();
        let mut seen = BTreeMap::new();
        for object in listed.iter().filter(|object| parse_object_name(&object.object_name).is_some()) {
            let known = self.seen_objects.remove(&object.object_name).unwrap_or(SeenObject { first_seen_at: now });
            seen.insert(object.object_name.clone(), known);
        }
        self.seen_objects = seen;
    }

    /// Returns the object name of each instance's newest report in `listed`, unless this process has read this report
    /// already. Forgets the reports of instances that have none in `listed`.
    pub(super) fn list_unread_reports(&mut self, listed: &[ListedObject]) -> Vec<String> {
        let mut newest: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
        for object in listed {
            let Some((instance, kind)) = parse_object_name(&object.object_name) else { continue };
            if let InstanceObjectKind::Report(number) = kind
                && object.object_byte_count <= MAX_REPORT_BYTES
            {
                let entry = newest.entry(instance).or_insert((number, &object.object_name));
                if number >= entry.0 {
                    *entry = (number, &object.object_name);
                }
            }
        }
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

    /// Returns whether a report of the instance is known to which the object with the name `name` belongs.
    pub(super) fn has_report_of_same_instance(&self, name: &str) -> bool {
        parse_object_name(name).is_some_and(|(instance, _)| self.newest_reports.contains_key(instance))
    }

    /// Returns the newest report of each live instance. Until the other instances have noticed the open page, their
    /// reports may be as old as the longest time between two reports.
    pub(super) fn live_reports(&self) -> Vec<InstanceReport> {
        let is_noticed =
            self.has_own_open_page() && self.marked_since.is_some_and(|at| at.elapsed() >= PAGE_NOTICE_TIME);
        let max_age = if is_noticed { INSTANCE_GONE_AFTER } else { MAX_PUBLISH_INTERVAL + INSTANCE_GONE_AFTER };
        let is_live =
            |received: &&ReceivedReport| received.received_at.elapsed() + received.age_when_received < max_age;
        self.newest_reports.values().filter(is_live).map(|received| received.report.clone()).collect()
    }

    /// Returns the ids of all other instances that have a report in the store, also of those that may have ended.
    pub(super) fn other_instances(&self, own_instance: &str) -> BTreeSet<String> {
        let reports = self.seen_objects.keys().filter_map(|name| match parse_object_name(name)? {
            (instance, InstanceObjectKind::Report(_)) => Some(instance),
            (_, InstanceObjectKind::StopRequest | InstanceObjectKind::OpenPageMark(_)) => None,
        });
        reports.filter(|instance| *instance != own_instance).map(str::to_owned).collect()
    }

    pub(super) fn has_object(&self, name: &str) -> bool {
        self.seen_objects.contains_key(name)
    }

    /// Returns the names of other instances' reports and stop requests that this process first saw at least `min_age`
    /// ago. The instance of such a report is gone, because a live instance replaces its report at least once a minute.
    pub(super) fn stale_object_names(&self, own_instance: &str, min_age: Duration) -> Vec<String> {
        let stale = self.seen_objects.iter().filter(|(_, seen)| seen.first_seen_at.elapsed() >= min_age);
        let of_others =
            stale.filter(|(name, _)| parse_object_name(name).is_some_and(|(instance, _)| instance != own_instance));
        of_others.map(|(name, _)| name.clone()).collect()
    }
}
