//! The shard: the state machine of one partition.
//!
//! Owns: the watermark and every view's state for the entities of one partition. Does not own: offsets, records, rows
//! once they are handed over, or time other than event time.
//! Invariants: (1) events are looked at one by one; whatever the watermark closes fires before the next event is looked
//! at (window rule 3); (2) the same events in the same order give the same rows in the same order, in every run.
//! After a crash: a shard is restored from the last snapshot that was kept ([`crate::Restoring`]) and the events behind it.

use crate::aggregate::Folds;
use crate::entities::{Entities, HashKey};
use crate::row::{Late, Output, Row, ViewId};
use crate::session::SessionState;
use crate::sliding::SlidingState;
use crate::snapshot::saver::Saver;
use crate::snapshot::wire::Reader;
use crate::snapshot::{Damaged, KEYS, Scope, ShardFacts, table_of};
use crate::watermark::Watermark;
use crate::{Event, EventTime, FeatureView, Schema, WindowKind};

/// The state of one partition.
#[derive(Debug)]
pub struct Shard {
    pub(crate) watermark: Watermark,
    pub(crate) entities: Entities,
    pub(crate) views: Vec<ViewState>,
}

#[derive(Debug)]
pub(crate) struct ViewState {
    folds: Folds,
    windows: Windows,
    /// Rows it has produced.
    rows: u64,
}

#[derive(Debug)]
enum Windows {
    Sliding(SlidingState),
    Session(SessionState),
}

impl Shard {
    /// An empty shard for `views` over events of `schema`, with the watermark `max_out_of_orderness_ms` behind the
    /// latest event time.
    #[must_use]
    pub fn new<'a>(
        views: impl IntoIterator<Item = &'a FeatureView>,
        schema: &Schema,
        max_out_of_orderness_ms: i64,
        hash_key: HashKey,
    ) -> Self {
        let views = views
            .into_iter()
            .map(|view| {
                let folds = Folds::new(&view.features, schema);
                let windows = match view.window {
                    WindowKind::Sliding { size_ms, slide_ms } => {
                        Windows::Sliding(SlidingState::new(size_ms, slide_ms, &folds))
                    }
                    WindowKind::Session { gap_ms } => Windows::Session(SessionState::new(gap_ms)),
                };
                ViewState { folds, windows, rows: 0 }
            })
            .collect();
        Self { watermark: Watermark::new(max_out_of_orderness_ms), entities: Entities::new(hash_key), views }
    }

    /// Takes one event in: joins it to its windows, moves the watermark, fires what that closes.
    pub fn step(&mut self, event: &Event<'_>, out: &mut impl Output) {
        let slot = self.entities.slot_of(event.key);
        let watermark = self.watermark.at();
        for (index, view) in self.views.iter_mut().enumerate() {
            let (folds, entities) = (&view.folds, &mut self.entities);
            let on_time = match &mut view.windows {
                Windows::Sliding(state) => state.add(folds, entities, slot, event, watermark),
                Windows::Session(state) => state.add(folds, entities, slot, event, watermark),
            };
            if !on_time {
                out.late(Late { view: ViewId(index), key: event.key, time: event.time });
            }
        }
        self.entities.release_if_unused(slot);
        self.watermark.observe(event.time);
        self.fire(out);
    }

    /// Ends bounded input: the watermark moves to +∞ and everything left fires (window rule 6).
    pub fn finish(&mut self, out: &mut impl Output) {
        self.watermark.finish();
        let counted: Vec<u64> = self.views.iter().map(|view| view.rows).collect();
        self.fire(&mut Uncounted(out));
        self.views.iter_mut().zip(counted).for_each(|(view, rows)| view.rows = rows);
    }

    /// After [`Self::finish`]: the events that follow are the beginning of new input. Rows are numbered on. The next
    /// snapshot must hold everything: with the watermark goes what tells which state of older layers is gone.
    pub fn begin_anew(&mut self) {
        self.watermark.resume(Watermark::BEFORE_ALL);
    }

    /// The watermark, or `None` before the first event.
    #[must_use]
    pub fn watermark(&self) -> Option<EventTime> {
        (self.watermark.at() != Watermark::BEFORE_ALL).then_some(self.watermark.at())
    }

    /// Number of entities with state.
    #[must_use]
    pub fn entities(&self) -> usize {
        self.entities.len()
    }

    /// Number of entities that have state in each view.
    pub fn entities_by_view(&self) -> impl Iterator<Item = usize> {
        self.views.iter().map(|view| match &view.windows {
            Windows::Sliding(state) => state.held(),
            Windows::Session(state) => state.held(),
        })
    }

    /// What is to be remembered beside the slots.
    #[must_use]
    pub fn facts(&self) -> ShardFacts {
        #[allow(clippy::cast_possible_truncation)] // slots are 32 bits wide
        ShardFacts {
            watermark: self.watermark(),
            slots: self.entities.slots() as u32,
            entities: self.entities(),
            rows: self.views.iter().map(|view| view.rows).collect(),
        }
    }

    /// Begins a snapshot of the state as it is now, of which [`Self::facts`] are a part. One that is still under way is
    /// given up.
    pub fn cut(&mut self, scope: Scope) {
        self.settle(false);
        let slots = self.entities.slots();
        self.entities.saver.cut(scope, slots);
        for view in &mut self.views {
            let slots = view.slots();
            view.saver().cut(scope, slots);
        }
    }

    /// Goes on with the snapshot under way, until everything is saved or about `limit` bytes wait to be collected; whether
    /// everything is.
    pub fn save(&mut self, limit: usize) -> bool {
        let mut room = limit.saturating_sub(self.entities.saver.saved_bytes());
        for view in &mut self.views {
            room = room.saturating_sub(view.saver().saved_bytes());
        }
        while room > 0 {
            let Some(saved) = self.entities.save_next() else {
                return self.views.iter_mut().all(|view| view.save(&mut room));
            };
            room = room.saturating_sub(saved);
        }
        false
    }

    /// Moves what has been saved so far to the end of `out`.
    pub fn collect(&mut self, out: &mut Vec<u8>) {
        self.entities.saver.collect(KEYS, out);
        for (index, view) in self.views.iter_mut().enumerate() {
            view.saver().collect(table_of(index), out);
        }
    }

    /// Ends the snapshot under way. Where it was not `kept`, the next one of changes holds its slots too.
    pub fn settle(&mut self, kept: bool) {
        self.entities.saver.settle(kept);
        self.views.iter_mut().for_each(|view| view.saver().settle(kept));
    }

    fn fire(&mut self, out: &mut impl Output) {
        let watermark = self.watermark.at();
        for (index, view) in self.views.iter_mut().enumerate() {
            let (folds, entities) = (&view.folds, &mut self.entities);
            let out = &mut Numbered { out, rows: &mut view.rows };
            match &mut view.windows {
                Windows::Sliding(state) if state.next_due() <= watermark => {
                    state.fire(ViewId(index), folds, entities, watermark, out);
                }
                Windows::Session(state) if state.next_due() <= watermark => {
                    state.fire(ViewId(index), folds, entities, watermark, out);
                }
                Windows::Sliding(_) | Windows::Session(_) => {}
            }
        }
    }
}

