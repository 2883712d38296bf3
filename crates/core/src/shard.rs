//! The shard: the state machine of one partition.
//!
//! Owns: the watermark and every view's state for the entities of one partition. Does not own: offsets, records, rows
//! once they are emitted, or any time but event time.
//! Invariants: (1) events are processed one by one; the windows that an event closes fire before the next event (window
//! rule 3); (2) the same events in the same order give the same rows in the same order, in every run.
//! After a crash: a shard is restored from the last snapshot that was kept ([`crate::ShardRestore`]), and processes the events
//! behind it again.

use crate::aggregate::FeatureAggregators;
use crate::entity_table::{EntityTable, HashKey};
use crate::event::{Event, EventSchema};
use crate::row::{LateEvent, Row, ShardOutput, ViewId};
use crate::session::SessionState;
use crate::sliding::SlidingState;
use crate::snapshot::encoding::DamagedSnapshot;
use crate::snapshot::format::{ENTITY_KEY_TABLE, ShardMetadata, SnapshotResult, SnapshotScope, view_table};
use crate::snapshot::slots::{RestorePermit, SlotRecords};
use crate::time::EventTime;
use crate::view::{FeatureView, WindowKind};
use crate::watermark::Watermark;

/// The state of one partition.
#[derive(Debug)]
pub struct Shard {
    pub(crate) watermark: Watermark,
    pub(crate) entities: EntityTable,
    pub(crate) views: Vec<ViewState>,
}

#[derive(Debug)]
pub(crate) struct ViewState {
    aggregators: FeatureAggregators,
    windows: WindowState,
    /// Number of rows emitted so far.
    emitted_rows: u64,
}

#[derive(Debug)]
enum WindowState {
    Sliding(SlidingState),
    Session(SessionState),
}

impl Shard {
    /// Creates an empty shard for `views` over events of `schema`. Its watermark is `max_out_of_orderness_ms` behind the
    /// latest event time.
    #[must_use]
    pub fn new<'a>(
        views: impl IntoIterator<Item = &'a FeatureView>,
        schema: &EventSchema,
        max_out_of_orderness_ms: i64,
        hash_key: HashKey,
    ) -> Self {
        let views = views
            .into_iter()
            .map(|view| {
                let aggregators = FeatureAggregators::new(&view.features, schema);
                let windows = match view.window {
                    WindowKind::Sliding { size_ms, slide_ms } => {
                        WindowState::Sliding(SlidingState::new(size_ms, slide_ms, &aggregators))
                    }
                    WindowKind::Session { gap_ms } => WindowState::Session(SessionState::new(gap_ms)),
                };
                ViewState { aggregators, windows, emitted_rows: 0 }
            })
            .collect();
        Self { watermark: Watermark::new(max_out_of_orderness_ms), entities: EntityTable::new(hash_key), views }
    }

    /// Processes one event: adds it to its windows, moves the watermark, and fires the windows that this closes.
    pub fn process_event(&mut self, event: &Event<'_>, out: &mut impl ShardOutput) {
        let slot = self.entities.find_or_assign_slot(event.key);
        let watermark = self.watermark.time();
        for (index, view) in self.views.iter_mut().enumerate() {
            let (aggregators, entities) = (&view.aggregators, &mut self.entities);
            let on_time = match &mut view.windows {
                WindowState::Sliding(state) => state.add_event(aggregators, entities, slot, event, watermark),
                WindowState::Session(state) => state.add_event(aggregators, entities, slot, event, watermark),
            };
            if !on_time {
                out.emit_late_event(LateEvent { view: ViewId(index), key: event.key, time: event.time });
            }
        }
        self.entities.release_if_unused(slot);
        self.watermark.observe(event.time);
        self.fire_due_windows(out);
    }

    /// Ends bounded input: the watermark moves to +∞ and all remaining windows fire (window rule 6).
    pub fn finish_input(&mut self, out: &mut impl ShardOutput) {
        self.watermark.advance_to_end();
        let counted: Vec<u64> = self.views.iter().map(|view| view.emitted_rows).collect();
        self.fire_due_windows(&mut UnnumberedOutput(out));
        self.views.iter_mut().zip(counted).for_each(|(view, rows)| view.emitted_rows = rows);
    }

    /// Prepares for new input after [`Self::finish_input`]. Row numbers continue. The next snapshot must hold everything: the
    /// watermark that says which state of older layers has gone is reset.
    pub fn restart_input(&mut self) {
        self.watermark.restore(Watermark::BEFORE_ALL);
    }

    /// Returns the watermark, or `None` before the first event.
    #[must_use]
    pub fn watermark(&self) -> Option<EventTime> {
        (self.watermark.time() != Watermark::BEFORE_ALL).then_some(self.watermark.time())
    }

    /// Returns the number of entities with state.
    #[must_use]
    pub fn entity_count(&self) -> usize {
        self.entities.len()
    }

    /// Returns the number of entities with state in each view.
    pub fn entity_counts_by_view(&self) -> impl Iterator<Item = usize> {
        self.views.iter().map(|view| match &view.windows {
            WindowState::Sliding(state) => state.entity_count(),
            WindowState::Session(state) => state.entity_count(),
        })
    }

    /// Returns the state outside the slots, which belongs to a snapshot that begins now.
    #[must_use]
    pub fn metadata(&self) -> ShardMetadata {
        #[allow(clippy::cast_possible_truncation)] // slots are 32 bits wide
        ShardMetadata {
            watermark: self.watermark(),
            slot_count: self.entities.slots.len() as u32,
            entity_count: self.entity_count(),
            emitted_rows: self.views.iter().map(|view| view.emitted_rows).collect(),
        }
    }

    /// Begins a snapshot of the state as it is now, of which [`Self::metadata`] is a part. Discards one that is still running.
    pub fn begin_snapshot(&mut self, scope: SnapshotScope) {
        self.end_snapshot(SnapshotResult::Discarded);
        self.entities.slots.begin_snapshot(scope);
        for view in &mut self.views {
            match &mut view.windows {
                WindowState::Sliding(state) => state.slots.begin_snapshot(scope),
                WindowState::Session(state) => state.slots.begin_snapshot(scope),
            }
        }
    }

    /// Continues the running snapshot until everything is saved, or about `limit` bytes are saved and not yet taken. Returns
    /// whether everything is saved.
    pub fn continue_snapshot(&mut self, limit: usize) -> bool {
        let mut room = limit.saturating_sub(self.entities.slots.buffered_bytes());
        for view in &self.views {
            room = room.saturating_sub(match &view.windows {
                WindowState::Sliding(state) => state.slots.buffered_bytes(),
                WindowState::Session(state) => state.slots.buffered_bytes(),
            });
        }
        while room > 0 {
            let Some(saved) = self.entities.slots.save_next_slot(&()) else {
                return self.views.iter_mut().all(|view| view.save_slots(&mut room));
            };
            room = room.saturating_sub(saved);
        }
        false
    }

    /// Moves the bytes saved so far to the end of `out`.
    pub fn take_snapshot_bytes(&mut self, out: &mut Vec<u8>) {
        self.entities.slots.take_snapshot_block(ENTITY_KEY_TABLE, out);
        for (index, view) in self.views.iter_mut().enumerate() {
            match &mut view.windows {
                WindowState::Sliding(state) => state.slots.take_snapshot_block(view_table(index), out),
                WindowState::Session(state) => state.slots.take_snapshot_block(view_table(index), out),
            }
        }
    }

    /// Ends the running snapshot, whether complete or not.
    pub fn end_snapshot(&mut self, result: SnapshotResult) {
        self.entities.slots.end_snapshot(result);
        for view in &mut self.views {
            match &mut view.windows {
                WindowState::Sliding(state) => state.slots.end_snapshot(result),
                WindowState::Session(state) => state.slots.end_snapshot(result),
            }
        }
    }

    fn fire_due_windows(&mut self, out: &mut impl ShardOutput) {
        let watermark = self.watermark.time();
        for (index, view) in self.views.iter_mut().enumerate() {
            let (aggregators, entities) = (&view.aggregators, &mut self.entities);
            let out = &mut NumberingOutput { inner: out, emitted_rows: &mut view.emitted_rows };
            match &mut view.windows {
                WindowState::Sliding(state) if state.next_due() <= watermark => {
                    state.fire_due_windows(ViewId(index), aggregators, entities, watermark, out);
                }
                WindowState::Session(state) if state.next_due() <= watermark => {
                    state.fire_due_sessions(ViewId(index), aggregators, entities, watermark, out);
                }
                WindowState::Sliding(_) | WindowState::Session(_) => {}
            }
        }
    }
}

