//! The shard: the state machine of one partition.
//!
//! Owns: the watermark and every view's state for the entities of one partition. Does not own: offsets, records, rows
//! once they are handed over, or time other than event time.
//! Invariants: (1) events are looked at one by one; whatever the watermark closes fires before the next event is looked
//! at (window rule 3); (2) the same events in the same order give the same rows in the same order, in every run.
//! After a crash: a shard is restored from the last snapshot that was kept ([`crate::ShardRestore`]) and the events behind it.

use crate::aggregate::FeatureAggregators;
use crate::entities::{EntityTable, HashKey};
use crate::row::{LateEvent, Row, ShardOutput, ViewId};
use crate::session::SessionState;
use crate::sliding::SlidingState;
use crate::snapshot::saver::SnapshotWriter;
use crate::snapshot::wire::SnapshotReader;
use crate::snapshot::{DamagedSnapshot, ENTITY_KEY_TABLE, ShardMetadata, SnapshotScope, view_table};
use crate::watermark::Watermark;
use crate::{Event, EventSchema, EventTime, FeatureView, WindowKind};

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
    /// Rows it has produced.
    emitted_rows: u64,
}

#[derive(Debug)]
enum WindowState {
    Sliding(SlidingState),
    Session(SessionState),
}

impl Shard {
    /// An empty shard for `views` over events of `schema`, with the watermark `max_out_of_orderness_ms` behind the
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
                let folds = FeatureAggregators::new(&view.features, schema);
                let windows = match view.window {
                    WindowKind::Sliding { size_ms, slide_ms } => {
                        WindowState::Sliding(SlidingState::new(size_ms, slide_ms, &folds))
                    }
                    WindowKind::Session { gap_ms } => WindowState::Session(SessionState::new(gap_ms)),
                };
                ViewState { aggregators: folds, windows, emitted_rows: 0 }
            })
            .collect();
        Self { watermark: Watermark::new(max_out_of_orderness_ms), entities: EntityTable::new(hash_key), views }
    }

    /// Takes one event in: joins it to its windows, moves the watermark, fires what that closes.
    pub fn process_event(&mut self, event: &Event<'_>, out: &mut impl ShardOutput) {
        let slot = self.entities.find_or_assign_slot(event.key);
        let watermark = self.watermark.time();
        for (index, view) in self.views.iter_mut().enumerate() {
            let (folds, entities) = (&view.aggregators, &mut self.entities);
            let on_time = match &mut view.windows {
                WindowState::Sliding(state) => state.add_event(folds, entities, slot, event, watermark),
                WindowState::Session(state) => state.add_event(folds, entities, slot, event, watermark),
            };
            if !on_time {
                out.emit_late_event(LateEvent { view: ViewId(index), key: event.key, time: event.time });
            }
        }
        self.entities.release_if_unused(slot);
        self.watermark.observe(event.time);
        self.fire_due_windows(out);
    }

    /// Ends bounded input: the watermark moves to +∞ and everything left fires (window rule 6).
    pub fn finish_input(&mut self, out: &mut impl ShardOutput) {
        self.watermark.advance_to_end();
        let counted: Vec<u64> = self.views.iter().map(|view| view.emitted_rows).collect();
        self.fire_due_windows(&mut UnnumberedOutput(out));
        self.views.iter_mut().zip(counted).for_each(|(view, rows)| view.emitted_rows = rows);
    }

    /// After [`Self::finish`]: the events that follow are the beginning of new input. Rows are numbered on. The next
    /// snapshot must hold everything: with the watermark goes what tells which state of older layers is gone.
    pub fn restart_input(&mut self) {
        self.watermark.restore(Watermark::BEFORE_ALL);
    }

    /// The watermark, or `None` before the first event.
    #[must_use]
    pub fn watermark(&self) -> Option<EventTime> {
        (self.watermark.time() != Watermark::BEFORE_ALL).then_some(self.watermark.time())
    }

    /// Number of entities with state.
    #[must_use]
    pub fn entity_count(&self) -> usize {
        self.entities.len()
    }

    /// Number of entities that have state in each view.
    pub fn entity_counts_by_view(&self) -> impl Iterator<Item = usize> {
        self.views.iter().map(|view| match &view.windows {
            WindowState::Sliding(state) => state.entity_count(),
            WindowState::Session(state) => state.entity_count(),
        })
    }

    /// What is to be remembered beside the slots.
    #[must_use]
    pub fn metadata(&self) -> ShardMetadata {
        #[allow(clippy::cast_possible_truncation)] // slots are 32 bits wide
        ShardMetadata {
            watermark: self.watermark(),
            slot_count: self.entities.slot_count() as u32,
            entity_count: self.entity_count(),
            emitted_rows: self.views.iter().map(|view| view.emitted_rows).collect(),
        }
    }

    /// Begins a snapshot of the state as it is now, of which [`Self::metadata`] are a part. One that is still under way is
    /// given up.
    pub fn begin_snapshot(&mut self, scope: SnapshotScope) {
        self.end_snapshot(false);
        let slots = self.entities.slot_count();
        self.entities.snapshot_writer.begin(scope, slots);
        for view in &mut self.views {
            let slots = view.slot_count();
            view.snapshot_writer().begin(scope, slots);
        }
    }

    /// Goes on with the snapshot under way, until everything is saved or about `limit` bytes wait to be collected; whether
    /// everything is.
    pub fn continue_snapshot(&mut self, limit: usize) -> bool {
        let mut room = limit.saturating_sub(self.entities.snapshot_writer.buffered_bytes());
        for view in &mut self.views {
            room = room.saturating_sub(view.snapshot_writer().buffered_bytes());
        }
        while room > 0 {
            let Some(saved) = self.entities.save_next_key() else {
                return self.views.iter_mut().all(|view| view.save_slots(&mut room));
            };
            room = room.saturating_sub(saved);
        }
        false
    }

    /// Moves what has been saved so far to the end of `out`.
    pub fn take_snapshot_bytes(&mut self, out: &mut Vec<u8>) {
        self.entities.snapshot_writer.take_block(ENTITY_KEY_TABLE, out);
        for (index, view) in self.views.iter_mut().enumerate() {
            view.snapshot_writer().take_block(view_table(index), out);
        }
    }

    /// Ends the snapshot under way. Where it was not `kept`, the next one of changes holds its slots too.
    pub fn end_snapshot(&mut self, kept: bool) {
        self.entities.snapshot_writer.end(kept);
        self.views.iter_mut().for_each(|view| view.snapshot_writer().end(kept));
    }

    fn fire_due_windows(&mut self, out: &mut impl ShardOutput) {
        let watermark = self.watermark.time();
        for (index, view) in self.views.iter_mut().enumerate() {
            let (folds, entities) = (&view.aggregators, &mut self.entities);
            let out = &mut NumberingOutput { inner: out, emitted_rows: &mut view.emitted_rows };
            match &mut view.windows {
                WindowState::Sliding(state) if state.next_due() <= watermark => {
                    state.fire_due_windows(ViewId(index), folds, entities, watermark, out);
                }
                WindowState::Session(state) if state.next_due() <= watermark => {
                    state.fire_due_sessions(ViewId(index), folds, entities, watermark, out);
                }
                WindowState::Sliding(_) | WindowState::Session(_) => {}
            }
        }
    }
}

