//! Reads the reports of the job's other instances, and asks those instances to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::warn;
use windrow_engine::{CheckpointStore, StoreFault};

use super::known_instances::{KnownInstances, MarkRenewal, RefreshCompleteness};
use super::object_names::{INSTANCES_FOLDER, stop_request_object_name};
use crate::report::{InstanceReport, RequestedSavepointReport};

/// A page reads the reports from the checkpoint store only if this process last finished reading them at least this
/// long ago.
const MIN_PAGE_REFRESH_INTERVAL: Duration = Duration::from_secs(2);
/// The longest time that a page waits for the checkpoint store.
const MAX_PAGE_STORE_WAIT: Duration = Duration::from_millis(300);
/// After a page was opened, requests wait this long for the first complete reading of the reports: before it, a page would
/// show a part of the job.
const MAX_FIRST_STORE_WAIT: Duration = Duration::from_secs(8);

/// The largest number of reports that a refresh reads side by side.
const MAX_CONCURRENT_REPORT_READS: usize = 16;

/// The instances of the job whose reports are in the checkpoint store. Clones share the same data.
#[derive(Clone)]
pub struct PeerInstances {
    known_instances: Arc<Mutex<KnownInstances>>,
    /// Wakes the pages that wait for the end of a refresh.
    refresh_ends: Arc<watch::Sender<()>>,
}

impl Default for PeerInstances {
    fn default() -> Self {
        Self { known_instances: Arc::default(), refresh_ends: Arc::new(watch::Sender::new(())) }
    }
}

/// A refresh that reads the reports. Dropping it ends the refresh, also after a panic, so that the next one can begin.
struct RunningRefresh<'a> {
    known_instances: &'a Mutex<KnownInstances>,
    began_at: Instant,
    completeness: RefreshCompleteness,
}

impl Drop for RunningRefresh<'_> {
    fn drop(&mut self) {
        self.known_instances.lock().end_refresh(self.began_at, self.completeness);
    }
}

/// The newest reports of the live instances.
pub(crate) struct LiveReports {
    pub(crate) reports: Vec<InstanceReport>,
    /// Whether further instances may exist, whose reports have not been read yet.
    pub(crate) has_unread_instances: bool,
}

impl PeerInstances {
    /// Returns the newest report of each live instance, including this process, sorted by instance id. Calls
    /// `own_instance`, which returns the id of this process, at the first time only.
    pub(crate) async fn read_live_reports(
        &self,
        store: &Arc<dyn CheckpointStore>,
        own_instance: impl FnOnce() -> String,
    ) -> LiveReports {
        let own_instance = self.lock_known_instances().own_instance.clone().unwrap_or_else(own_instance);
        self.lock_known_instances().record_page_request(&own_instance);
        let mut refresh_ends = self.refresh_ends.subscribe();
        if self.lock_known_instances().try_begin_refresh(MIN_PAGE_REFRESH_INTERVAL) {
            let (peers, store) = (self.clone(), Arc::clone(store));
            // After the timeout, the refresh continues in the background, so that the next page can show the result of
            // the refresh.
            tokio::task::spawn_blocking(move || {
                drop(peers.refresh_reports(&*store));
                peers.refresh_ends.send_replace(());
                peers.renew_mark(&*store, &own_instance);
            });
        }
        let (is_refreshing, store_wait) = {
            let known = self.lock_known_instances();
            let store_wait = compute_store_wait(known.has_unread_instances(), known.time_since_page_opened());
            (known.is_refreshing(), store_wait)
        };
        if is_refreshing {
            let _ = timeout(store_wait, refresh_ends.changed()).await;
        }
        let known = self.lock_known_instances();
        LiveReports { reports: known.live_reports(), has_unread_instances: known.has_unread_instances() }
    }

    /// Records that other instances may soon ask for the report of this process, whose id is `own_instance`.
    pub(crate) fn expect_report_requests(&self, own_instance: &str) {
        self.lock_known_instances().record_page_request(own_instance);
    }

    /// Returns the report about the savepoint whose request has the name `request_name`, if a live instance has
    /// published such a report.
    pub(crate) fn find_savepoint_report(&self, request_name: &str) -> Option<RequestedSavepointReport> {
        let live = self.lock_known_instances().live_reports();
        live.into_iter()
            .flat_map(|report| report.requested_savepoints)
            .find(|savepoint| savepoint.request_name == request_name)
    }

