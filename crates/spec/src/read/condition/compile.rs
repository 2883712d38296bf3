//! SQL's syntax tree to the core's [`Condition`], with the types checked.
//!
//! Owns: what can be compared with what. Invariant: the depth of a compiled condition grows with the logarithm of a
//! chain of ANDs or ORs, so evaluating one never runs deep.

use sqlparser::ast::{BinaryOperator, Expr, Spanned, UnaryOperator, Value};
use windrow_core::{Comparison, Condition, FieldId, FieldType, Literal, Operand};

use super::{DEEPEST, OFFERED, Reader};
use crate::{diagnostics::Code, read::event::Lookup};

/// What an operand holds, as far as comparing goes.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Text,
    Number,
    Boolean,
    /// NULL, or a field whose declaration is a mistake: goes with everything.
    Open,
}

impl Kind {
    fn of(field_type: FieldType) -> Self {
        match field_type {
            FieldType::String => Self::Text,
            FieldType::Double | FieldType::Long => Self::Number,
            FieldType::Boolean => Self::Boolean,
        }
    }

    fn goes_with(self, other: Self) -> bool {
        self == other || self == Self::Open || other == Self::Open
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Open => "NULL",
        }
    }
}

/// Compiles `expression`, noting every mistake in it.
pub(super) fn condition(expression: &Expr, depth: usize, reader: &mut Reader<'_, '_, '_>) -> Option<Condition> {
    if depth > DEEPEST {
        reader.too_deep();
        return None;
    }
    match expression {
        Expr::Nested(inner) => condition(inner, depth + 1, reader),
        Expr::BinaryOp { op: BinaryOperator::And, .. } => {
            chain(expression, &BinaryOperator::And, Condition::And, depth, reader)
        }
        Expr::BinaryOp { op: BinaryOperator::Or, .. } => {
            chain(expression, &BinaryOperator::Or, Condition::Or, depth, reader)
        }
        Expr::BinaryOp { left, op, right } => {
            let Some(comparison) = comparison(op) else { return unsupported(expression, reader) };
            let sides = (operand(left, reader), operand(right, reader));
            let (left_side, right_side) = (sides.0?, sides.1?);
            comparable(left, left_side.1, right, right_side.1, reader)?;
            Some(Condition::Compare(left_side.0, comparison, right_side.0))
        }
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => Some(not(condition(expr, depth + 1, reader)?)),
        Expr::IsNull(inner) => Some(Condition::IsNull(operand(inner, reader)?.0)),
        Expr::IsNotNull(inner) => Some(not(Condition::IsNull(operand(inner, reader)?.0))),
        Expr::InList { expr, list, negated } => {
            let searched = operand(expr, reader);
            let candidates: Vec<_> = list.iter().map(|one| (one, operand(one, reader))).collect();
            let (searched, kind) = searched?;
            let mut operands = Vec::with_capacity(candidates.len());
            for (one, candidate) in candidates {
                let (candidate, candidate_kind) = candidate?;
                comparable(expr, kind, one, candidate_kind, reader)?;
                operands.push(candidate);
            }
            let within = Condition::In(searched, operands);
            Some(if *negated { not(within) } else { within })
        }
        Expr::Identifier(_) | Expr::Value(_) => {
            let (single, kind) = operand(expression, reader)?;
            if !kind.goes_with(Kind::Boolean) {
                let range = reader.range(expression.span());
                let message = format!("this is {}, which is neither true nor false", kind.name());
                reader.note(Code::TypeMismatch, range, &message, "a comparison or a boolean field");
                return None;
            }
            Some(Condition::IsTrue(single))
        }
        _ => unsupported(expression, reader),
    }
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

/// All members of a chain such as `a AND b AND c`, which the parser nests to the left, joined as a balanced tree.
fn chain(
    expression: &Expr,
    operator: &BinaryOperator,
    join: fn(Box<Condition>, Box<Condition>) -> Condition,
    depth: usize,
    reader: &mut Reader<'_, '_, '_>,
) -> Option<Condition> {
    let mut members = Vec::new();
    let mut rest = expression;
    while let Expr::BinaryOp { left, op, right } = rest
        && op == operator
    {
        members.push(right.as_ref());
        rest = left;
    }
    members.push(rest);
    let compiled: Vec<_> = members.into_iter().rev().map(|one| condition(one, depth + 1, reader)).collect();
    let mut level: Vec<Condition> = compiled.into_iter().collect::<Option<_>>()?;
    while level.len() > 1 {
        let mut pairs = level.into_iter();
        level = std::iter::from_fn(|| {
            let left = pairs.next()?;
            Some(match pairs.next() {
                Some(right) => join(Box::new(left), Box::new(right)),
                None => left,
            })
        })
        .collect();
    }
    level.pop()
}

fn comparison(operator: &BinaryOperator) -> Option<Comparison> {
    Some(match operator {
        BinaryOperator::Eq => Comparison::Equal,
        BinaryOperator::NotEq => Comparison::NotEqual,
        BinaryOperator::Lt => Comparison::Less,
        BinaryOperator::LtEq => Comparison::LessOrEqual,
        BinaryOperator::Gt => Comparison::Greater,
        BinaryOperator::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn comparable(
    left: &Expr,
    left_kind: Kind,
    right: &Expr,
    right_kind: Kind,
    reader: &mut Reader<'_, '_, '_>,
) -> Option<()> {
    if left_kind.goes_with(right_kind) {
        return Some(());
    }
    let (literal, kind, other) = match (left, right) {
        (Expr::Value(_), Expr::Identifier(_)) => (left, left_kind, right_kind),
        _ => (right, right_kind, left_kind),
    };
    let range = reader.range(literal.span());
    let hint = match (literal, kind, other) {
        (Expr::Value(_), Kind::Number, Kind::Text) => Some(format!("as text: '{}'", &reader.text[range.clone()])),
        (Expr::Value(_), Kind::Text, Kind::Number | Kind::Boolean) => Some("without the quotes".to_owned()),
        _ => None,
    };
    let message = format!("this is {}, but it is compared with {}", kind.name(), other.name());
    reader.note(Code::TypeMismatch, range, &message, other.name()).hint(hint);
    None
}

/// A field or a literal, and what it holds.
fn operand(expression: &Expr, reader: &mut Reader<'_, '_, '_>) -> Option<(Operand, Kind)> {
    let mut expression = expression;
    while let Expr::Nested(inner) = expression {
        expression = inner;
    }
    let literal = match expression {
        Expr::Identifier(name) => {
            return Some(match reader.words.find(&name.value) {
                Lookup::Found(field, field_type) => (Operand::Field(field), field_type.map_or(Kind::Open, Kind::of)),
                // A stand-in: the pipeline is refused for the event's own mistakes.
                Lookup::Unclear => (Operand::Field(FieldId(0)), Kind::Open),
                // Undeclared words are noted before; this is a keyword where the parser takes it for a name.
                Lookup::Undeclared { .. } => {
                    let range = reader.range(name.span);
                    let message = format!("`{}` cannot stand here", name.value);
                    reader.note(Code::BadCondition, range, &message, "a field or a value");
                    return None;
                }
            });
        }
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match expr.as_ref() {
            Expr::Value(value) => match &value.value {
                Value::Number(digits, _) => Some(number(&format!("-{digits}"))),
                _ => None,
            },
            _ => None,
        },
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some((Some(Literal::String(text.as_str().into())), Kind::Text)),
            Value::Number(digits, _) => Some(number(digits)),
            Value::Boolean(truth) => Some((Some(Literal::Boolean(*truth)), Kind::Boolean)),
            Value::Null => Some((None, Kind::Open)),
            _ => None,
        },
        _ => None,
    };
    match literal {
        Some((Some(Literal::Double(number)), _)) if !number.is_finite() => {
            let range = reader.range(expression.span());
            reader.note(Code::OutOfRange, range, "this number is too large", "a number that a double can hold");
            None
        }
        Some((literal, kind)) => Some((Operand::Literal(literal), kind)),
        None => unsupported(expression, reader),
    }
}

/// An integer where it is one and fits, else a double.
fn number(digits: &str) -> (Option<Literal>, Kind) {
    let integer = digits.parse().map(Literal::Long);
    let literal = integer.unwrap_or_else(|_| Literal::Double(digits.parse().unwrap_or(f64::INFINITY)));
    (Some(literal), Kind::Number)
}

fn unsupported<T>(expression: &Expr, reader: &mut Reader<'_, '_, '_>) -> Option<T> {
    let range = reader.range(expression.span());
    let shown: String = reader.text[range.clone()].chars().take(60).collect();
    let (what, hint) = match expression {
        Expr::IsTrue(_) | Expr::IsFalse(_) | Expr::IsNotTrue(_) | Expr::IsNotFalse(_) => {
            ("IS TRUE and IS FALSE are", Some("a boolean field stands alone: `flag` or `NOT flag`"))
        }
        Expr::BinaryOp { .. } | Expr::UnaryOp { .. } => (
            "arithmetic and comparing comparisons are",
            Some("compare a field with a value, and join comparisons with AND and OR"),
        ),
        _ => (shown.as_str(), None),
    };
    let message =
        if hint.is_some() { format!("{what} not offered here") } else { format!("`{what}` is not offered here") };
    reader.note(Code::UnsupportedCondition, range, &message, OFFERED).hint(hint.map(str::to_owned));
    None
}