impl ViewState {
    fn snapshot_writer(&mut self) -> &mut SnapshotWriter {
        match &mut self.windows {
            WindowState::Sliding(state) => &mut state.snapshot_writer,
            WindowState::Session(state) => &mut state.snapshot_writer,
        }
    }

    fn slot_count(&self) -> usize {
        match &self.windows {
            WindowState::Sliding(state) => state.slot_count(),
            WindowState::Session(state) => state.slot_count(),
        }
    }

    /// Saves slots while there is `room`; whether all are saved.
    fn save_slots(&mut self, room: &mut usize) -> bool {
        while *room > 0 {
            let saved = match &mut self.windows {
                WindowState::Sliding(state) => state.save_next_slot(&self.aggregators),
                WindowState::Session(state) => state.save_next_slot(&self.aggregators),
            };
            let Some(saved) = saved else { return true };
            *room = room.saturating_sub(saved);
        }
        false
    }

    pub(crate) fn load_records(&mut self, slots: u32, reader: SnapshotReader<'_>) -> Result<(), DamagedSnapshot> {
        match &mut self.windows {
            WindowState::Sliding(state) => state.load_panes(&self.aggregators, slots, reader),
            WindowState::Session(state) => state.load_sessions(&self.aggregators, slots, reader),
        }
    }

    pub(crate) fn finish_restore(&mut self, entities: &mut EntityTable, rows: u64, watermark: EventTime) {
        self.emitted_rows = rows;
        match &mut self.windows {
            WindowState::Sliding(state) => state.finish_restore(&self.aggregators, entities, watermark),
            WindowState::Session(state) => state.finish_restore(&self.aggregators, entities, watermark),
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

/// The rows of the end of bounded input.
struct UnnumberedOutput<'a, O>(&'a mut O);

impl<O: ShardOutput> ShardOutput for UnnumberedOutput<'_, O> {
    fn emit_row(&mut self, row: Row<'_>) {
        self.0.emit_row(Row { number: 0, ..row });
    }

    fn emit_late_event(&mut self, late: LateEvent<'_>) {
        self.0.emit_late_event(late);
    }
}
