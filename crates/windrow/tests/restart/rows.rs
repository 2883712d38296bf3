//! A store of rows in memory, with a fence.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use windrow_connectors::file::JsonLinesSink;
use windrow_core::{FeatureView, Row, Window};
use windrow_engine::{Claim, Claimed, Epoch, Fence, Halt, Loss, Lost, Origin, Partition, RowCount, Sink, Ticket};

/// What all workers share.
#[derive(Clone, Default)]
pub(crate) struct RowStore(Arc<Mutex<State>>);

#[derive(Clone, Default)]
struct State {
    lines: Vec<u8>,
    fences: BTreeMap<Partition, (Epoch, Vec<RowCount>)>,
    /// Every row there is: view, entity, window.
    written: BTreeMap<(usize, String, Window), u64>,
    /// The newest window of every entity in views whose key names no window: what a reader sees last.
    newest: BTreeMap<(Partition, usize, String), Window>,
    refused: u64,
}

impl RowStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All rows as JSON lines, as they were written.
    pub(crate) fn lines(&self) -> String {
        String::from_utf8(self.state().lines.clone()).expect("JSON lines")
    }

    /// Rows of former owners that were turned away.
    pub(crate) fn refused(&self) -> u64 {
        self.state().refused
    }

    /// A store of its own with the same content.
    pub(crate) fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.state().clone())))
    }

    /// Loses everything, as a Redis without persistence does.
    pub(crate) fn empty(&self) {
        *self.state() = State::default();
    }

    pub(crate) fn sink(&self, views: &[FeatureView], key: &str) -> MemorySink {
        let lines = Lines(self.clone());
        let json = JsonLinesSink::new(Box::new(lines) as Box<dyn Write + Send>, "memory".to_owned(), views, key);
        MemorySink { store: self.clone(), json, lost: Vec::new() }
    }
}

struct Lines(RowStore);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.state().lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Fence for RowStore {
    fn claim(&self, claim: &Claim) -> Result<Claimed, Halt> {
        let mut state = self.state();
        let stored = state.fences.get(&claim.partition);
        if let Some((epoch, _)) = stored
            && *epoch >= claim.epoch
        {
            return Ok(Claimed::Stale(*epoch));
        }
        let count = |wanted: &RowCount| {
            let there = stored.and_then(|(_, counts)| counts.iter().find(|count| count.view == wanted.view));
            let rows = there.filter(|there| there.beginning == wanted.beginning).map_or(0, |there| there.rows);
            RowCount { rows: rows.max(wanted.rows), ..wanted.clone() }
        };
        let counts: Vec<RowCount> = claim.counts.iter().map(count).collect();
        let granted = counts.iter().map(|count| count.rows).collect();
        state.fences.insert(claim.partition, (claim.epoch, counts));
        Ok(Claimed::Granted(granted))
    }
}

/// One worker's side.
pub(crate) struct MemorySink {
    store: RowStore,
    json: JsonLinesSink<Box<dyn Write + Send>>,
    lost: Vec<Lost>,
}

impl Sink for MemorySink {
    fn row(&mut self, origin: Origin, row: Row<'_>) {
        let mut state = self.store.state();
        let why = match state.fences.get(&origin.partition) {
            Some((epoch, _)) if *epoch == origin.epoch => None,
            Some((epoch, _)) if *epoch > origin.epoch => Some(Loss::Fenced(*epoch)),
            _ => Some(Loss::Rewound),
        };
        if let Some(why) = why {
            state.refused += 1;
            if self.lost.iter().all(|lost| lost.origin != origin) {
                self.lost.push(Lost { origin, why });
            }
            return;
        }
        let count = &mut state.fences.get_mut(&origin.partition).expect("looked at before").1[row.view.0];
        if row.number != 0 {
            assert_eq!(
                row.number,
                count.rows + 1,
                "row {} of {} comes after row {}",
                row.number,
                count.view,
                count.rows
            );
            count.rows = row.number;
        }
        let times = state.written.entry((row.view.0, row.key.to_owned(), row.window)).or_insert(0);
        *times += 1;
        assert_eq!(*times, 1, "view {} of {:?} in {:?} was written twice", row.view.0, row.key, row.window);
        let seen = state.newest.entry((origin.partition, row.view.0, row.key.to_owned())).or_insert(row.window);
        assert!(seen.end <= row.window.end, "{:?}: {:?} takes the place of {seen:?}", row.key, row.window);
        *seen = row.window;
        drop(state);
        self.json.row(origin, row);
        // Nothing waits in a buffer when the store is emptied.
        self.json.flush().expect("memory takes it");
    }

    fn flush(&mut self) -> Result<Ticket, Halt> {
        self.json.flush()
    }

    fn acknowledged(&self) -> Ticket {
        self.json.acknowledged()
    }

    fn lost(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.lost)
    }

    fn wait(&mut self, ticket: Ticket, patience: Duration) -> Result<bool, Halt> {
        self.json.wait(ticket, patience)
    }
}
