//! Rows in memory with a fence, in place of Redis.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use windrow_connectors::file::JsonLinesSink;
use windrow_core::{FeatureView, Row, Window};
use windrow_engine::{
    ClaimOutcome, Epoch, FenceToken, FlushTicket, GrantedClaim, Halt, LostPartition, MissingRowsPolicy,
    OpeningAbandonment, Partition, PartitionClaim, PartitionLossReason, RowFence, Sink, StoredRows, ViewRowCount,
};

/// The rows and fences that all workers share.
#[derive(Clone, Default)]
pub(crate) struct MemoryRowStore(Arc<Mutex<RowStoreState>>);

#[derive(Clone, Default)]
struct RowStoreState {
    lines: Vec<u8>,
    fences: BTreeMap<Partition, (Epoch, Vec<ViewRowCount>)>,
    /// How often each row was written, by view, entity and window.
    write_counts: BTreeMap<(usize, String, Window), u64>,
    /// The newest window of every entity: what a reader sees where the key does not name the window.
    newest: BTreeMap<(Partition, usize, String), Window>,
    refused: u64,
    /// Whether a row may be written again, and an older one after a newer one.
    is_rewriting_allowed: bool,
    /// The owners that wrote rows which the store has lost since.
    owners_of_lost_rows: Vec<FenceToken>,
}

impl MemoryRowStore {
    /// Returns all rows as JSON lines, in the order of writing.
    pub(crate) fn lines(&self) -> String {
        String::from_utf8(self.0.lock().lines.clone()).expect("JSON lines")
    }

    /// Number of rows of former owners that the fence refused.
    pub(crate) fn refused_rows(&self) -> u64 {
        self.0.lock().refused
    }

    /// Copies the content to an independent store.
    pub(crate) fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.0.lock().clone())))
    }

    /// Accepts from now on that rows are written again, as is right after the source has lost records.
    pub(crate) fn allow_rewriting(&self) {
        self.0.lock().is_rewriting_allowed = true;
    }

    /// Loses everything, as a restarted Redis without persistence does.
    pub(crate) fn clear(&self) {
        *self.0.lock() = RowStoreState::default();
    }

    /// Goes back to `earlier`, a copy, as a failover to a replica that lags does.
    pub(crate) fn go_back_to(&self, earlier: &Self) {
        let earlier = earlier.0.lock().clone();
        let mut state = self.0.lock();
        let owners = state.fences.iter().map(|(&partition, &(epoch, _))| FenceToken { partition, epoch }).collect();
        *state = RowStoreState { owners_of_lost_rows: owners, ..earlier };
    }

    pub(crate) fn sink(&self, views: &[FeatureView], key: &str) -> MemorySink {
        let lines = JsonLineWriter(self.clone());
        let json = JsonLinesSink::new(Box::new(lines) as Box<dyn Write + Send>, "memory".to_owned(), views, key);
        MemorySink { store: self.clone(), json, lost: Vec::new() }
    }
}

struct JsonLineWriter(MemoryRowStore);

impl Write for JsonLineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.lock().lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl RowFence for MemoryRowStore {
    fn claim_partition(&self, claim: &PartitionClaim, _: &OpeningAbandonment) -> Result<ClaimOutcome, Halt> {
        let mut state = self.0.lock();
        let stored = state.fences.get(&claim.partition);
        if let Some((epoch, _)) = stored
            && *epoch >= claim.epoch
        {
            return Ok(ClaimOutcome::Stale(*epoch));
        }
        let stored_rows = stored.map(|(_, counts)| StoredRows { row_counts: counts.clone(), read_position: None });
        if claim.missing_rows == MissingRowsPolicy::RefuseClaim && claim.count_missing_rows(stored_rows.as_ref()) > 0 {
            return Ok(ClaimOutcome::RowsMissing { stored_rows });
        }
        let count = |wanted: &ViewRowCount| {
            let there = stored.and_then(|(_, counts)| counts.iter().find(|count| count.view == wanted.view));
            let rows = there
                .filter(|there| there.row_numbering_fingerprint == wanted.row_numbering_fingerprint)
                .map_or(0, |there| there.last_row_number);
            ViewRowCount { last_row_number: rows.max(wanted.last_row_number), ..wanted.clone() }
        };
        let counts: Vec<ViewRowCount> = claim.row_counts.iter().map(count).collect();
        let granted = counts.iter().map(|count| count.last_row_number).collect();
        state.fences.insert(claim.partition, (claim.epoch, counts));
        Ok(ClaimOutcome::Granted(GrantedClaim { last_written_row_number_by_view: granted, ..GrantedClaim::default() }))
    }
}