    /// Writes a stop request for every instance except `own_instance` that has a report in the store, however old.
    pub(crate) fn request_stop_of_others(&self, store: &dyn CheckpointStore, own_instance: &str) {
        if let Err(fault) = self.refresh_object_names(store) {
            warn!(%fault, "cannot list the other instances; only the known ones are asked to stop");
        }
        // Copy the ids, so that the lock is released before the stop requests are written to the store.
        let others = self.lock_known_instances().other_instances(own_instance);
        others.iter().for_each(|other| Self::write_stop_request(store, other));
    }

    fn write_stop_request(store: &dyn CheckpointStore, instance: &str) {
        match store.create_object(&stop_request_object_name(instance), b"stop\n".to_vec()) {
            Ok(()) | Err(StoreFault::Exists) => {}
            Err(fault) => warn!(instance, %fault, "cannot write the request to stop another instance"),
        }
    }

    /// Lists the reports, marks and stop requests of all instances, and reads no report.
    ///
    /// # Errors
    /// Fails if the objects in the store cannot be listed.
    pub(super) fn refresh_object_names(&self, store: &dyn CheckpointStore) -> Result<(), StoreFault> {
        let listed = store.list_objects(INSTANCES_FOLDER)?;
        self.lock_known_instances().update_objects(&listed);
        Ok(())
    }

    /// Writes a new mark of an open page of this process if one is due, and deletes an old one.
    pub(super) fn renew_mark(&self, store: &dyn CheckpointStore, own_instance: &str) {
        let MarkRenewal { new_mark, expired_mark } = self.lock_known_instances().renew_mark(own_instance);
        // If a call fails, the next mark takes its place, and the other instances delete the old one after ten minutes.
        if let Some(name) = new_mark
            && store.create_object(&name, b"page\n".to_vec()).is_ok()
        {
            self.lock_known_instances().record_written_mark();
        }
        if let Some(name) = expired_mark {
            let _ = store.delete_objects(&[name]);
        }
    }

    /// Lists the objects of all instances, and reads the new reports side by side.
    ///
    /// # Errors
    /// Fails if the objects in the store cannot be listed.
    fn refresh_reports(&self, store: &dyn CheckpointStore) -> Result<(), StoreFault> {
        let mut refresh = RunningRefresh {
            known_instances: &self.known_instances,
            began_at: Instant::now(),
            completeness: RefreshCompleteness::SomeUnread,
        };
        let listed = store.list_objects(INSTANCES_FOLDER);
        let new_reports = match &listed {
            Ok(listed) => {
                let mut known = self.lock_known_instances();
                known.update_objects(listed);
                known.list_unread_reports(listed)
            }
            Err(_) => Vec::new(),
        };
        let unread_count = AtomicUsize::new(0);
        let next_report = AtomicUsize::new(0);
        let read_reports = || {
            while let Some(name) = new_reports.get(next_report.fetch_add(1, Ordering::Relaxed)) {
                // An instance deletes its report after it has published a newer one, or at its end. So a listed
                // report may be missing here. The next refresh reads the newer report, if one exists.
                match store.read_object(name) {
                    Ok(Some(object)) => self.lock_known_instances().record_report(name, &object),
                    Ok(None) if self.lock_known_instances().has_report_of_same_instance(name) => {}
                    Ok(None) | Err(_) => drop(unread_count.fetch_add(1, Ordering::Relaxed)),
                }
            }
        };
        std::thread::scope(|scope| {
            // This thread reads too. So the reports are also read if the operating system refuses further threads.
            for _ in 1..new_reports.len().min(MAX_CONCURRENT_REPORT_READS) {
                if let Err(error) = std::thread::Builder::new().spawn_scoped(scope, read_reports) {
                    warn!(%error, "cannot start a thread that reads the reports of other instances");
                    break;
                }
            }
            read_reports();
        });
        if listed.is_ok() && unread_count.into_inner() == 0 {
            refresh.completeness = RefreshCompleteness::AllReportsRead;
        }
        drop(refresh);
        listed.map(drop)
    }

