//! Parses the tokens of a condition to a tree.
//!
//! Owns: the order of the tokens, the precedence of the operators, and the limit of their nesting. Does not own: the
//! types of the operands.
//!
//! ```text
//! or_chain   = and_chain { OR and_chain }
//! and_chain  = negation { AND negation }
//! negation   = NOT negation | predicate
//! predicate  = operand { COMPARISON operand | IS [ NOT ] NULL | NOT NULL | [ NOT ] IN list }
//! list       = ( operand { , operand } )
//! operand    = FIELD | LITERAL | ( or_chain )
//! ```

use std::ops::Range;

use windrow_core::{ComparisonOperator, Literal};

use crate::diagnostics::code::DiagnosticCode;
use crate::read::condition::mistake::{ConditionMistake, quote_text};
use crate::read::condition::tokens::{ConditionToken, TokenKind};
use crate::read::event::{EventFields, FieldLookupResult};

/// The deepest nesting of parentheses and NOT in a condition.
const MAX_NESTING: usize = 32;

/// A condition, an operand of a comparison, or a part of one of them.
#[derive(Debug)]
pub(super) struct SqlExpression {
    pub(super) kind: SqlExpressionKind,
    /// The location in the condition's text, in bytes, without the parentheses around the expression.
    pub(super) range: Range<usize>,
}

#[derive(Debug)]
pub(super) enum SqlExpressionKind {
    Or(Vec<SqlExpression>),
    And(Vec<SqlExpression>),
    Not(Box<SqlExpression>),
    Compare(Box<SqlExpression>, ComparisonOperator, Box<SqlExpression>),
    In(Box<SqlExpression>, Vec<SqlExpression>),
    IsNull(Box<SqlExpression>),
    Field(String),
    /// A literal, or `None` for NULL.
    Literal(Option<Literal>),
}

/// Parses the tokens of a condition. The last of them is [`TokenKind::End`].
pub(super) fn parse_tokens(
    tokens: &[ConditionToken<'_>],
    event_fields: &EventFields,
) -> Result<SqlExpression, ConditionMistake> {
    let mut parser = ConditionParser { tokens, next: 0, depth: 0, event_fields };
    let expression = parser.parse_or_chain()?;
    if *parser.peek() == TokenKind::End {
        return Ok(expression);
    }
    let expected = "AND, OR or the end of the condition";
    Err(build_mistake(parser.peek_token(), "the condition is already complete before this text", expected))
}

type ParseResult = Result<SqlExpression, ConditionMistake>;

struct ConditionParser<'t> {
    tokens: &'t [ConditionToken<'t>],
    /// The index of the next token.
    next: usize,
    /// The number of parentheses and NOT around the next token.
    depth: usize,
    event_fields: &'t EventFields,
}

impl<'t> ConditionParser<'t> {
    fn parse_or_chain(&mut self) -> ParseResult {
        self.parse_chain(&TokenKind::Or, Self::parse_and_chain, SqlExpressionKind::Or)
    }

    fn parse_and_chain(&mut self) -> ParseResult {
        self.parse_chain(&TokenKind::And, Self::parse_negation, SqlExpressionKind::And)
    }

    /// Parses members with a `separator` between them. Returns a single member without a chain around it.
    fn parse_chain(
        &mut self,
        separator: &TokenKind,
        parse_member: fn(&mut Self) -> ParseResult,
        build_chain: fn(Vec<SqlExpression>) -> SqlExpressionKind,
    ) -> ParseResult {
        let first = parse_member(self)?;
        if self.peek() != separator {
            return Ok(first);
        }
        let mut range = first.range.clone();
        let mut members = vec![first];
        while self.take_if(separator) {
            let member = parse_member(self)?;
            range.end = member.range.end;
            members.push(member);
        }
        Ok(SqlExpression { kind: build_chain(members), range })
    }

    fn parse_negation(&mut self) -> ParseResult {
        let start = self.peek_token().range.start;
        if !self.take_if(&TokenKind::Not) {
            return self.parse_predicate();
        }
        Ok(negate(self.parse_nested(Self::parse_negation)?, start))
    }

    fn parse_predicate(&mut self) -> ParseResult {
        let mut left = self.parse_operand()?;
        loop {
            left = match self.peek() {
                TokenKind::Comparison(operator) => self.parse_comparison(left, *operator)?,
                TokenKind::Is | TokenKind::In | TokenKind::Not => self.parse_null_or_in_test(left)?,
                _ => return Ok(left),
            };
        }
    }

