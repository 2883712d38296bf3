//! The access token of a server.

use std::fmt;

use ring::hmac::{self, HMAC_SHA256, Key, Tag};

/// The smallest length of a token in bytes, because a shorter token could be guessed.
const MIN_TOKEN_LENGTH: usize = 16;
/// The largest length of a token in bytes.
const MAX_TOKEN_LENGTH: usize = 1_024;

/// The secret that clients must send, with each request or at the login. The token is never shown or logged.
pub struct AccessToken {
    hmac_key: Key,
    /// The signature of the token, computed with the token itself as the key. A text from a client is the token if its
    /// signature with the same key is equal.
    token_signature: Tag,
}

/// The error for a text that cannot be a token.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a token is {MIN_TOKEN_LENGTH} to {MAX_TOKEN_LENGTH} printable ASCII characters without spaces, for example the output of \
     `openssl rand -hex 16`"
)]
pub struct InvalidToken;

impl AccessToken {
    /// Creates the token from `text`, without surrounding whitespace.
    ///
    /// # Errors
    /// Fails if the text is too short or too long, or contains a space, a control character or a character outside
    /// ASCII.
    pub fn new(text: &str) -> Result<Self, InvalidToken> {
        let text = text.trim();
        let is_token = (MIN_TOKEN_LENGTH..=MAX_TOKEN_LENGTH).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_token {
            return Err(InvalidToken);
        }
        let key = Key::new(HMAC_SHA256, text.as_bytes());
        let tag = hmac::sign(&key, text.as_bytes());
        Ok(Self { hmac_key: key, token_signature: tag })
    }

    /// Returns whether `text` is the token. The duration of the comparison reveals nothing about the token, because
    /// this duration is the same for all texts of the same length.
    pub(super) fn matches(&self, text: &str) -> bool {
        hmac::verify(&self.hmac_key, text.trim().as_bytes(), self.token_signature.as_ref()).is_ok()
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_compared_and_never_shown() {
        let token = AccessToken::new("0123456789abcdef").expect("long enough");
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
