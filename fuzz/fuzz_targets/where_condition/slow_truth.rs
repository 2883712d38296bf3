//! SQL's three truth values as the standard defines them. False, unknown and true are 0, 1 and 2. AND is the minimum, OR the
//! maximum, NOT the distance from 2.

use std::cmp::Ordering;

use windrow_core::{ComparisonOperator, Condition, Literal, Operand, Value};

const FALSE: u8 = 0;
const UNKNOWN: u8 = 1;
const TRUE: u8 = 2;

/// Returns whether `condition` is true, and not merely unknown.
pub(crate) fn is_true(condition: &Condition, fields: &[Value<'_>]) -> bool {
    truth(condition, fields) == TRUE
}

fn truth(condition: &Condition, fields: &[Value<'_>]) -> u8 {
    match condition {
        Condition::Compare(left, comparison, right) => {
            compare(value(left, fields), value(right, fields)).map_or(UNKNOWN, |ordering| {
                known(match comparison {
                    ComparisonOperator::Equal => ordering == Ordering::Equal,
                    ComparisonOperator::NotEqual => ordering != Ordering::Equal,
                    ComparisonOperator::Less => ordering == Ordering::Less,
                    ComparisonOperator::LessOrEqual => ordering != Ordering::Greater,
                    ComparisonOperator::Greater => ordering == Ordering::Greater,
                    ComparisonOperator::GreaterOrEqual => ordering != Ordering::Less,
                })
            })
        }
        Condition::In(operand, list) => {
            let equals = |one: &Operand| {
                compare(value(operand, fields), value(one, fields)).map_or(UNKNOWN, |found| known(found.is_eq()))
            };
            list.iter().map(equals).max().unwrap_or(FALSE)
        }
        Condition::IsNull(operand) => known(value(operand, fields) == Value::Null),
        Condition::IsTrue(operand) => match value(operand, fields) {
            Value::Boolean(truth) => known(truth),
            _ => UNKNOWN,
        },
        Condition::And(left, right) => truth(left, fields).min(truth(right, fields)),
        Condition::Or(left, right) => truth(left, fields).max(truth(right, fields)),
        Condition::Not(inner) => TRUE - truth(inner, fields),
    }
}

fn known(holds: bool) -> u8 {
    if holds { TRUE } else { FALSE }
}

fn value<'a>(operand: &'a Operand, fields: &[Value<'a>]) -> Value<'a> {
    match operand {
        Operand::Field(id) => fields[id.0],
        Operand::Literal(None) => Value::Null,
        Operand::Literal(Some(Literal::String(text))) => Value::String(text),
        Operand::Literal(Some(Literal::Double(number))) => Value::Double(*number),
        Operand::Literal(Some(Literal::Long(number))) => Value::Long(*number),
        Operand::Literal(Some(Literal::Boolean(truth))) => Value::Boolean(*truth),
    }
}

/// Compares doubles and longs exactly. A double is split at its decimal point; its whole part fits 128 bits or is beyond all
/// longs.
fn compare(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Boolean(left), Value::Boolean(right)) => Some(left.cmp(&right)),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(&right),
        (left, right) => {
            let ((left, left_rest), (right, right_rest)) = (number(left)?, number(right)?);
            left.cmp(&right).then(left_rest.partial_cmp(&right_rest)?).into()
        }
    }
}

/// Returns the greatest integer that is not above `value`, and the remainder.
fn number(value: Value<'_>) -> Option<(i128, f64)> {
    match value {
        Value::Long(number) => Some((number.into(), 0.0)),
        Value::Double(number) => Some((number.floor() as i128, number - number.floor())),
        _ => None,
    }
}