    fn parse_comparison(&mut self, left: SqlExpression, operator: ComparisonOperator) -> ParseResult {
        self.next += 1;
        let right = self.parse_operand()?;
        let range = left.range.start..right.range.end;
        Ok(SqlExpression { kind: SqlExpressionKind::Compare(Box::new(left), operator, Box::new(right)), range })
    }

    /// Parses the rest of `operand IS NULL` or `operand IN (…)`, with or without NOT. `operand NOT NULL` stands for
    /// `operand IS NOT NULL`.
    fn parse_null_or_in_test(&mut self, operand: SqlExpression) -> ParseResult {
        let start = operand.range.start;
        let has_is = self.take_if(&TokenKind::Is);
        let has_not = self.take_if(&TokenKind::Not);
        let kind = if !has_is && self.take_if(&TokenKind::In) {
            SqlExpressionKind::In(Box::new(operand), self.parse_list()?)
        } else {
            let expected = match (has_is, has_not) {
                (true, true) => "NULL",
                (true, false) => "NULL or NOT NULL",
                (false, _) => "IN",
            };
            self.require(&TokenKind::Literal(None), expected)?;
            SqlExpressionKind::IsNull(Box::new(operand))
        };
        let test = SqlExpression { kind, range: start..self.tokens[self.next - 1].range.end };
        Ok(if has_not { negate(test, start) } else { test })
    }

    fn parse_list(&mut self) -> Result<Vec<SqlExpression>, ConditionMistake> {
        self.require(&TokenKind::OpeningParenthesis, "`(`")?;
        let mut members = vec![self.parse_operand()?];
        while self.take_if(&TokenKind::Comma) {
            members.push(self.parse_operand()?);
        }
        self.require(&TokenKind::ClosingParenthesis, "`,` or `)`")?;
        Ok(members)
    }

    fn parse_operand(&mut self) -> ParseResult {
        if self.take_if(&TokenKind::OpeningParenthesis) {
            let inner = self.parse_nested(Self::parse_or_chain)?;
            self.require(&TokenKind::ClosingParenthesis, "`)`")?;
            return Ok(inner);
        }
        let token = self.peek_token();
        let kind = match &token.kind {
            TokenKind::Name(name) => SqlExpressionKind::Field(name.clone()),
            TokenKind::Literal(literal) => SqlExpressionKind::Literal(literal.clone()),
            // A declared field may have the name of a keyword that cannot begin an operand, such as `in`.
            TokenKind::And | TokenKind::Or | TokenKind::In | TokenKind::Is
                if !matches!(self.event_fields.find_field(token.text), FieldLookupResult::Undeclared { .. }) =>
            {
                SqlExpressionKind::Field(token.text.to_owned())
            }
            _ => return Err(build_unexpected_token(token, "a field or a value")),
        };
        self.next += 1;
        Ok(SqlExpression { kind, range: token.range.clone() })
    }

    /// Calls `parse` for the text inside a parenthesis or after a NOT.
    fn parse_nested(&mut self, parse: fn(&mut Self) -> ParseResult) -> ParseResult {
        if self.depth == MAX_NESTING {
            let expected = format!("at most {MAX_NESTING} levels of parentheses and NOT");
            return Err(build_mistake(&self.tokens[self.next - 1], "the condition is nested too deeply", expected));
        }
        self.depth += 1;
        let inner = parse(self);
        self.depth -= 1;
        inner
    }

    fn require(&mut self, kind: &TokenKind, expected: &str) -> Result<(), ConditionMistake> {
        if self.take_if(kind) { Ok(()) } else { Err(build_unexpected_token(self.peek_token(), expected)) }
    }

    fn take_if(&mut self, kind: &TokenKind) -> bool {
        let found = self.peek() == kind;
        self.next += usize::from(found);
        found
    }

    fn peek(&self) -> &'t TokenKind {
        &self.peek_token().kind
    }

    fn peek_token(&self) -> &'t ConditionToken<'t> {
        &self.tokens[self.next]
    }
}

fn negate(expression: SqlExpression, start: usize) -> SqlExpression {
    let range = start..expression.range.end;
    SqlExpression { kind: SqlExpressionKind::Not(Box::new(expression)), range }
}

fn build_unexpected_token(token: &ConditionToken<'_>, expected: &str) -> ConditionMistake {
    match token.kind {
        TokenKind::End => build_mistake(token, "the condition ends too early", expected),
        _ => build_mistake(token, format!("{} is not allowed here", quote_text(token.text)), expected),
    }
}

fn build_mistake(
    token: &ConditionToken<'_>,
    message: impl Into<String>,
    expected: impl Into<String>,
) -> ConditionMistake {
    ConditionMistake::new(DiagnosticCode::BadCondition, token.range.clone(), message, expected)
}
