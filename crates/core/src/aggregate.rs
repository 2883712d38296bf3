//! Accumulators: how a view's features are folded event by event, merged pane by pane, and read as a row.
//!
//! Owns: the layout of accumulators and their arithmetic. Does not own: which events meet (panes and sessions decide).
//! Invariants: (1) all-zero words and [`Held::Nothing`] are the empty accumulator; (2) the first word of every
//! accumulator counts the values folded into it, so "is it NULL" is "is it zero"; (3) merging is associative, and
//! merging older into newer state in time order gives the value that folding the events in that order would give, up
//! to the rounding of floating-point sums.
//! Why this way: one flat array of words per entity and view is a quarter of the memory of a tree of boxed
//! accumulators, is cleared and copied with `memcpy`, and is its own snapshot format. Only text and sketches, whose
//! size varies, are held outside it.

mod held;
mod numeric;

pub(crate) use held::Held;

use crate::{Aggregate, Condition, Event, Feature, FieldId, FieldType, Literal, Schema, Value};
use held::HeldFold;
use numeric::WordFold;

/// The accumulators of one pane or session, to be changed.
pub(crate) struct CellsMut<'a> {
    pub(crate) words: &'a mut [u64],
    pub(crate) held: &'a mut [Held],
}

/// The accumulators of one pane or session, to be read.
#[derive(Clone, Copy)]
pub(crate) struct Cells<'a> {
    pub(crate) words: &'a [u64],
    pub(crate) held: &'a [Held],
}

/// All features of a view, compiled for folding.
#[derive(Debug)]
pub(crate) struct Folds {
    folds: Box<[Fold]>,
    words: usize,
    held: usize,
}

/// One feature, compiled: where its accumulator lives and what happens to it.
#[derive(Debug)]
struct Fold {
    condition: Option<Condition>,
    default: Option<Literal>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// Words `at .. at + fold.width()`.
    Words { fold: WordFold, at: usize },
    /// The held value at this index.
    Held { fold: HeldFold, at: usize },
}

impl Folds {
    pub(crate) fn new(features: &[Feature], schema: &Schema) -> Self {
        let (mut words, mut held) = (0, 0);
        let folds = features
            .iter()
            .map(|feature| {
                let place = match compile(feature.aggregate, schema) {
                    Compiled::Words(fold) => {
                        let at = words;
                        words += fold.width();
                        Place::Words { fold, at }
                    }
                    Compiled::Held(fold) => {
                        held += 1;
                        Place::Held { fold, at: held - 1 }
                    }
                };
                Fold { condition: feature.condition.clone(), default: feature.default.clone(), place }
            })
            .collect();
        Self { folds, words, held }
    }

    /// Words one pane or session needs.
    pub(crate) fn words(&self) -> usize {
        self.words
    }

    /// Held values one pane or session needs.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Number of features.
    pub(crate) fn len(&self) -> usize {
        self.folds.len()
    }

    /// Folds one event into `cells`.
    pub(crate) fn fold(&self, cells: &mut CellsMut<'_>, event: &Event<'_>) {
        for fold in &self.folds {
            if fold.condition.as_ref().is_some_and(|condition| !condition.matches(event.fields)) {
                continue;
            }
            match &fold.place {
                Place::Words { fold, at } => fold.fold(&mut cells.words[*at..], event),
                Place::Held { fold, at } => fold.fold(&mut cells.held[*at], event),
            }
        }
    }

    /// Adds the accumulators of `newer` (later panes, or the later of two sessions) to `cells`.
    pub(crate) fn merge(&self, cells: &mut CellsMut<'_>, newer: Cells<'_>) {
        for fold in &self.folds {
            match &fold.place {
                Place::Words { fold, at } => fold.merge(&mut cells.words[*at..], &newer.words[*at..]),
                Place::Held { fold, at } => fold.merge(&mut cells.held[*at], &newer.held[*at]),
            }
        }
    }

    /// Feature `index`'s value, or its default where that is NULL.
    pub(crate) fn value<'a>(&'a self, index: usize, cells: Cells<'a>) -> Value<'a> {
        let fold = &self.folds[index];
        let value = match &fold.place {
            Place::Words { fold, at } => fold.value(&cells.words[*at..]),
            Place::Held { fold, at } => fold.value(&cells.held[*at]),
        };
        match (value, &fold.default) {
            (Value::Null, Some(default)) => default.as_value(),
            (value, _) => value,
        }
    }
}

enum Compiled {
    Words(WordFold),
    Held(HeldFold),
}

fn compile(aggregate: Aggregate, schema: &Schema) -> Compiled {
    let by_type =
        |field: FieldId, words: fn(FieldId, FieldType) -> WordFold, held: fn(FieldId) -> HeldFold| match schema
            .field_type(field)
        {
            FieldType::String => Compiled::Held(held(field)),
            scalar => Compiled::Words(words(field, scalar)),
        };
    match aggregate {
        Aggregate::Count => Compiled::Words(WordFold::Count),
        Aggregate::CountField(field) => Compiled::Words(WordFold::CountField(field)),
        Aggregate::Sum(field) => Compiled::Words(match schema.field_type(field) {
            FieldType::Long => WordFold::SumLong(field),
            _ => WordFold::SumDouble(field),
        }),
        Aggregate::Avg(field) => Compiled::Words(WordFold::Avg(field)),
        Aggregate::Min(field) => by_type(field, WordFold::Min, HeldFold::Min),
        Aggregate::Max(field) => by_type(field, WordFold::Max, HeldFold::Max),
        Aggregate::First(field) => by_type(field, WordFold::First, HeldFold::First),
        Aggregate::Last(field) => by_type(field, WordFold::Last, HeldFold::Last),
        Aggregate::CountDistinct(field) => Compiled::Held(HeldFold::Distinct(field)),
        Aggregate::Duration(unit) => Compiled::Words(WordFold::Duration(unit)),
    }
}