/// One worker's sink into the store.
pub(crate) struct MemorySink {
    store: MemoryRowStore,
    json: JsonLinesSink<Box<dyn Write + Send>>,
    lost: Vec<LostPartition>,
}

impl MemorySink {
    fn add_lost_partition(&mut self, fence_token: FenceToken, reason: PartitionLossReason) {
        if self.lost.iter().all(|lost| lost.fence_token != fence_token) {
            self.lost.push(LostPartition { fence_token, reason });
        }
    }
}

impl Sink for MemorySink {
    fn write_row(&mut self, origin: FenceToken, row: Row<'_>) {
        let mut state = self.store.0.lock();
        let why = match state.fences.get(&origin.partition) {
            _ if state.owners_of_lost_rows.contains(&origin) => Some(PartitionLossReason::StoreRewound),
            Some((epoch, _)) if *epoch == origin.epoch => None,
            Some((epoch, _)) if *epoch > origin.epoch => Some(PartitionLossReason::Fenced(*epoch)),
            _ => Some(PartitionLossReason::StoreRewound),
        };
        if let Some(why) = why {
            state.refused += 1;
            drop(state);
            self.add_lost_partition(origin, why);
            return;
        }
        let count = &mut state.fences.get_mut(&origin.partition).expect("looked at before").1[row.view_id.0];
        if row.row_number != 0 {
            assert_eq!(
                row.row_number,
                count.last_row_number + 1,
                "row {} of {} comes after row {}",
                row.row_number,
                count.view,
                count.last_row_number
            );
            count.last_row_number = row.row_number;
        }
        let is_rewriting_allowed = state.is_rewriting_allowed;
        let times = state.write_counts.entry((row.view_id.0, row.entity_key.to_owned(), row.window)).or_insert(0);
        *times += 1;
        let is_first = *times == 1;
        assert!(
            is_first || is_rewriting_allowed,
            "view {} of {:?} in {:?} was written twice",
            row.view_id.0,
            row.entity_key,
            row.window
        );
        let seen =
            state.newest.entry((origin.partition, row.view_id.0, row.entity_key.to_owned())).or_insert(row.window);
        assert!(
            seen.end <= row.window.end || is_rewriting_allowed,
            "{:?}: {:?} takes the place of {seen:?}",
            row.entity_key,
            row.window
        );
        *seen = row.window;
        drop(state);
        self.json.write_row(origin, row);
        // No row may stay in a buffer when a test clears the store.
        self.json.start_flush().expect("memory takes it");
    }

    fn verify_rows_at_next_flush(&mut self, origin: FenceToken) {
        if self.store.0.lock().owners_of_lost_rows.contains(&origin) {
            self.add_lost_partition(origin, PartitionLossReason::StoreRewound);
        }
    }

    fn start_flush(&mut self) -> Result<FlushTicket, Halt> {
        self.json.start_flush()
    }

    fn newest_acknowledged_flush(&self) -> FlushTicket {
        self.json.newest_acknowledged_flush()
    }

    fn take_lost_partitions(&mut self) -> Vec<LostPartition> {
        std::mem::take(&mut self.lost)
    }

    fn wait_for_ticket(&mut self, ticket: FlushTicket, timeout: Duration) -> Result<bool, Halt> {
        self.json.wait_for_ticket(ticket, timeout)
    }
}