impl ViewState {
    /// Saves slots while there is `room`. Returns whether all slots are saved.
    fn save_slots(&mut self, room: &mut usize) -> bool {
        while *room > 0 {
            let saved = match &mut self.windows {
                WindowState::Sliding(state) => state.slots.save_next_slot(&self.aggregators),
                WindowState::Session(state) => state.slots.save_next_slot(&self.aggregators),
            };
            let Some(saved) = saved else { return true };
            *room = room.saturating_sub(saved);
        }
        false
    }

    /// Loads the records of a block of a snapshot.
    pub(crate) fn load_records(&mut self, records: SlotRecords<'_>) -> Result<(), DamagedSnapshot> {
        match &mut self.windows {
            WindowState::Sliding(state) => state.load_panes(&self.aggregators, records),
            WindowState::Session(state) => state.load_sessions(&self.aggregators, records),
        }
    }

    /// Ends a restore, once all records are loaded.
    pub(crate) fn finish_restore(
        &mut self,
        entities: &mut EntityTable,
        emitted_rows: u64,
        watermark: EventTime,
        permit: &RestorePermit,
    ) {
        self.emitted_rows = emitted_rows;
        match &mut self.windows {
            WindowState::Sliding(state) => state.finish_restore(&self.aggregators, entities, watermark, permit),
            WindowState::Session(state) => state.finish_restore(&self.aggregators, entities, watermark, permit),
        }
    }
}

/// Numbers a view's rows.
struct NumberingOutput<'a, O> {
    inner: &'a mut O,
    emitted_rows: &'a mut u64,
}

impl<O: ShardOutput> ShardOutput for NumberingOutput<'_, O> {
    fn emit_row(&mut self, row: Row<'_>) {
        *self.emitted_rows += 1;
        self.inner.emit_row(Row { number: *self.emitted_rows, ..row });
    }

    fn emit_late_event(&mut self, late: LateEvent<'_>) {
        self.inner.emit_late_event(late);
    }
}

/// Marks the rows of the end of bounded input.
struct UnnumberedOutput<'a, O>(&'a mut O);

impl<O: ShardOutput> ShardOutput for UnnumberedOutput<'_, O> {
    fn emit_row(&mut self, row: Row<'_>) {
        self.0.emit_row(Row { number: 0, ..row });
    }

    fn emit_late_event(&mut self, late: LateEvent<'_>) {
        self.0.emit_late_event(late);
    }
}