    pub(super) fn lock_known_instances(&self) -> MutexGuard<'_, KnownInstances> {
        self.known_instances.lock()
    }
}

/// Returns how long a request of a page that was opened `since_opened` ago waits for the store.
fn compute_store_wait(has_unread_instances: bool, since_opened: Duration) -> Duration {
    let first_wait = if has_unread_instances { MAX_FIRST_STORE_WAIT } else { Duration::ZERO };
    first_wait.saturating_sub(since_opened).max(MAX_PAGE_STORE_WAIT)
}

#[cfg(test)]
mod tests {
    use windrow_engine::ListedObject;
    use windrow_engine::halt::share_error;

    use super::super::object_names::report_object_name;
    use super::*;

    /// A store with the reports of the instance `a`, the newest of which may have been deleted since the store listed it.
    #[derive(Debug)]
    struct ReportStore {
        listed: Result<Vec<String>, StoreFault>,
        existing: Vec<String>,
    }

    impl CheckpointStore for ReportStore {
        fn create_object(&self, _: &str, _: Vec<u8>) -> Result<(), StoreFault> {
            Ok(())
        }

        fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
            let report = InstanceReport { instance_id: "a".to_owned(), ..InstanceReport::default() };
            let is_there = self.existing.iter().any(|existing| existing == name);
            Ok(is_there.then(|| serde_json::to_vec(&report).expect("JSON")))
        }

        fn list_objects(&self, _: &str) -> Result<Vec<ListedObject>, StoreFault> {
            let object = |name: &String| ListedObject { object_name: name.clone(), object_byte_count: 1 };
            self.listed.as_ref().map(|names| names.iter().map(object).collect()).map_err(StoreFault::clone)
        }

        fn delete_objects(&self, _: &[String]) -> Result<(), StoreFault> {
            Ok(())
        }

        fn place(&self) -> &'static str {
            "reports:"
        }
    }

    fn report_names(numbers: &[u64]) -> Vec<String> {
        numbers.iter().map(|&number| report_object_name("a", number)).collect()
    }

    /// An instance replaces its report between the list and the read. The page knows an older report of it.
    #[test]
    fn a_report_that_is_replaced_while_a_page_reads_it_counts_as_read() {
        for (known, is_unread) in [(&[1][..], false), (&[], true)] {
            let peers = PeerInstances::default();
            let before = ReportStore { listed: Ok(report_names(known)), existing: report_names(known) };
            peers.refresh_reports(&before).expect("listed");
            peers.lock_known_instances().record_page_request("own");
            assert!(peers.lock_known_instances().has_unread_instances(), "the page has read nothing yet");
            let replaced = ReportStore { listed: Ok(report_names(&[2])), existing: report_names(&[3]) };
            peers.refresh_reports(&replaced).expect("listed");
            assert_eq!(peers.lock_known_instances().has_unread_instances(), is_unread, "known: {known:?}");
        }
    }

    #[test]
    fn a_page_has_read_all_instances_once_a_refresh_has_read_all_reports() {
        let peers = PeerInstances::default();
        let has_unread = || peers.lock_known_instances().has_unread_instances();
        peers.lock_known_instances().record_page_request("own");
        let listed = Err(StoreFault::Failed(share_error("no answer")));
        peers.refresh_reports(&ReportStore { listed, existing: Vec::new() }).expect_err("no list");
        assert!(has_unread(), "the store has listed nothing");
        let reports = ReportStore { listed: Ok(report_names(&[1])), existing: report_names(&[1]) };
        peers.refresh_reports(&reports).expect("listed");
        assert!(!has_unread());
        peers.lock_known_instances().record_page_request("own");
        assert!(!has_unread(), "the page is still open");
    }

    #[test]
    fn a_page_waits_longer_for_the_store_until_it_has_read_all_instances() {
        let wait_ms = |has_unread, since_opened_ms| {
            compute_store_wait(has_unread, Duration::from_millis(since_opened_ms)).as_millis()
        };
        assert_eq!([wait_ms(true, 0), wait_ms(true, 3_000), wait_ms(true, 60_000)], [8_000, 5_000, 300]);
        assert_eq!([wait_ms(false, 0), wait_ms(false, 60_000)], [300, 300]);
    }
}
