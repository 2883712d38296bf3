//! Finds the words and symbols of a condition that are not supported.
//!
//! Owns: the mistakes that name a single token, with a hint what to write instead. Does not own: the order of the tokens
//! (`grammar`).

use std::ops::Range;

use windrow_core::Literal;

use crate::diagnostics::code::DiagnosticCode;
use crate::read::condition::mistake::{ConditionMistake, quote_text};
use crate::read::condition::tokens::{ConditionToken, TokenKind};
use crate::read::event::{EventFields, FieldLookupResult, NOT_A_PATH_HINT};

/// Returns a mistake for each token that is not supported, and for each name that is not a field. If a quote is
/// unterminated, returns only this mistake, because it may begin at a wrong place and turn text into names.
pub(super) fn find_unsupported_tokens(
    tokens: &[ConditionToken<'_>],
    event_fields: &EventFields,
) -> Vec<ConditionMistake> {
    if let Some(token) = tokens.iter().find(|token| token.kind == TokenKind::UnterminatedQuote) {
        let what = if token.text.starts_with('"') { "field name" } else { "string literal" };
        let (message, expected) = (format!("unterminated {what}"), "its closing quote");
        return vec![ConditionMistake::new(DiagnosticCode::BadCondition, token.range.clone(), message, expected)];
    }
    (0..tokens.len()).filter_map(|index| find_mistake_of_token(tokens, index, event_fields)).collect()
}

fn find_mistake_of_token(
    tokens: &[ConditionToken<'_>],
    index: usize,
    event_fields: &EventFields,
) -> Option<ConditionMistake> {
    let (before, token, next) = (&tokens[..index], &tokens[index], tokens.get(index + 1));
    let is_dot = |token: &ConditionToken<'_>| token.text == ".";
    let range = token.range.clone();
    match &token.kind {
        // In `a.b`, only the dot is reported as a mistake, and not also the words `a` and `b`.
        TokenKind::Name(_) if before.last().is_some_and(is_dot) || next.is_some_and(is_dot) => None,
        TokenKind::Name(name) => find_mistake_of_name(name, token, next, event_fields),
        TokenKind::Literal(Some(Literal::Long(_) | Literal::Double(_)))
            if token.text.starts_with('-') && before.last().is_some_and(ends_operand) =>
        {
            Some(build_unsupported_symbol("-", range.start..range.start + 1))
        }
        TokenKind::Literal(Some(Literal::Double(number))) if number.is_infinite() => {
            let expected = "a number within the range of a double";
            Some(ConditionMistake::new(DiagnosticCode::OutOfRange, range, "this number is too large", expected))
        }
        TokenKind::Literal(Some(Literal::Boolean(_))) => {
            let is = find_is_before(before)?;
            let hint = "write only the boolean field: `flag` or `NOT flag`";
            let mistake = ConditionMistake::unsupported(is.range.start..range.end, "IS TRUE and IS FALSE");
            Some(mistake.with_hint(Some(hint)))
        }
        TokenKind::Unsupported if is_dot(token) => find_mistake_of_dot(tokens, index, event_fields),
        TokenKind::Unsupported => Some(build_unsupported_symbol(token.text, range)),
        _ => None,
    }
}

/// Returns a mistake for the first dot of `a.b.c`, which covers the whole chain. Returns `None` for the other dots.
fn find_mistake_of_dot(
    tokens: &[ConditionToken<'_>],
    index: usize,
    event_fields: &EventFields,
) -> Option<ConditionMistake> {
    let is_dot = |token: &ConditionToken<'_>| token.text == ".";
    let is_name = |token: &ConditionToken<'_>| matches!(token.kind, TokenKind::Name(_));
    let start = index.saturating_sub(1);
    if index >= 2 && is_name(&tokens[start]) && is_dot(&tokens[index - 2]) {
        return None;
    }
    let chain: String =
        tokens[start..].iter().take_while(|token| is_dot(token) || is_name(token)).map(|token| token.text).collect();
    let is_declared = matches!(event_fields.find_field(&chain), FieldLookupResult::Found(..));
    let hint = if is_declared {
        format!("write a field name that contains a dot in double quotes: \"{chain}\"")
    } else {
        NOT_A_PATH_HINT.to_owned()
    };
    Some(ConditionMistake::unsupported(tokens[index].range.clone(), "`.`").with_hint(Some(hint)))
}

/// Returns whether `token` is the last token of an operand, so that a minus sign after it subtracts.
fn ends_operand(token: &ConditionToken<'_>) -> bool {
    matches!(token.kind, TokenKind::Literal(_) | TokenKind::Name(_) | TokenKind::ClosingParenthesis)
}

/// Returns the IS of `IS` or `IS NOT`, if `tokens` end with it.
fn find_is_before<'t, 'a>(tokens: &'t [ConditionToken<'a>]) -> Option<&'t ConditionToken<'a>> {
    let tokens = match tokens {
        [before @ .., ConditionToken { kind: TokenKind::Not, .. }] => before,
        _ => tokens,
    };
    tokens.last().filter(|token| token.kind == TokenKind::Is)
}

/// Returns a mistake if `name`, the name in `token`, is not a field or is used as a function.
fn find_mistake_of_name(
    name: &str,
    token: &ConditionToken<'_>,
    next: Option<&ConditionToken<'_>>,
    event_fields: &EventFields,
) -> Option<ConditionMistake> {
    let range = token.range.clone();
    let is_function = next.is_some_and(|next| next.kind == TokenKind::OpeningParenthesis);
    let FieldLookupResult::Undeclared { expected, hint } = event_fields.find_field(name) else {
        return is_function.then(|| build_unsupported_function(name, range));
    };
    let hint = if token.text.starts_with('"') && !name.contains('.') {
        Some(format!("double quotes are for fields; write text in single quotes: '{name}'"))
    } else if let Some(hint) = suggest_alternative(name) {
        let what = format!("`{}`", name.to_uppercase());
        return Some(ConditionMistake::unsupported(range, &what).with_hint(Some(hint)));
    } else if is_function {
        return Some(build_unsupported_function(name, range));
    } else {
        hint
    };
    let message = format!("events have no field `{name}`");
    Some(ConditionMistake::new(DiagnosticCode::UndeclaredField, range, message, expected).with_hint(hint))
}

fn build_unsupported_function(name: &str, range: Range<usize>) -> ConditionMistake {
    ConditionMistake::unsupported(range, &format!("functions such as `{name}`"))
}

/// Returns, for a common SQL word that is not supported, a hint what to write instead. Returns `None` for all other
/// words.
fn suggest_alternative(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_uppercase().as_str() {
        "BETWEEN" => "write `field >= 1 AND field <= 2`",
        "LIKE" | "ILIKE" | "RLIKE" | "REGEXP" | "SIMILAR" => "compare with whole values: `field IN ('a', 'b')`",
        "WHERE" => "remove this word; the condition alone is enough",
        "CASE" | "CAST" | "COALESCE" | "IF" => "compute the value before the event reaches Kafka",
        "SELECT" | "EXISTS" | "ANY" | "ALL" | "SOME" => "a condition can only use the fields of one event",
        "DISTINCT" | "UNKNOWN" => "write `field IS NULL` or `field IS NOT NULL`",
        "XOR" => "write `(a AND NOT b) OR (NOT a AND b)`",
        "DIV" | "MOD" | "COLLATE" | "ESCAPE" => "compare the unchanged field",
        _ => return None,
    })
}

fn build_unsupported_symbol(symbol: &str, range: Range<usize>) -> ConditionMistake {
    let hint = match symbol {
        "==" => Some("SQL compares with a single `=`"),
        "&&" => Some("write AND"),
        "||" => Some("write OR"),
        "!" => Some("write NOT"),
        "+" | "-" | "*" | "/" | "%" => Some("conditions have no arithmetic; compare the unchanged field"),
        "`" => Some("write fields in double quotes and text in single quotes"),
        _ => None,
    };
    ConditionMistake::unsupported(range, &quote_text(symbol)).with_hint(hint)
}
