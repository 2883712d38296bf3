//! Compiles the tree of a condition to the core's [`Condition`], and checks the types.
//!
//! Owns: the rule that says which types can be compared. Invariant: a long chain of ANDs or ORs compiles to a balanced
//! tree, so its evaluation never recurses deeply.

use std::ops::Range;

use windrow_core::{ComparisonOperator, Condition, FieldId, FieldType, Literal, Operand};

use crate::diagnostics::code::DiagnosticCode;
use crate::read::condition::grammar::{SqlExpression, SqlExpressionKind};
use crate::read::condition::mistake::ConditionMistake;
use crate::read::event::{EventFields, FieldLookupResult};

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

    fn from_literal(literal: &Literal) -> Self {
        match literal {
            Literal::String(_) => Self::Text,
            Literal::Double(_) | Literal::Long(_) => Self::Number,
            Literal::Boolean(_) => Self::Boolean,
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

/// An operand with its type and its location in the condition's text, in bytes.
struct TypedOperand {
    operand: Operand,
    operand_type: OperandType,
    range: Range<usize>,
}

impl TypedOperand {
    fn is_literal(&self) -> bool {
        matches!(self.operand, Operand::Literal(_))
    }

    fn is_null(&self) -> bool {
        matches!(self.operand, Operand::Literal(None))
    }
}

/// Compiles `expression`, the tree of the condition `text`.
pub(super) fn compile_expression(
    expression: &SqlExpression,
    text: &str,
    event_fields: &EventFields,
) -> Result<Condition, Vec<ConditionMistake>> {
    let mut compiler = ConditionCompiler { text, event_fields, mistakes: Vec::new() };
    compiler.compile_expression(expression).ok_or(compiler.mistakes)
}

struct ConditionCompiler<'a> {
    text: &'a str,
    event_fields: &'a EventFields,
    mistakes: Vec<ConditionMistake>,
}

impl ConditionCompiler<'_> {
    /// Compiles `expression` to a condition. Returns `None` if `expression` has mistakes.
    fn compile_expression(&mut self, expression: &SqlExpression) -> Option<Condition> {
        Some(match &expression.kind {
            SqlExpressionKind::Or(members) => self.compile_chain(members, Condition::Or)?,
            SqlExpressionKind::And(members) => self.compile_chain(members, Condition::And)?,
            SqlExpressionKind::Not(inner) => Condition::Not(Box::new(self.compile_expression(inner)?)),
            SqlExpressionKind::Compare(left, operator, right) => {
                let (left, right) = (self.compile_operand(left), self.compile_operand(right));
                let (left, right) = (left?, right?);
                self.require_no_null(&left, *operator, &right)?;
                self.require_comparable_types(&left, &right)?;
                Condition::Compare(left.operand, *operator, right.operand)
            }
            SqlExpressionKind::In(searched, list) => {
                let searched = self.compile_operand(searched);
                let list: Vec<_> = list.iter().map(|one| self.compile_operand(one)).collect();
                let searched = searched?;
                if searched.is_null() {
                    self.report_null(searched.range, "a comparison with NULL is never true", None);
                    return None;
                }
                let list = list.into_iter().map(|one| {
                    let one = one?;
                    if one.is_null() {
                        let field = &self.text[searched.range.clone()];
                        let hint = format!("leave NULL out of the list; `{field} IS NULL` finds missing values");
                        self.report_null(one.range, "no value equals a NULL in a list", Some(hint));
                        return None;
                    }
                    self.require_comparable_types(&searched, &one)?;
                    Some(one.operand)
                });
                let list: Vec<_> = list.collect();
                Condition::In(searched.operand, list.into_iter().collect::<Option<_>>()?)
            }
            SqlExpressionKind::IsNull(operand) => Condition::IsNull(self.compile_operand(operand)?.operand),
            SqlExpressionKind::Field(_) | SqlExpressionKind::Literal(_) => {
                let single = self.compile_operand(expression)?;
                if single.is_null() {
                    self.report_null(single.range, "NULL is never true", None);
                    return None;
                }
                if !single.operand_type.is_comparable_with(OperandType::Boolean) {
                    let found = single.operand_type.describe_operand_type();
                    let message = format!("this is {found}, but a condition must be true or false");
                    let expected = "a comparison or a boolean field";
                    let code = DiagnosticCode::TypeMismatch;
                    self.mistakes.push(ConditionMistake::new(code, single.range, message, expected));
                    return None;
                }
                Condition::IsTrue(single.operand)
            }
        })
    }

    /// Compiles a chain such as `a AND b AND c` to a balanced tree.
    fn compile_chain(
        &mut self,
        members: &[SqlExpression],
        join: fn(Box<Condition>, Box<Condition>) -> Condition,
    ) -> Option<Condition> {
        let compiled: Vec<_> = members.iter().map(|one| self.compile_expression(one)).collect();
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

    /// Compiles a field or a literal.
    fn compile_operand(&mut self, expression: &SqlExpression) -> Option<TypedOperand> {
        let range = expression.range.clone();
        let (operand, operand_type) = match &expression.kind {
            SqlExpressionKind::Field(name) => match self.event_fields.find_field(name) {
                FieldLookupResult::Found(field, field_type) => {
                    (Operand::Field(field), field_type.map_or(OperandType::Unknown, OperandType::from_field_type))
                }
                // The section `[event]` has mistakes, so the pipeline is rejected in any case. The compiled condition
                // is never used, so any field can stand for the unknown field. `find_unsupported_tokens` has reported
                // fields that are not declared.
                FieldLookupResult::Undetermined | FieldLookupResult::Undeclared { .. } => {
                    (Operand::Field(FieldId(0)), OperandType::Unknown)
                }
            },
            SqlExpressionKind::Literal(literal) => {
                let operand_type = literal.as_ref().map_or(OperandType::Unknown, OperandType::from_literal);
                (Operand::Literal(literal.clone()), operand_type)
            }
            _ => {
                let mistake = ConditionMistake::unsupported(range, "comparisons of comparisons");
                let hint = "compare a field with a value, and join comparisons with AND and OR";
                self.mistakes.push(mistake.with_hint(Some(hint)));
                return None;
            }
        };
        Some(TypedOperand { operand, operand_type, range })
    }

    /// Reports a comparison with the literal NULL, because SQL never finds it true.
    fn require_no_null(
        &mut self,
        left: &TypedOperand,
        operator: ComparisonOperator,
        right: &TypedOperand,
    ) -> Option<()> {
        let tested = match (left.is_null(), right.is_null()) {
            (false, false) => return Some(()),
            (true, true) => None,
            (false, true) => Some(left),
            (true, false) => Some(right),
        };
        let test = if operator == ComparisonOperator::NotEqual { "IS NOT NULL" } else { "IS NULL" };
        let hint = tested.map(|operand| format!("write `{} {test}`", &self.text[operand.range.clone()]));
        self.report_null(left.range.start..right.range.end, "a comparison with NULL is never true", hint);
        None
    }

    fn report_null(&mut self, range: Range<usize>, message: &str, hint: Option<String>) {
        let expected = "a value, or a test with IS NULL or IS NOT NULL";
        let mistake = ConditionMistake::new(DiagnosticCode::BadCondition, range, message, expected);
        self.mistakes.push(mistake.with_hint(hint));
    }

    fn require_comparable_types(&mut self, left: &TypedOperand, right: &TypedOperand) -> Option<()> {
        if left.operand_type.is_comparable_with(right.operand_type) {
            return Some(());
        }
        let (wrong, other) = if left.is_literal() && !right.is_literal() { (left, right) } else { (right, left) };
        let hint = match (wrong.is_literal(), wrong.operand_type, other.operand_type) {
            (true, OperandType::Number, OperandType::Text) => {
                Some(format!("write the number as text: '{}'", &self.text[wrong.range.clone()]))
            }
            (true, OperandType::Text, OperandType::Number | OperandType::Boolean) => {
                Some("write the value without quotes".to_owned())
            }
            _ => None,
        };
        let expected = other.operand_type.describe_operand_type();
        let found = wrong.operand_type.describe_operand_type();
        let message = format!("this is {found}, but it is compared with {expected}");
        let mistake = ConditionMistake::new(DiagnosticCode::TypeMismatch, wrong.range.clone(), message, expected);
        self.mistakes.push(mistake.with_hint(hint));
        None
    }
}
