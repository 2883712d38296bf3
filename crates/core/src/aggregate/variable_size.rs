//! Accumulators whose size varies: the minimum, maximum, first or last text of a field, and distinct counts.
//!
//! A distinct count is estimated with a HyperLogLog sketch of the Apache DataSketches library. A small sketch is a list
//! of hashes, so counts up to a few dozen values are exact in practice. A large sketch takes 2 KiB, and its estimate
//! has a standard error of about 1.6 %. The library never changes its hash function, and the result of its
//! `composite_estimate` does not depend on the order of insertion. So the same values give the same count in every run,
//! no matter how panes divide the values.

use std::hash::{Hash, Hasher};

use datasketches::hll::{HllSketch, HllType, HllUnion};

use super::AccumulatorLayout;
use crate::event::{Event, FieldId};
use crate::snapshot::encoding::{DamagedSnapshot, SnapshotReader, write_bytes, write_signed, write_unsigned};
use crate::time::EventTime;
use crate::value::Value;

/// log₂ of the number of registers in a distinct-count sketch: 4,096 registers of 4 bits each.
const LOG2_SKETCH_REGISTERS: u8 = 12;

/// An accumulator whose size varies. It is stored outside the array of 64-bit words.
#[derive(Clone, Debug, Default)]
pub(crate) enum VariableAccumulator {
    /// No value has been folded.
    #[default]
    Empty,
    /// A text, and the event time of the event that contained the text.
    Text(Box<str>, EventTime),
    /// A distinct-count sketch.
    Sketch(Box<HllSketch>),
}

impl VariableAccumulator {
    /// Appends the accumulator to a snapshot. A tag comes first, the number of the variant. For a text, the event time
    /// and the text follow. For a sketch, the serialized sketch follows.
    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        match self {
            Self::Empty => write_unsigned(out, EMPTY_TAG),
            Self::Text(text, time) => {
                write_unsigned(out, TEXT_TAG);
                write_signed(out, time.ms());
                write_bytes(out, text.as_bytes());
            }
            Self::Sketch(sketch) => {
                write_unsigned(out, SKETCH_TAG);
                write_bytes(out, &sketch.serialize());
            }
        }
    }

    /// Reads an accumulator that [`Self::save`] wrote.
    pub(crate) fn load(reader: &mut SnapshotReader<'_>) -> Result<Self, DamagedSnapshot> {
        match reader.read_unsigned()? {
            EMPTY_TAG => Ok(Self::Empty),
            TEXT_TAG => {
                let time = EventTime::from_ms(reader.read_signed()?);
                Ok(Self::Text(reader.read_text()?.into(), time))
            }
            SKETCH_TAG => HllSketch::deserialize(reader.read_bytes()?)
                .map(|sketch| Self::Sketch(Box::new(sketch)))
                .map_err(|_| DamagedSnapshot("a distinct-count sketch that the DataSketches library cannot read")),
            _ => Err(DamagedSnapshot("an accumulator with an unknown tag")),
        }
    }
}

const EMPTY_TAG: u64 = 0;
const TEXT_TAG: u64 = 1;
const SKETCH_TAG: u64 = 2;

/// An aggregate whose accumulator varies in size.
#[derive(Clone, Copy, Debug)]
pub(super) enum VariableSizeAggregator {
    Min(FieldId),
    Max(FieldId),
    First(FieldId),
    Last(FieldId),
    CountDistinct(FieldId),
}

impl VariableSizeAggregator {
    pub(super) const ACCUMULATOR_LAYOUT: AccumulatorLayout =
        AccumulatorLayout { fixed_size_word_count: 0, variable_accumulator_count: 1 };

