//! `where`: a SQL condition, from text to the core's [`Condition`].
//!
//! ```text
//!   text ──► tokens ──► supported_tokens ──► grammar ──► compile ──► Condition
//!          ConditionToken                 SqlExpression
//! ```
//!
//! Owns: the order of the steps from text to condition, and the report of their mistakes.
//!
//! Only a small part of SQL is supported. All tokens are checked before the grammar, so one call finds every unsupported
//! word, and a message can name it.

mod compile;
mod grammar;
mod mistake;
mod supported_tokens;
mod tokens;

use windrow_core::Condition;

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::read::condition::mistake::ConditionMistake;
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
        let expected = format!("at most {MAX_CONDITION_BYTES} bytes");
        mistakes.report(DiagnosticCode::OutOfRange, setting.location, message, expected);
        return None;
    }
    match parse_condition(text, event_fields) {
        Ok(condition) => Some(condition),
        Err(found) => {
            for mistake in found {
                let location = mistakes.locate_part_of_value(setting.location, text, mistake.range);
                mistakes.report(mistake.code, &location, mistake.message, mistake.expected).set_hint(mistake.hint);
            }
            None
        }
    }
}

fn parse_condition(text: &str, event_fields: &EventFields) -> Result<Condition, Vec<ConditionMistake>> {
    let tokens = tokens::split_into_tokens(text);
    let unsupported = supported_tokens::find_unsupported_tokens(&tokens, event_fields);
    if !unsupported.is_empty() {
        return Err(unsupported);
    }
    let expression = grammar::parse_tokens(&tokens, event_fields).map_err(|mistake| vec![mistake])?;
    compile::compile_expression(&expression, text, event_fields)
}
