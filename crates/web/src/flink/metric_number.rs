//! The value of a metric in an answer of Flink's API.

/// The value of a metric. Counts and times are integers, so that they stay exact; rates are floats.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum MetricNumber {
    Integer(i64),
    Float(f64),
}

impl MetricNumber {
    pub(super) fn from_count(count: u64) -> Self {
        Self::Integer(i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub(super) fn to_text(self) -> String {
        match self {
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => format!("{number:?}"),
        }
    }

    pub(super) fn to_float(self) -> f64 {
        match self {
            // Flink rounds in the same way.
            Self::Integer(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}