impl ViewState {
    fn saver(&mut self) -> &mut Saver {
        match &mut self.windows {
            Windows::Sliding(state) => &mut state.saver,
            Windows::Session(state) => &mut state.saver,
        }
    }

    fn slots(&self) -> usize {
        match &self.windows {
            Windows::Sliding(state) => state.slots(),
            Windows::Session(state) => state.slots(),
        }
    }

    /// Saves slots while there is `room`; whether all are saved.
    fn save(&mut self, room: &mut usize) -> bool {
        while *room > 0 {
            let saved = match &mut self.windows {
                Windows::Sliding(state) => state.save_next(&self.folds),
                Windows::Session(state) => state.save_next(&self.folds),
            };
            let Some(saved) = saved else { return true };
            *room = room.saturating_sub(saved);
        }
        false
    }

    pub(crate) fn load(&mut self, slots: u32, reader: Reader<'_>) -> Result<(), Damaged> {
        match &mut self.windows {
            Windows::Sliding(state) => state.load(&self.folds, slots, reader),
            Windows::Session(state) => state.load(&self.folds, slots, reader),
        }
    }

    pub(crate) fn resume(&mut self, entities: &mut Entities, rows: u64, watermark: EventTime) {
        self.rows = rows;
        match &mut self.windows {
            Windows::Sliding(state) => state.resume(&self.folds, entities, watermark),
            Windows::Session(state) => state.resume(&self.folds, entities, watermark),
        }
    }
}

/// Numbers a view's rows.
struct Numbered<'a, O> {
    out: &'a mut O,
    rows: &'a mut u64,
}

impl<O: Output> Output for Numbered<'_, O> {
    fn row(&mut self, row: Row<'_>) {
        *self.rows += 1;
        self.out.row(Row { number: *self.rows, ..row });
    }

    fn late(&mut self, late: Late<'_>) {
        self.out.late(late);
    }
}

/// The rows of the end of bounded input.
struct Uncounted<'a, O>(&'a mut O);

impl<O: Output> Output for Uncounted<'_, O> {
    fn row(&mut self, row: Row<'_>) {
        self.0.row(Row { number: 0, ..row });
    }

    fn late(&mut self, late: Late<'_>) {
        self.0.late(late);
    }
}
