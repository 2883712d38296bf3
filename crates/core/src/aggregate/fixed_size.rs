//! Accumulators of fixed size, stored as 64-bit words. Sums, means, durations and all counts except distinct counts
//! have such an accumulator. Minimum, maximum, first and last have one unless the field is text.
//!
//! Word 0 is always the number of folded values. Doubles are stored as their bits, signed integers as two's complement.
//! A sum of longs wraps around on overflow, as in Flink. Therefore merging stays associative, and a final sum that fits
//! into 64 bits is right even if an intermediate sum has overflowed. Each addition that overflows is counted.

use std::cmp::Ordering;

use super::AccumulatorLayout;
use crate::condition::compare_values;
use crate::event::{Event, FieldId};
use crate::time::EventTime;
use crate::value::{FieldType, Value};
use crate::view::DurationUnit;

/// An aggregate whose accumulator has a fixed number of 64-bit words.
#[derive(Clone, Copy, Debug)]
pub(super) enum FixedSizeAggregator {
    /// Accumulator words: `[count]`
    Count,
    /// Accumulator words: `[count]`
    CountField(FieldId),
    /// Accumulator words: `[count, sum]`
    SumLong(FieldId),
    /// Accumulator words: `[count, sum]`
    SumDouble(FieldId),
    /// Accumulator words: `[count, sum]`; the sum is a double, even if the field is a long
    Avg(FieldId),
    /// Accumulator words: `[count, value]`
    Min(FieldId, FieldType),
    /// Accumulator words: `[count, value]`
    Max(FieldId, FieldType),
    /// Accumulator words: `[count, value, event time of the value]`
    First(FieldId, FieldType),
    /// Accumulator words: `[count, value, event time of the value]`
    Last(FieldId, FieldType),
    /// Accumulator words: `[count, first event time, last event time]`
    Duration(DurationUnit),
}

impl FixedSizeAggregator {
    /// Returns the number of 64-bit words in the accumulator.
    pub(super) const fn word_count(self) -> usize {
        match self {
            Self::Count | Self::CountField(_) => 1,
            Self::SumLong(_) | Self::SumDouble(_) | Self::Avg(_) | Self::Min(..) | Self::Max(..) => 2,
            Self::First(..) | Self::Last(..) | Self::Duration(_) => 3,
        }
    }

    pub(super) const fn accumulator_layout(self) -> AccumulatorLayout {
        AccumulatorLayout { fixed_size_word_count: self.word_count(), variable_accumulator_count: 0 }
    }

    /// Folds one event. Returns whether a sum has overflowed.
    pub(super) fn fold_event(self, words: &mut [u64], event: &Event<'_>) -> bool {
        match self {
            Self::Count => words[0] += 1,
            Self::CountField(field) => words[0] += u64::from(event.field_values[field.0] != Value::Null),
            Self::SumLong(field) => {
                if let Value::Long(number) = event.field_values[field.0] {
                    return add_to_long_sum(words, 1, number);
                }
            }
            Self::SumDouble(field) | Self::Avg(field) => {
                if let Some(number) = value_as_double(event.field_values[field.0]) {
                    return add_to_double_sum(words, 1, number);
                }
            }
            Self::Min(field, _) => keep_min_or_max(words, event.field_values[field.0], Ordering::Less),
            Self::Max(field, _) => keep_min_or_max(words, event.field_values[field.0], Ordering::Greater),
            Self::First(field, _) => {
                if let Some(bits) = value_to_bits(event.field_values[field.0]) {
                    keep_earliest(words, bits, event.time);
                }
            }
            Self::Last(field, _) => {
                if let Some(bits) = value_to_bits(event.field_values[field.0]) {
                    keep_latest(words, bits, event.time);
                }
            }
            Self::Duration(_) => widen_duration(words, event.time, event.time, 1),
        }
        false
    }

    /// Merges a newer accumulator into `words`. Returns whether a sum has overflowed.
    pub(super) fn merge_newer_words(self, words: &mut [u64], newer: &[u64]) -> bool {
        if newer[0] == 0 {
            return false;
        }
        match self {
            Self::Count | Self::CountField(_) => words[0] += newer[0],
            Self::SumLong(_) => return add_to_long_sum(words, newer[0], newer[1].cast_signed()),
            Self::SumDouble(_) | Self::Avg(_) => {
                return add_to_double_sum(words, newer[0], f64::from_bits(newer[1]));
            }
            Self::Min(_, field_type) => keep_min_or_max(words, value_from_bits(newer[1], field_type), Ordering::Less),
            Self::Max(_, field_type) => {
                keep_min_or_max(words, value_from_bits(newer[1], field_type), Ordering::Greater);
            }
            Self::First(..) => keep_earliest(words, newer[1], time_from_word(newer[2])),
            Self::Last(..) => keep_latest(words, newer[1], time_from_word(newer[2])),
            Self::Duration(_) => widen_duration(words, time_from_word(newer[1]), time_from_word(newer[2]), newer[0]),
        }
        false
    }

