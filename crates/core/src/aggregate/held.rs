//! Accumulators of varying size, held outside the words: text extremes, first and last text, and distinct counts.
//!
//! Distinct counts are HyperLogLog sketches of the Apache DataSketches library: a list of hashes while small (exact in
//! practice up to a few dozen values), then 2 KiB with a standard error of about 1.6 %. Their hash is fixed by the
//! library and the estimate is the one that does not depend on the order of insertion, so the same values give the same
//! count in every run and however they were split into panes.

use std::hash::{Hash, Hasher};

use datasketches::hll::{HllSketch, HllType, HllUnion};

use crate::snapshot::DamagedSnapshot;
use crate::snapshot::wire::{self, SnapshotReader};
use crate::{Event, EventTime, FieldId, Value};

/// log₂ of the registers of a distinct-count sketch: 4,096 registers of 4 bits.
const SKETCH_LG_K: u8 = 12;

/// One accumulator that is not words.
#[derive(Clone, Debug, Default)]
pub(crate) enum VariableAccumulator {
    /// Nothing folded yet.
    #[default]
    Empty,
    /// A text and, where it decides, the event time it came with.
    Text(Box<str>, EventTime),
    /// A distinct-count sketch.
    Sketch(Box<HllSketch>),
}

impl VariableAccumulator {
    /// Appends it to a snapshot: its kind, and then a text with its event time, or the sketch as its library spells it.
    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        match self {
            Self::Empty => wire::write_number(out, EMPTY_TAG),
            Self::Text(text, time) => {
                wire::write_number(out, TEXT_TAG);
                wire::write_signed(out, time.ms());
                wire::write_bytes(out, text.as_bytes());
            }
            Self::Sketch(sketch) => {
                wire::write_number(out, SKETCH_TAG);
                wire::write_bytes(out, &sketch.serialize());
            }
        }
    }

    /// Reads what [`Self::save`] wrote.
    pub(crate) fn load(reader: &mut SnapshotReader<'_>) -> Result<Self, DamagedSnapshot> {
        match reader.read_number()? {
            EMPTY_TAG => Ok(Self::Empty),
            TEXT_TAG => {
                let time = EventTime::from_ms(reader.read_signed()?);
                Ok(Self::Text(reader.read_text()?.into(), time))
            }
            SKETCH_TAG => HllSketch::deserialize(reader.read_bytes()?)
                .map(|sketch| Self::Sketch(Box::new(sketch)))
                .map_err(|_| DamagedSnapshot("a distinct count that its library does not read")),
            _ => Err(DamagedSnapshot("a value of an unknown kind")),
        }
    }
}

const EMPTY_TAG: u64 = 0;
const TEXT_TAG: u64 = 1;
const SKETCH_TAG: u64 = 2;

/// How one feature's held value is folded.
#[derive(Clone, Copy, Debug)]
pub(super) enum VariableSizeAggregator {
    Min(FieldId),
    Max(FieldId),
    First(FieldId),
    Last(FieldId),
    Distinct(FieldId),
}

impl VariableSizeAggregator {
    pub(super) fn fold(self, held: &mut VariableAccumulator, event: &Event<'_>) {
        match self {
            Self::Min(field) | Self::Max(field) | Self::First(field) | Self::Last(field) => {
                if let Value::String(text) = event.fields[field.0] {
                    self.keep_text(held, text, event.time);
                }
            }
            Self::Distinct(field) => {
                let value = event.fields[field.0];
                if value != Value::Null
                    && let Some(sketch) = get_or_create_sketch(held)
                {
                    sketch.update(DistinctValue(value));
                }
            }
        }
    }

    pub(super) fn merge(self, held: &mut VariableAccumulator, newer: &VariableAccumulator) {
        match newer {
            VariableAccumulator::Empty => {}
            VariableAccumulator::Text(text, time) => self.keep_text(held, text, *time),
            VariableAccumulator::Sketch(newer) => match held {
                VariableAccumulator::Sketch(older) => {
                    if let Ok(mut union) = HllUnion::new(SKETCH_LG_K) {
                        union.update(older);
                        union.update(newer);
                        **older = union.to_sketch(HllType::Hll4);
                    }
                }
                _ => *held = VariableAccumulator::Sketch(newer.clone()),
            },
        }
    }

    pub(super) fn value(self, held: &VariableAccumulator) -> Value<'_> {
        match held {
            VariableAccumulator::Text(text, _) => Value::String(text),
            #[allow(clippy::cast_possible_truncation)] // an estimate of distinct values is far below 2⁶³
            VariableAccumulator::Sketch(sketch) => Value::Long(sketch.composite_estimate().round() as i64),
            VariableAccumulator::Empty if matches!(self, Self::Distinct(_)) => Value::Long(0),
            VariableAccumulator::Empty => Value::Null,
        }
    }

    fn keep_text(self, held: &mut VariableAccumulator, text: &str, time: EventTime) {
        let keep = match held {
            VariableAccumulator::Text(current, at) => match self {
                Self::Min(_) => text < &**current,
                Self::Max(_) => text > &**current,
                Self::First(_) => time < *at,
                Self::Last(_) | Self::Distinct(_) => time >= *at,
            },
            _ => true,
        };
        if keep {
            *held = VariableAccumulator::Text(text.into(), time);
        }
    }
}

/// The sketch in `held`, made on first use.
fn get_or_create_sketch(held: &mut VariableAccumulator) -> Option<&mut HllSketch> {
    if let VariableAccumulator::Empty = held {
        // The only error is a size outside the library's range, and ours is a constant inside it.
        *held = VariableAccumulator::Sketch(Box::new(HllSketch::new(SKETCH_LG_K, HllType::Hll4).ok()?));
    }
    match held {
        VariableAccumulator::Sketch(sketch) => Some(sketch),
        _ => None,
    }
}

/// A value as the sketch hashes it: its own bytes, without Rust's length prefixes, which are not promised to last.
struct DistinctValue<'a>(Value<'a>);

impl Hash for DistinctValue<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.0 {
            Value::Null => {}
            Value::String(text) => state.write(text.as_bytes()),
            // 0.0 and -0.0 are one value.
            Value::Double(number) => state.write(&(number + 0.0).to_bits().to_le_bytes()),
            Value::Long(number) => state.write(&number.to_le_bytes()),
            Value::Boolean(truth) => state.write(&[u8::from(truth)]),
        }
    }
}
