//! Checks that a condition contains only supported words and symbols.
//!
//! Owns: reporting every unsupported word by name, and distinguishing fields from keywords. Does not own: the grammar
//! (the parser).

use std::ops::Range;

use sqlparser::{
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan, Whitespace, Word},
};

use crate::diagnostics::code::DiagnosticCode;
use crate::read::condition::context::{ConditionContext, MAX_NESTING, SUPPORTED_SQL};
use crate::read::event::FieldLookupResult;

const SUPPORTED_KEYWORDS: [Keyword; 8] =
    [Keyword::AND, Keyword::OR, Keyword::NOT, Keyword::IN, Keyword::IS, Keyword::NULL, Keyword::TRUE, Keyword::FALSE];

/// Returns the tokens without blanks if every token is supported: a field, a literal, a keyword or a symbol. Otherwise
/// reports every unsupported token and returns `None`.
pub(super) fn require_supported_tokens(
    tokens: Vec<TokenWithSpan>,
    context: &mut ConditionContext<'_, '_, '_>,
) -> Option<Vec<TokenWithSpan>> {
    let mut checked = Vec::with_capacity(tokens.len());
    let mut valid = true;
    let blank =
        |token: &Token| matches!(token, Token::Whitespace(Whitespace::Space | Whitespace::Tab | Whitespace::Newline));
    let mut rest = tokens.into_iter().filter(|token| !blank(&token.token)).peekable();
    while let Some(mut token) = rest.next() {
        let range = context.byte_range(token.span);
        let next = rest.peek().map(|next| &next.token);
        let dotted = next == Some(&Token::Period)
            || checked.last().is_some_and(|before: &TokenWithSpan| before.token == Token::Period);
        match &mut token.token {
            // In `a.b`, only the dot is reported as a mistake, and not also the words `a` and `b`.
            Token::Word(_) if dotted => {}
            Token::Word(word) => valid &= require_supported_word(word, range, next, context),
            other => valid &= require_supported_symbol(other, range, context),
        }
        checked.push(token);
    }
    if valid && is_nested_too_deeply(&checked) {
        context.report_too_deep();
        valid = false;
    }
    valid.then_some(checked)
}

/// Returns whether too many NOT, `-` and `(` follow directly after each other. Without this check, the parser would
/// parse a NOT beyond its nesting limit as a name.
fn is_nested_too_deeply(tokens: &[TokenWithSpan]) -> bool {
    let nests = |token: &Token| match token {
        Token::Word(word) => word.keyword == Keyword::NOT,
        other => matches!(other, Token::LParen | Token::Minus),
    };
    tokens.chunk_by(|left, right| nests(&left.token) && nests(&right.token)).any(|run| run.len() > MAX_NESTING / 2)
}

/// Returns `true` if `word` is a supported keyword or a field. Otherwise reports a mistake. A field may have the name
/// of a keyword, so the function marks the word of a field: the parser then reads it as a name. `next` is the token
/// after the word.
fn require_supported_word(
    word: &mut Word,
    range: Range<usize>,
    next: Option<&Token>,
    context: &mut ConditionContext<'_, '_, '_>,
) -> bool {
    let quoted = word.quote_style.is_some();
    if !quoted && SUPPORTED_KEYWORDS.contains(&word.keyword) {
        return true;
    }
    word.keyword = Keyword::NoKeyword;
    let name = word.value.as_str();
    let (expected, hint) = match context.event_fields.find_field(name) {
        FieldLookupResult::Found(..) | FieldLookupResult::Undetermined => return true,
        FieldLookupResult::Undeclared { expected, hint } => (expected, hint),
    };
    if quoted && word.quote_style == Some('"') {
        let message = format!("events have no field `{name}`");
        let hint = format!("double quotes are for fields; write text in single quotes: '{name}'");
        context.report(DiagnosticCode::UndeclaredField, range, &message, &expected).set_hint(hint);
    } else if let Some(hint) = suggest_alternative(name) {
        let message = format!("a condition cannot use `{}`", name.to_uppercase());
        context.report(DiagnosticCode::UnsupportedCondition, range, &message, SUPPORTED_SQL).set_hint(hint.to_owned());
    } else if next == Some(&Token::LParen) {
        context.report(
            DiagnosticCode::UnsupportedCondition,
            range,
            &format!("a condition cannot use functions such as `{name}`"),
            SUPPORTED_SQL,
        );
    } else {
        context
            .report(DiagnosticCode::UndeclaredField, range, &format!("events have no field `{name}`"), &expected)
            .set_hint(hint);
    }
    false
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

fn require_supported_symbol(token: &Token, range: Range<usize>, context: &mut ConditionContext<'_, '_, '_>) -> bool {
    let hint = match token {
        Token::Number(_, false)
        | Token::SingleQuotedString(_)
        | Token::Eq
        | Token::Neq
        | Token::Lt
        | Token::Gt
        | Token::LtEq
        | Token::GtEq
        | Token::LParen
        | Token::RParen
        | Token::Comma
        | Token::Minus => return true,
        Token::DoubleEq => Some("SQL compares with a single `=`"),
        Token::Overlap => Some("write AND"),
        Token::StringConcat => Some("write OR"),
        Token::ExclamationMark => Some("write NOT"),
        Token::Plus | Token::Mul | Token::Div | Token::Mod => {
            Some("conditions have no arithmetic; compare the unchanged field")
        }
        Token::Char('`') => Some("write fields in double quotes and text in single quotes"),
        Token::Period => Some("write a field name that contains a dot in double quotes: \"a.b\""),
        _ => None,
    };
    let shown = context.text[range.clone()].escape_debug().to_string();
    context
        .report(
            DiagnosticCode::UnsupportedCondition,
            range,
            &format!("a condition cannot use `{shown}`"),
            SUPPORTED_SQL,
        )
        .set_hint(hint.map(str::to_owned));
    false
}
