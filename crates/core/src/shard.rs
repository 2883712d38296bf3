//! The shard: the state machine of one partition.
//!
//! Owns: the watermark and every view's state for the entities of one partition. Does not own: offsets, records, rows
//! once they are handed over, or time other than event time.
//! Invariants: (1) events are looked at one by one; whatever the watermark closes fires before the next event is looked
//! at (window rule 3); (2) the same events in the same order give the same rows in the same order, in every run.
//! After a crash: a shard is rebuilt by replaying its partition.

use crate::aggregate::Folds;
use crate::entities::{Entities, HashKey};
use crate::row::{Late, Output, Row, ViewId};
use crate::session::SessionState;
use crate::sliding::SlidingState;
use crate::watermark::Watermark;
use crate::{Event, EventTime, FeatureView, Schema, WindowKind};

/// The state of one partition.
#[derive(Debug)]
pub struct Shard {
    watermark: Watermark,
    entities: Entities,
    views: Vec<ViewState>,
}

#[derive(Debug)]
struct ViewState {
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
        self.fire(out);
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
