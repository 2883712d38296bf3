//! Asking Redis for a user's rows, not too often.
//!
//! A view whose key names no window has one row, read directly. The others' keys are found by looking at every key of the
//! database: at most every five seconds for a user, or when a row of theirs was written since.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::timeout;
use windrow_connectors::redis::{FoundRow, read_features};
use windrow_core::ViewId;
use windrow_spec::View;

use crate::Console;

/// How long rows found by a scan are shown.
const SCAN_EVERY: Duration = Duration::from_secs(5);
/// How many questions Redis is asked at a time.
const AT_A_TIME: usize = 4;
/// Users whose scans are remembered.
const REMEMBERED: usize = 64;
/// How long a page waits for Redis.
const PATIENCE: Duration = Duration::from_secs(4);

/// The questions under way, and what scans found.
#[derive(Clone)]
pub struct Lookups {
    permits: Arc<Semaphore>,
    scans: Arc<Mutex<HashMap<String, Scan>>>,
}

#[derive(Clone)]
struct Scan {
    at: Instant,
    /// The newest row of the user that was known to be written then.
    newest_ms: Option<i64>,
    rows: Vec<FoundRow>,
}

impl Default for Lookups {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(AT_A_TIME)), scans: Arc::default() }
    }
}

impl Lookups {
    /// The rows of `user`, by view; `newest_ms`: when the newest row of theirs that is known here was written.
    ///
    /// # Errors
    /// Why Redis was not asked, or what it answered; without secrets.
    pub(super) async fn rows(
        &self,
        console: &Arc<Console>,
        user: &str,
        newest_ms: Option<i64>,
    ) -> Result<Vec<FoundRow>, String> {
        let known = self.scans().get(user).cloned();
        let known = known.filter(|scan| scan.at.elapsed() < SCAN_EVERY && scan.newest_ms == newest_ms);
        let with_scan = known.is_none();
        let permits = Arc::clone(&self.permits);
        let (console, name) = (Arc::clone(console), user.to_owned());
        let ask = async {
            let permit = permits.acquire_owned().await;
            // Goes on where nobody waits any more, but keeps its place: Redis is never asked by more.
            let read = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                read(&console, &name, with_scan)
            });
            read.await.unwrap_or_else(|error| Err(format!("the question broke down: {error}")))
        };
        let mut rows = timeout(PATIENCE, ask).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))?;
        match known {
            Some(scan) => rows.extend(scan.aged()),
            None => self.remember(console_views(&rows), user, newest_ms),
        }
        rows.sort_by_key(|row| row.view);
        Ok(rows)
    }

    fn remember(&self, rows: Vec<FoundRow>, user: &str, newest_ms: Option<i64>) {
        let mut scans = self.scans();
        if scans.len() >= REMEMBERED {
            scans.retain(|_, scan| scan.at.elapsed() < SCAN_EVERY);
        }
        if scans.len() < REMEMBERED {
            scans.insert(user.to_owned(), Scan { at: Instant::now(), newest_ms, rows });
        }
    }

    fn scans(&self) -> MutexGuard<'_, HashMap<String, Scan>> {
        self.scans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scan {
    /// The rows found, as they must be by now; without those that Redis has forgotten since.
    fn aged(self) -> impl Iterator<Item = FoundRow> {
        let passed = i64::try_from(self.at.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.rows.into_iter().filter_map(move |mut row| {
            row.age_ms = row.age_ms.map(|age| age.saturating_add(passed));
            row.ttl_left_ms = row.ttl_left_ms.map(|left| left - passed);
            row.ttl_left_ms.is_none_or(|left| left > 0).then_some(row)
        })
    }
}

fn console_views(rows: &[FoundRow]) -> Vec<FoundRow> {
    rows.iter().filter(|row| row.window.start.is_some() || row.window.end.is_some()).cloned().collect()
}

/// Reads the rows of the views whose keys name no window, and `with_scan` of the others too.
fn read(console: &Console, user: &str, with_scan: bool) -> Result<Vec<FoundRow>, String> {
    let pipeline = &console.pipeline;
    let asked = pipeline.views.iter().enumerate().filter(|(_, view)| with_scan || !view.key.has_window());
    let (places, views): (Vec<usize>, Vec<View>) = asked.map(|(place, view)| (place, view.clone())).unzip();
    let found = read_features(&pipeline.sink.url, &views, &pipeline.event.schema, user);
    let mut rows = found.map_err(|error| error.to_string())?;
    for row in &mut rows {
        row.view = ViewId(places[row.view.0]);
    }
    Ok(rows)
}
