//! Splits the text of a condition into tokens.
//!
//! Owns: the characters of words, numbers, quoted text and symbols. Does not own: which names and symbols a condition
//! may contain (`supported_tokens`), and the order of the tokens (`grammar`).

use std::ops::Range;

use windrow_core::{ComparisonOperator, Literal};
use winnow::ascii::{digit0, digit1};
use winnow::combinator::{alt, delimited, opt, preceded, repeat, terminated};
use winnow::error::EmptyError;
use winnow::token::{any, none_of, one_of, rest, take_until, take_while};
use winnow::{LocatingSlice, Parser};

/// A token with its text and its location.
#[derive(Debug)]
pub(super) struct ConditionToken<'a> {
    pub(super) kind: TokenKind,
    /// The token as it is written in the condition.
    pub(super) text: &'a str,
    /// The location in the condition's text, in bytes.
    pub(super) range: Range<usize>,
}

#[derive(PartialEq, Debug)]
pub(super) enum TokenKind {
    And,
    Or,
    Not,
    In,
    Is,
    Comparison(ComparisonOperator),
    OpeningParenthesis,
    ClosingParenthesis,
    Comma,
    /// A number, a text, TRUE, FALSE, or `None` for NULL.
    Literal(Option<Literal>),
    /// A word that is not a keyword, or a name in double quotes without the quotes.
    Name(String),
    /// A quote without a closing quote, and the rest of the condition.
    UnterminatedQuote,
    /// A comment, a character or a number that no condition may contain.
    Unsupported,
    /// The end of the condition: an empty token.
    End,
}

type ConditionText<'a> = LocatingSlice<&'a str>;

/// Splits `text` into tokens, and omits white space. The last token is [`TokenKind::End`].
pub(super) fn split_into_tokens(text: &str) -> Vec<ConditionToken<'_>> {
    let token = read_token.with_taken().with_span();
    let token = token.map(|((kind, text), range)| ConditionToken { kind, text, range });
    let tokens = repeat(0.., preceded(read_white_space, token)).parse_next(&mut LocatingSlice::new(text));
    // The parser cannot fail, because each character that is not white space begins a token.
    let mut tokens: Vec<_> = tokens.unwrap_or_default();
    tokens.push(ConditionToken { kind: TokenKind::End, text: "", range: text.len()..text.len() });
    tokens
}

fn read_white_space<'a>(text: &mut ConditionText<'a>) -> Result<&'a str, EmptyError> {
    take_while(0.., char::is_whitespace).parse_next(text)
}

fn read_token(text: &mut ConditionText<'_>) -> Result<TokenKind, EmptyError> {
    alt((
        read_comment,
        read_number,
        read_word,
        read_quoted('\'').map(|text| TokenKind::Literal(Some(Literal::String(text.into())))),
        read_quoted('"').map(TokenKind::Name),
        (one_of(['\'', '"']), rest).map(|_| TokenKind::UnterminatedQuote),
        read_symbol,
    ))
    .parse_next(text)
}

fn read_comment(text: &mut ConditionText<'_>) -> Result<TokenKind, EmptyError> {
    let line = ("--", take_while(0.., |c| c != '\n')).void();
    let block = ("/*", alt(((take_until(0.., "*/"), "*/").void(), rest.void()))).void();
    alt((line, block)).map(|()| TokenKind::Unsupported).parse_next(text)
}

/// Reads a number and the minus sign before it. Letters directly after it, as in `0x1F`, make it unsupported.
fn read_number(text: &mut ConditionText<'_>) -> Result<TokenKind, EmptyError> {
    let sign = opt(terminated('-', read_white_space));
    let digits = alt(((digit1, opt(('.', digit0))).void(), ('.', digit1).void()));
    let exponent = opt((one_of(['e', 'E']), opt(one_of(['+', '-'])), digit1));
    let suffix = opt(read_word.verify(|word| matches!(word, TokenKind::Name(_))));
    (sign, (digits, exponent).take(), suffix)
        .map(|(sign, digits, suffix)| match (suffix, sign) {
            (Some(_), _) => TokenKind::Unsupported,
            (None, Some(_)) => TokenKind::Literal(Some(parse_number(&format!("-{digits}")))),
            (None, None) => TokenKind::Literal(Some(parse_number(digits))),
        })
        .parse_next(text)
}

/// Parses `number` as a long. If `number` is not a 64-bit integer, parses it as a double.
fn parse_number(number: &str) -> Literal {
    let long = number.parse().map(Literal::Long);
    long.unwrap_or_else(|_| Literal::Double(number.parse().unwrap_or(f64::INFINITY)))
}

/// Reads a keyword or a name. A text in single quotes directly after a single letter, as in `X'1F'`, makes it
/// unsupported.
fn read_word(text: &mut ConditionText<'_>) -> Result<TokenKind, EmptyError> {
    let first = one_of(|c: char| c.is_alphabetic() || c == '_');
    let word = (first, read_word_characters).take().parse_next(text)?;
    Ok(match word.to_ascii_uppercase().as_str() {
        "AND" => TokenKind::And,
        "OR" => TokenKind::Or,
        "NOT" => TokenKind::Not,
        "IN" => TokenKind::In,
        "IS" => TokenKind::Is,
        "NULL" => TokenKind::Literal(None),
        "TRUE" => TokenKind::Literal(Some(Literal::Boolean(true))),
        "FALSE" => TokenKind::Literal(Some(Literal::Boolean(false))),
        _ if word.len() == 1 && opt(read_quoted('\'')).parse_next(text)?.is_some() => TokenKind::Unsupported,
        _ => TokenKind::Name(word.to_owned()),
    })
}

fn read_word_characters<'a>(text: &mut ConditionText<'a>) -> Result<&'a str, EmptyError> {
    take_while(0.., |c: char| c.is_alphanumeric() || c == '_').parse_next(text)
}

/// Reads a text between two `quote`. A doubled `quote` in the text stands for one.
fn read_quoted<'a>(quote: char) -> impl Parser<ConditionText<'a>, String, EmptyError> {
    delimited(quote, repeat(0.., alt((none_of(quote), (quote, quote).value(quote)))), quote)
}

/// Reads a symbol. Characters that belong together are one symbol even if it is not supported, so that a message can
/// name all of it.
fn read_symbol(text: &mut ConditionText<'_>) -> Result<TokenKind, EmptyError> {
    let several = alt(["<=>", "->>", "<>", "!=", "<=", ">=", "==", "=>", "->", "<<", ">>", "&&", "||", "::", ":="]);
    let placeholder = (one_of(['$', '?', ':', '@', '#']), read_word_characters).take();
    let symbol = alt((several, placeholder, any.take())).parse_next(text)?;
    Ok(match symbol {
        "=" => TokenKind::Comparison(ComparisonOperator::Equal),
        "<>" | "!=" => TokenKind::Comparison(ComparisonOperator::NotEqual),
        "<" => TokenKind::Comparison(ComparisonOperator::Less),
        "<=" => TokenKind::Comparison(ComparisonOperator::LessOrEqual),
        ">" => TokenKind::Comparison(ComparisonOperator::Greater),
        ">=" => TokenKind::Comparison(ComparisonOperator::GreaterOrEqual),
        "(" => TokenKind::OpeningParenthesis,
        ")" => TokenKind::ClosingParenthesis,
        "," => TokenKind::Comma,
        _ => TokenKind::Unsupported,
    })
}
