//! Compiles the syntax tree of a SQL expression to the core's [`Condition`], and checks the types.
//!
//! Owns: the rule that says which types can be compared. Invariant: a long chain of ANDs or ORs compiles to a balanced
//! tree, so its evaluation never recurses deeply.

use sqlparser::ast::{BinaryOperator, Expr, Spanned, UnaryOperator, Value};
use windrow_core::text::first_chars;
use windrow_core::{ComparisonOperator, Condition, FieldId, FieldType, Literal, Operand};

use crate::diagnostics::code::DiagnosticCode;
use crate::read::condition::context::{ConditionContext, MAX_NESTING, SUPPORTED_SQL};
use crate::read::event::FieldLookupResult;

/// The type of an operand. Doubles and longs share one type here, because a double can be compared with a long.
#[derive(Clone, Copy, PartialEq, Debug)]
enum OperandType {
    Text,
    Number,
    Boolean,
    /// The type of NULL, and of a field whose declaration has a mistake. It can be compared with every type.
    Unknown,
}

impl OperandType {
    fn from_field_type(field_type: FieldType) -> Self {
        match field_type {
            FieldType::String => Self::Text,
            FieldType::Double | FieldType::Long => Self::Number,
            FieldType::Boolean => Self::Boolean,
        }
    }

    fn is_comparable_with(self, other: Self) -> bool {
        self == other || self == Self::Unknown || other == Self::Unknown
    }

    fn describe_operand_type(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Unknown => "NULL",
        }
    }
}

/// Compiles `expression`. If `expression` has mistakes, reports all of them and returns `None`.
pub(super) fn compile_condition(
    expression: &Expr,
    depth: usize,
    context: &mut ConditionContext<'_, '_, '_>,
) -> Option<Condition> {
    if depth > MAX_NESTING {
        context.report_too_deep();
        return None;
    }
    match expression {
        Expr::Nested(inner) => compile_condition(inner, depth + 1, context),
        Expr::BinaryOp { op: BinaryOperator::And, .. } => {
            compile_and_or_chain(expression, &BinaryOperator::And, Condition::And, depth, context)
        }
        Expr::BinaryOp { op: BinaryOperator::Or, .. } => {
            compile_and_or_chain(expression, &BinaryOperator::Or, Condition::Or, depth, context)
        }
        Expr::BinaryOp { left, op, right } => {
            let Some(comparison) = compile_operator(op) else { return report_unsupported(expression, context) };
            let sides = (compile_operand(left, context), compile_operand(right, context));
            let (left_side, right_side) = (sides.0?, sides.1?);
            require_comparable_types(left, left_side.1, right, right_side.1, context)?;
            Some(Condition::Compare(left_side.0, comparison, right_side.0))
        }
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => Some(negate(compile_condition(expr, depth + 1, context)?)),
        Expr::IsNull(inner) => Some(Condition::IsNull(compile_operand(inner, context)?.0)),
        Expr::IsNotNull(inner) => Some(negate(Condition::IsNull(compile_operand(inner, context)?.0))),
        Expr::InList { expr, list, negated } => {
            let searched = compile_operand(expr, context);
            let candidates: Vec<_> = list.iter().map(|one| (one, compile_operand(one, context))).collect();
            let (searched, kind) = searched?;
            let mut operands = Vec::with_capacity(candidates.len());
            for (one, candidate) in candidates {
                let (candidate, candidate_kind) = candidate?;
                require_comparable_types(expr, kind, one, candidate_kind, context)?;
                operands.push(candidate);
            }
            let within = Condition::In(searched, operands);
            Some(if *negated { negate(within) } else { within })
        }
        Expr::Identifier(_) | Expr::Value(_) => {
            let (single, kind) = compile_operand(expression, context)?;
            if !kind.is_comparable_with(OperandType::Boolean) {
                let range = context.byte_range(expression.span());
                let message =
                    format!("this is {}, but a condition must be true or false", kind.describe_operand_type());
                context.report(DiagnosticCode::TypeMismatch, range, &message, "a comparison or a boolean field");
                return None;
            }
            Some(Condition::IsTrue(single))
        }
        _ => report_unsupported(expression, context),
    }
}

