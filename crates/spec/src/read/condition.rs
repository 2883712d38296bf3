//! `where`: a SQL condition, from text to the core's [`Condition`].
//!
//! Owns: the order of the steps from text to condition. Does not own: SQL's grammar (the `sqlparser` crate), the list
//! of allowed words ([`supported_tokens`]), type checks ([`compile`]), the location of a mistake in the text
//! ([`context`]).
//!
//! Only a small part of SQL is supported, so all words are checked before the parser runs. The check has three uses. It
//! allows a field to have the name of an unsupported SQL keyword, such as `date`. It finds the unsupported word, so a
//! message can name this word. And it keeps hostile input away from most of the parser.

mod compile;
mod context;
mod supported_tokens;

use sqlparser::{
    dialect::Dialect,
    parser::Parser,
    tokenizer::{Token, Tokenizer},
};
use windrow_core::Condition;

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::read::condition::context::{ConditionContext, MAX_NESTING};
use crate::read::event::EventFields;
use crate::read::setting::PipelineSetting;

pub(super) const MAX_CONDITION_BYTES: usize = 4_096;

pub(super) fn read_condition(
    setting: &PipelineSetting<'_>,
    event_fields: &EventFields,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<Condition> {
    let text = setting.read_text("a condition such as \"event_type = 'view'\"", mistakes)?;
    if text.len() > MAX_CONDITION_BYTES {
        let message = format!("`{}` is {} bytes long", setting.path, text.len());
        mistakes.report(
            DiagnosticCode::OutOfRange,
            setting.location,
            message,
            format!("at most {MAX_CONDITION_BYTES} bytes"),
        );
        return None;
    }
    let mut context = ConditionContext { text, location: setting.location, event_fields, mistakes };
    let tokens = match Tokenizer::new(&ConditionDialect, text).tokenize_with_location() {
        Ok(tokens) => tokens,
        Err(error) => {
            let at = context.byte_offset(error.location);
            context.report(
                DiagnosticCode::BadCondition,
                at..text.len(),
                &error.message.to_lowercase(),
                "its closing quote",
            );
            return None;
        }
    };
    let tokens = supported_tokens::require_supported_tokens(tokens, &mut context)?;
    let mut parser =
        Parser::new(&ConditionDialect).with_recursion_limit(MAX_NESTING).with_tokens_with_locations(tokens);
    match parser.parse_expr() {
        Ok(expression) => {
            let rest = parser.peek_token();
            if rest.token != Token::EOF {
                let range = context.byte_range(rest.span);
                context.report(
                    DiagnosticCode::BadCondition,
                    range,
                    "the condition is already complete before this text",
                    "AND, OR or the end of the condition",
                );
                return None;
            }
            compile::compile_condition(&expression, 0, &mut context)
        }
        Err(error) => {
            context.report_parser_error(&error);
            None
        }
    }
}

/// The SQL dialect of conditions. An identifier may contain letters of any script, and may be in double quotes.
#[derive(Debug)]
struct ConditionDialect;

impl Dialect for ConditionDialect {
    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '"'
    }

    fn is_identifier_start(&self, c: char) -> bool {
        c.is_alphabetic() || c == '_'
    }

    fn is_identifier_part(&self, c: char) -> bool {
        c.is_alphanumeric() || c == '_'
    }
}