    /// Folds the value of an event. A text of more than `max_field_bytes` bytes is NULL, unless values are only counted.
    pub(super) fn fold_event(self, accumulator: &mut VariableAccumulator, event: &Event<'_>, max_field_bytes: usize) {
        match self {
            Self::Min(field) | Self::Max(field) | Self::First(field) | Self::Last(field) => {
                if let Value::String(text) = event.field_values[field.0]
                    && text.len() <= max_field_bytes
                {
                    self.replace_text_if_preferred(accumulator, text, event.time);
                }
            }
            Self::CountDistinct(field) => {
                let value = event.field_values[field.0];
                if value != Value::Null
                    && let Some(sketch) = get_or_create_sketch(accumulator)
                {
                    sketch.update(DistinctCountInput(value));
                }
            }
        }
    }

    pub(super) fn merge_newer_accumulator(self, accumulator: &mut VariableAccumulator, newer: &VariableAccumulator) {
        match newer {
            VariableAccumulator::Empty => {}
            VariableAccumulator::Text(text, time) => self.replace_text_if_preferred(accumulator, text, *time),
            VariableAccumulator::Sketch(newer) => match accumulator {
                VariableAccumulator::Sketch(older) => {
                    if let Ok(mut union) = HllUnion::new(LOG2_SKETCH_REGISTERS) {
                        union.update(older);
                        union.update(newer);
                        **older = union.to_sketch(HllType::Hll4);
                    }
                }
                _ => *accumulator = VariableAccumulator::Sketch(newer.clone()),
            },
        }
    }

    pub(super) fn compute_value(self, accumulator: &VariableAccumulator) -> Value<'_> {
        match accumulator {
            VariableAccumulator::Text(text, _) => Value::String(text),
            #[expect(clippy::cast_possible_truncation, reason = "an estimate of distinct values is far below 2⁶³")]
            VariableAccumulator::Sketch(sketch) => Value::Long(sketch.composite_estimate().round() as i64),
            VariableAccumulator::Empty if matches!(self, Self::CountDistinct(_)) => Value::Long(0),
            VariableAccumulator::Empty => Value::Null,
        }
    }

    fn replace_text_if_preferred(self, accumulator: &mut VariableAccumulator, text: &str, time: EventTime) {
        let keep = match accumulator {
            VariableAccumulator::Text(current, at) => match self {
                Self::Min(_) => text < &**current,
                Self::Max(_) => text > &**current,
                Self::First(_) => time < *at,
                Self::Last(_) | Self::CountDistinct(_) => time >= *at,
            },
            _ => true,
        };
        if keep {
            *accumulator = VariableAccumulator::Text(text.into(), time);
        }
    }
}

/// Returns the sketch in `accumulator`. If the accumulator is empty, creates an empty sketch in it first. Returns
/// `None` if the accumulator holds a text.
fn get_or_create_sketch(accumulator: &mut VariableAccumulator) -> Option<&mut HllSketch> {
    if let VariableAccumulator::Empty = accumulator {
        // `HllSketch::new` fails only if the number of registers is outside the library's range.
        // `LOG2_SKETCH_REGISTERS` is within the range, so `new` never fails here.
        *accumulator =
            VariableAccumulator::Sketch(Box::new(HllSketch::new(LOG2_SKETCH_REGISTERS, HllType::Hll4).ok()?));
    }
    match accumulator {
        VariableAccumulator::Sketch(sketch) => Some(sketch),
        _ => None,
    }
}

/// A value that is hashed by its bytes alone. Rust's own `Hash` of a text also hashes other bytes, which a new version
/// of Rust may change. Then new hashes would no longer match the hashes in stored sketches.
struct DistinctCountInput<'a>(Value<'a>);

impl Hash for DistinctCountInput<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.0 {
            Value::Null => {}
            Value::String(text) => state.write(text.as_bytes()),
            // Adding 0.0 turns -0.0 into 0.0, so -0.0 and 0.0 count as one value.
            Value::Double(number) => state.write(&(number + 0.0).to_bits().to_le_bytes()),
            Value::Long(number) => state.write(&number.to_le_bytes()),
            Value::Boolean(truth) => state.write(&[u8::from(truth)]),
        }
    }
}