fn negate(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

/// Compiles a chain such as `a AND b AND c` into a balanced tree. The parser returns the chain as the unbalanced tree
/// `((a AND b) AND c)`.
fn compile_and_or_chain(
    expression: &Expr,
    operator: &BinaryOperator,
    join: fn(Box<Condition>, Box<Condition>) -> Condition,
    depth: usize,
    context: &mut ConditionContext<'_, '_, '_>,
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
    let compiled: Vec<_> = members.into_iter().rev().map(|one| compile_condition(one, depth + 1, context)).collect();
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

fn compile_operator(operator: &BinaryOperator) -> Option<ComparisonOperator> {
    Some(match operator {
        BinaryOperator::Eq => ComparisonOperator::Equal,
        BinaryOperator::NotEq => ComparisonOperator::NotEqual,
        BinaryOperator::Lt => ComparisonOperator::Less,
        BinaryOperator::LtEq => ComparisonOperator::LessOrEqual,
        BinaryOperator::Gt => ComparisonOperator::Greater,
        BinaryOperator::GtEq => ComparisonOperator::GreaterOrEqual,
        _ => return None,
    })
}

fn require_comparable_types(
    left: &Expr,
    left_kind: OperandType,
    right: &Expr,
    right_kind: OperandType,
    context: &mut ConditionContext<'_, '_, '_>,
) -> Option<()> {
    if left_kind.is_comparable_with(right_kind) {
        return Some(());
    }
    let (literal, kind, other) = match (left, right) {
        (Expr::Value(_), Expr::Identifier(_)) => (left, left_kind, right_kind),
        _ => (right, right_kind, left_kind),
    };
    let range = context.byte_range(literal.span());
    let hint = match (literal, kind, other) {
        (Expr::Value(_), OperandType::Number, OperandType::Text) => {
            Some(format!("write the number as text: '{}'", &context.text[range.clone()]))
        }
        (Expr::Value(_), OperandType::Text, OperandType::Number | OperandType::Boolean) => {
            Some("write the value without quotes".to_owned())
        }
        _ => None,
    };
    let message =
        format!("this is {}, but it is compared with {}", kind.describe_operand_type(), other.describe_operand_type());
    context.report(DiagnosticCode::TypeMismatch, range, &message, other.describe_operand_type()).set_hint(hint);
    None
}

/// Compiles a field or a literal. Returns the operand and its type.
fn compile_operand(expression: &Expr, context: &mut ConditionContext<'_, '_, '_>) -> Option<(Operand, OperandType)> {
    let mut expression = expression;
    while let Expr::Nested(inner) = expression {
        expression = inner;
    }
    let literal = match expression {
        Expr::Identifier(name) => {
            return Some(match context.event_fields.find_field(&name.value) {
                FieldLookupResult::Found(field, field_type) => {
                    (Operand::Field(field), field_type.map_or(OperandType::Unknown, OperandType::from_field_type))
                }
                // The section `[event]` has mistakes, so the pipeline is rejected in any case. The compiled condition
                // is never used, so any field can stand for the unknown field.
                FieldLookupResult::Undetermined => (Operand::Field(FieldId(0)), OperandType::Unknown),
                // `require_supported_tokens` has reported undeclared fields before the parser ran. So this name is not
                // a field but a keyword at a wrong position.
                FieldLookupResult::Undeclared { .. } => {
                    let range = context.byte_range(name.span);
                    let message = format!("`{}` is not allowed here", name.value);
                    context.report(DiagnosticCode::BadCondition, range, &message, "a field or a value");
                    return None;
                }
            });
        }
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match expr.as_ref() {
            Expr::Value(value) => match &value.value {
                Value::Number(digits, _) => Some(parse_number(&format!("-{digits}"))),
                _ => None,
            },
            _ => None,
        },
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some((Some(Literal::String(text.as_str().into())), OperandType::Text)),
            Value::Number(digits, _) => Some(parse_number(digits)),
            Value::Boolean(truth) => Some((Some(Literal::Boolean(*truth)), OperandType::Boolean)),
            Value::Null => Some((None, OperandType::Unknown)),
            _ => None,
        },
        _ => None,
    };
    match literal {
        Some((Some(Literal::Double(number)), _)) if !number.is_finite() => {
            let range = context.byte_range(expression.span());
            context.report(
                DiagnosticCode::OutOfRange,
                range,
                "this number is too large",
                "a number within the range of a double",
            );
            None
        }
        Some((literal, kind)) => Some((Operand::Literal(literal), kind)),
        None => report_unsupported(expression, context),
    }
}

/// Parses `digits` as a long. If `digits` is not a 64-bit integer, parses it as a double.
fn parse_number(digits: &str) -> (Option<Literal>, OperandType) {
    let integer = digits.parse().map(Literal::Long);
    let literal = integer.unwrap_or_else(|_| Literal::Double(digits.parse().unwrap_or(f64::INFINITY)));
    (Some(literal), OperandType::Number)
}

fn report_unsupported<T>(expression: &Expr, context: &mut ConditionContext<'_, '_, '_>) -> Option<T> {
    let range = context.byte_range(expression.span());
    let shown = first_chars(&context.text[range.clone()], 60);
    let (what, hint) = match expression {
        Expr::IsTrue(_) | Expr::IsFalse(_) | Expr::IsNotTrue(_) | Expr::IsNotFalse(_) => {
            ("IS TRUE and IS FALSE", Some("write only the boolean field: `flag` or `NOT flag`"))
        }
        Expr::BinaryOp { .. } | Expr::UnaryOp { .. } => (
            "arithmetic and comparisons of comparisons",
            Some("compare a field with a value, and join comparisons with AND and OR"),
        ),
        _ => (shown, None),
    };
    let message = if hint.is_some() {
        format!("a condition cannot use {what}")
    } else {
        format!("a condition cannot use `{what}`")
    };
    context
        .report(DiagnosticCode::UnsupportedCondition, range, &message, SUPPORTED_SQL)
        .set_hint(hint.map(str::to_owned));
    None
}
