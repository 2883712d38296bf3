//! The token, and the cookie that stands for it.

use std::fmt;

use jiff::Timestamp;
use ring::hmac::{self, HMAC_SHA256, Key};

/// A shorter token could be guessed.
const LENGTH_MIN: usize = 16;
const LENGTH_MAX: usize = 1_024;
/// How long a login lasts.
const SESSION_SECONDS: i64 = 7 * 24 * 3_600;

/// What somebody must know to look at the pages of a server that other machines can reach. Never shown.
pub struct AccessToken {
    key: Key,
    /// Of the token itself.
    tag: hmac::Tag,
}

/// A text that is no token.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a token is {LENGTH_MIN} to {LENGTH_MAX} printable ASCII characters without spaces, for example what `openssl rand -hex 16` prints"
)]
pub struct TokenFault;

impl AccessToken {
    /// The token `text`; space around it is left away.
    ///
    /// # Errors
    /// When it is too short, too long, or cannot be sent in a header.
    pub fn new(text: &str) -> Result<Self, TokenFault> {
        let text = text.trim();
        let good = (LENGTH_MIN..=LENGTH_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !good {
            return Err(TokenFault);
        }
        let key = Key::new(HMAC_SHA256, text.as_bytes());
        let tag = hmac::sign(&key, text.as_bytes());
        Ok(Self { key, tag })
    }

    /// Whether `text` is it; takes as long either way.
    pub(super) fn matches(&self, text: &str) -> bool {
        hmac::verify(&self.key, text.trim().as_bytes(), self.tag.as_ref()).is_ok()
    }

    /// A cookie's value that proves a login, and the seconds it lasts. Nobody can tell the token from it, and it ends when
    /// the token is changed.
    pub(super) fn new_session(&self) -> (String, i64) {
        let until = Timestamp::now().as_second() + SESSION_SECONDS;
        let tag = hmac::sign(&self.key, signed_session_text(until).as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        (format!("{until}.{hex}"), SESSION_SECONDS)
    }

    /// Whether `value` is such a cookie's, and its time is not over.
    pub(super) fn is_valid_session(&self, value: &str) -> bool {
        let parse = || {
            let (until, hex) = value.split_once('.')?;
            let until: i64 = until.parse().ok()?;
            let tag: Option<Vec<u8>> =
                hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect();
            Some((until, tag?))
        };
        parse().is_some_and(|(until, tag)| {
            hmac::verify(&self.key, signed_session_text(until).as_bytes(), &tag).is_ok()
                && until > Timestamp::now().as_second()
        })
    }
}

fn signed_session_text(until: i64) -> String {
    format!("windrow session until {until}")
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_only_of_its_token() {
        let (token, other) = (AccessToken::new("0123456789abcdef"), AccessToken::new("fedcba9876543210"));
        let (token, other) = (token.expect("long enough"), other.expect("long enough"));
        let (session, _) = token.new_session();
        assert!(token.is_valid_session(&session));
        assert!(!other.is_valid_session(&session));
        let (until, tag) = session.split_once('.').expect("two parts");
        let later = until.parse::<i64>().expect("a time") + 1;
        for forged in [format!("{later}.{tag}"), format!("{until}.{}", "0".repeat(64)), format!("{until}."), "x".into()]
        {
            assert!(!token.is_valid_session(&forged), "{forged}");
        }
        assert!(!session.contains("0123456789abcdef"));
        assert!(token.matches(" 0123456789abcdef\n") && !token.matches("0123456789abcde"));
        assert!(!format!("{token:?}").contains("0123"));
    }

    #[test]
    fn short_tokens_are_refused() {
        for bad in ["", "short", "has a space in it, see", "0123456789abcde"] {
            assert!(AccessToken::new(bad).is_err(), "{bad}");
        }
    }
}
