//! `where` conditions, compiled to a small tree that is evaluated once per event and feature.
//!
//! Owns: the evaluation of a condition in SQL's three-valued logic (true, false, unknown). Does not own: parsing and
//! type checks (the spec crate). The spec crate rejects comparisons of incomparable types, so the evaluation never
//! meets such a comparison.

use std::cmp::Ordering;

use crate::event::FieldId;
use crate::value::{Literal, Value};

/// A comparison operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ComparisonOperator {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl ComparisonOperator {
    fn accepts_ordering(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// One side of a comparison.
#[derive(Clone, PartialEq, Debug)]
pub enum Operand {
    /// A field of the event.
    Field(FieldId),
    /// A constant, or `None` for `NULL`.
    Literal(Option<Literal>),
}

impl Operand {
    fn resolve_value<'a>(&'a self, fields: &[Value<'a>]) -> Value<'a> {
        match self {
            Self::Field(id) => fields[id.0],
            Self::Literal(literal) => literal.as_ref().map_or(Value::Null, Literal::as_value),
        }
    }
}

/// A condition over an event's fields.
#[derive(Clone, PartialEq, Debug)]
pub enum Condition {
    /// A comparison of two operands; unknown when at least one operand is NULL.
    Compare(Operand, ComparisonOperator, Operand),
    /// `operand IN (list)`. The result is unknown when the operand is NULL. It is also unknown when the list contains
    /// NULL, but no value that equals the operand.
    In(Operand, Vec<Operand>),
    /// `operand IS NULL`; never unknown.
    IsNull(Operand),
    /// A boolean field or constant as a condition of its own, such as `flag` in `flag AND price > 1`.
    IsTrue(Operand),
    /// True when both conditions are true.
    And(Box<Condition>, Box<Condition>),
    /// True when at least one condition is true.
    Or(Box<Condition>, Box<Condition>),
    /// True when the condition is false, and false when it is true. Unknown stays unknown.
    Not(Box<Condition>),
}

impl Condition {
    /// Returns `true` if the condition is true for an event with the values `fields`. Returns `false` if the condition
    /// is false or unknown.
    #[must_use]
    pub fn matches(&self, fields: &[Value<'_>]) -> bool {
        self.evaluate_three_valued(fields) == Some(true)
    }

    /// Returns the truth value of the condition, or `None` for SQL's "unknown".
    fn evaluate_three_valued(&self, fields: &[Value<'_>]) -> Option<bool> {
        match self {
            Self::Compare(left, comparison, right) => {
                compare_values(left.resolve_value(fields), right.resolve_value(fields))
                    .map(|ordering| comparison.accepts_ordering(ordering))
            }
            Self::In(operand, list) => {
                let value = operand.resolve_value(fields);
                let mut unknown = false;
                for candidate in list {
                    match compare_values(value, candidate.resolve_value(fields)) {
                        Some(Ordering::Equal) => return Some(true),
                        Some(_) => {}
                        None => unknown = true,
                    }
                }
                if unknown { None } else { Some(false) }
            }
            Self::IsNull(operand) => Some(operand.resolve_value(fields) == Value::Null),
            Self::IsTrue(operand) => match operand.resolve_value(fields) {
                Value::Boolean(truth) => Some(truth),
                _ => None,
            },
            Self::And(left, right) => match left.evaluate_three_valued(fields) {
                Some(false) => Some(false),
                Some(true) => right.evaluate_three_valued(fields),
                None => right.evaluate_three_valued(fields).filter(|truth| !truth),
            },
            Self::Or(left, right) => match left.evaluate_three_valued(fields) {
                Some(true) => Some(true),
                Some(false) => right.evaluate_three_valued(fields),
                None => right.evaluate_three_valued(fields).filter(|truth| *truth),
            },
            Self::Not(inner) => inner.evaluate_three_valued(fields).map(|truth| !truth),
        }
    }
}

/// Compares two values. Returns `None` where SQL's comparison is "unknown", for example when a value is NULL.
pub(crate) fn compare_values(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Long(left), Value::Long(right)) => Some(left.cmp(&right)),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(&right),
        (Value::Long(left), Value::Double(right)) => compare_long_double(left, right),
        (Value::Double(left), Value::Long(right)) => compare_long_double(right, left).map(Ordering::reverse),
        (Value::Boolean(left), Value::Boolean(right)) => Some(left.cmp(&right)),
        _ => None,
    }
}

/// Compares a long with a double exactly. A conversion of the long to a double would round a long beyond 2⁵³, so the
/// comparison does not convert it.
#[expect(clippy::cast_possible_truncation, reason = "the value is within the range of i64 here")]
fn compare_long_double(long: i64, double: f64) -> Option<Ordering> {
    const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        return None;
    }
    if double >= TWO_POW_63 {
        return Some(Ordering::Less);
    }
    if double < -TWO_POW_63 {
        return Some(Ordering::Greater);
    }
    let whole = double.trunc();
    Some(long.cmp(&(whole as i64)).then_with(|| whole.partial_cmp(&double).unwrap_or(Ordering::Equal)))
}