    pub(super) fn compute_value(self, words: &[u64]) -> Value<'static> {
        match self {
            Self::Count | Self::CountField(_) => Value::Long(words[0].cast_signed()),
            _ if words[0] == 0 => Value::Null,
            Self::SumLong(_) => Value::Long(words[1].cast_signed()),
            Self::SumDouble(_) => Value::Double(f64::from_bits(words[1])),
            // No accumulator counts 2⁵³ events.
            Self::Avg(_) => Value::Double(f64::from_bits(words[1]) / words[0] as f64),
            Self::Min(_, field_type)
            | Self::Max(_, field_type)
            | Self::First(_, field_type)
            | Self::Last(_, field_type) => value_from_bits(words[1], field_type),
            Self::Duration(unit) => {
                Value::Long((words[2].cast_signed() - words[1].cast_signed()).div_euclid(unit.unit_length_ms()))
            }
        }
    }
}

/// Adds to a sum of longs. Returns whether the sum has wrapped around.
fn add_to_long_sum(words: &mut [u64], count: u64, number: i64) -> bool {
    words[0] += count;
    let (sum, has_overflowed) = words[1].cast_signed().overflowing_add(number);
    words[1] = sum.cast_unsigned();
    has_overflowed
}

/// Adds to a sum of doubles. Returns whether finite numbers have given an infinite sum.
fn add_to_double_sum(words: &mut [u64], count: u64, number: f64) -> bool {
    words[0] += count;
    let previous = f64::from_bits(words[1]);
    let sum = previous + number;
    words[1] = sum.to_bits();
    !sum.is_finite() && previous.is_finite() && number.is_finite()
}

/// Counts `value`, unless it is NULL. Stores `value` if it is the first one, or if comparing it with the stored value
/// gives `wanted`. `wanted` is `Less` for a minimum and `Greater` for a maximum.
fn keep_min_or_max(words: &mut [u64], value: Value<'_>, wanted: Ordering) {
    let Some(bits) = value_to_bits(value) else { return };
    let stored = match value {
        Value::Double(_) => Value::Double(f64::from_bits(words[1])),
        _ => Value::Long(words[1].cast_signed()),
    };
    if words[0] == 0 || compare_values(value, stored) == Some(wanted) {
        words[1] = bits;
    }
    words[0] += 1;
}

fn keep_earliest(words: &mut [u64], bits: u64, at: EventTime) {
    if words[0] == 0 || at < time_from_word(words[2]) {
        words[1] = bits;
        words[2] = at.ms().cast_unsigned();
    }
    words[0] += 1;
}

fn keep_latest(words: &mut [u64], bits: u64, at: EventTime) {
    if words[0] == 0 || at >= time_from_word(words[2]) {
        words[1] = bits;
        words[2] = at.ms().cast_unsigned();
    }
    words[0] += 1;
}

fn widen_duration(words: &mut [u64], first: EventTime, last: EventTime, count: u64) {
    if words[0] == 0 || first < time_from_word(words[1]) {
        words[1] = first.ms().cast_unsigned();
    }
    if words[0] == 0 || last > time_from_word(words[2]) {
        words[2] = last.ms().cast_unsigned();
    }
    words[0] += count;
}

fn time_from_word(word: u64) -> EventTime {
    EventTime::from_ms(word.cast_signed())
}

fn value_as_double(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Double(number) => Some(number),
        // A mean of longs is a double, rounded beyond 2⁵³.
        Value::Long(number) => Some(number as f64),
        _ => None,
    }
}

fn value_to_bits(value: Value<'_>) -> Option<u64> {
    match value {
        Value::Double(number) => Some(number.to_bits()),
        Value::Long(number) => Some(number.cast_unsigned()),
        Value::Boolean(truth) => Some(u64::from(truth)),
        Value::Null | Value::String(_) => None,
    }
}

fn value_from_bits(bits: u64, field_type: FieldType) -> Value<'static> {
    match field_type {
        FieldType::Double => Value::Double(f64::from_bits(bits)),
        FieldType::Long => Value::Long(bits.cast_signed()),
        FieldType::Boolean => Value::Boolean(bits != 0),
        FieldType::String => Value::Null,
    }
}
