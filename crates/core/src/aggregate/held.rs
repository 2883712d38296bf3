//! Accumulators of varying size, held outside the words: text extremes, first and last text, and distinct counts.
//!
//! Distinct counts are HyperLogLog sketches of the Apache DataSketches library: a list of hashes while small (exact in
//! practice up to a few dozen values), then 2 KiB with a standard error of about 1.6 %. Their hash is fixed by the
//! library and the estimate is the one that does not depend on the order of insertion, so the same values give the same
//! count in every run and however they were split into panes.

use std::hash::{Hash, Hasher};

use datasketches::hll::{HllSketch, HllType, HllUnion};

use crate::snapshot::Damaged;
use crate::snapshot::wire::{self, Reader};
use crate::{Event, EventTime, FieldId, Value};

/// log₂ of the registers of a distinct-count sketch: 4,096 registers of 4 bits.
const SKETCH_LG_K: u8 = 12;

/// One accumulator that is not words.
#[derive(Clone, Debug, Default)]
pub(crate) enum Held {
    /// Nothing folded yet.
    #[default]
    Nothing,
    /// A text and, where it decides, the event time it came with.
    Text(Box<str>, EventTime),
    /// A distinct-count sketch.
    Sketch(Box<HllSketch>),
}

impl Held {
    /// Appends it to a snapshot: its kind, and then a text with its event time, or the sketch as its library spells it.
    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nothing => wire::put(out, NOTHING),
            Self::Text(text, time) => {
                wire::put(out, TEXT);
                wire::put_signed(out, time.ms());
                wire::put_bytes(out, text.as_bytes());
            }
            Self::Sketch(sketch) => {
                wire::put(out, SKETCH);
                wire::put_bytes(out, &sketch.serialize());
            }
        }
    }

    /// Reads what [`Self::save`] wrote.
    pub(crate) fn load(reader: &mut Reader<'_>) -> Result<Self, Damaged> {
        match reader.number()? {
            NOTHING => Ok(Self::Nothing),
            TEXT => {
                let time = EventTime::from_ms(reader.signed()?);
                Ok(Self::Text(reader.text()?.into(), time))
            }
            SKETCH => HllSketch::deserialize(reader.bytes()?)
                .map(|sketch| Self::Sketch(Box::new(sketch)))
                .map_err(|_| Damaged("a distinct count that its library does not read")),
            _ => Err(Damaged("a value of an unknown kind")),
        }
    }
}

const NOTHING: u64 = 0;
const TEXT: u64 = 1;
const SKETCH: u64 = 2;

/// How one feature's held value is folded.
#[derive(Clone, Copy, Debug)]
pub(super) enum HeldFold {
    Min(FieldId),
    Max(FieldId),
    First(FieldId),
    Last(FieldId),
    Distinct(FieldId),
}

impl HeldFold {
    pub(super) fn fold(self, held: &mut Held, event: &Event<'_>) {
        match self {
            Self::Min(field) | Self::Max(field) | Self::First(field) | Self::Last(field) => {
                if let Value::String(text) = event.fields[field.0] {
                    self.keep_text(held, text, event.time);
                }
            }
            Self::Distinct(field) => {
                let value = event.fields[field.0];
                if value != Value::Null
                    && let Some(sketch) = sketch(held)
                {
                    sketch.update(Distinct(value));
                }
            }
        }
    }

    pub(super) fn merge(self, held: &mut Held, newer: &Held) {
        match newer {
            Held::Nothing => {}
            Held::Text(text, time) => self.keep_text(held, text, *time),
            Held::Sketch(newer) => match held {
                Held::Sketch(older) => {
                    if let Ok(mut union) = HllUnion::new(SKETCH_LG_K) {
                        union.update(older);
                        union.update(newer);
                        **older = union.to_sketch(HllType::Hll4);
                    }
                }
                _ => *held = Held::Sketch(newer.clone()),
            },
        }
    }

    pub(super) fn value(self, held: &Held) -> Value<'_> {
        match held {
            Held::Text(text, _) => Value::String(text),
            #[allow(clippy::cast_possible_truncation)] // an estimate of distinct values is far below 2⁶³
            Held::Sketch(sketch) => Value::Long(sketch.composite_estimate().round() as i64),
            Held::Nothing if matches!(self, Self::Distinct(_)) => Value::Long(0),
            Held::Nothing => Value::Null,
        }
    }

    fn keep_text(self, held: &mut Held, text: &str, time: EventTime) {
        let keep = match held {
            Held::Text(current, at) => match self {
                Self::Min(_) => text < &**current,
                Self::Max(_) => text > &**current,
                Self::First(_) => time < *at,
                Self::Last(_) | Self::Distinct(_) => time >= *at,
            },
            _ => true,
        };
        if keep {
            *held = Held::Text(text.into(), time);
        }
    }
}

/// The sketch in `held`, made on first use.
fn sketch(held: &mut Held) -> Option<&mut HllSketch> {
    if let Held::Nothing = held {
        // The only error is a size outside the library's range, and ours is a constant inside it.
        *held = Held::Sketch(Box::new(HllSketch::new(SKETCH_LG_K, HllType::Hll4).ok()?));
    }
    match held {
        Held::Sketch(sketch) => Some(sketch),
        _ => None,
    }
}

/// A value as the sketch hashes it: its own bytes, without Rust's length prefixes, which are not promised to last.
struct Distinct<'a>(Value<'a>);

impl Hash for Distinct<'_> {
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
