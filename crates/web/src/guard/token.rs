//! The access token of a server.

use std::fmt;

use ring::hmac::{self, HMAC_SHA256, Key, Tag};

/// A shorter token could be guessed.
const LENGTH_MIN: usize = 16;
const LENGTH_MAX: usize = 1_024;

/// What a visitor must know to see the pages of a server that other machines can reach. Never shown.
pub struct AccessToken {
    key: Key,
    /// The signature of the token by itself, with which guesses are compared.
    tag: Tag,
}

/// A text that cannot be a token.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a token is {LENGTH_MIN} to {LENGTH_MAX} printable ASCII characters without spaces, for example the output of \
     `openssl rand -hex 16`"
)]
pub struct TokenFault;

impl AccessToken {
    /// Returns the token `text`, without the space around it.
    ///
    /// # Errors
    /// When it is too short, too long, or cannot be sent in a header.
    pub fn new(text: &str) -> Result<Self, TokenFault> {
        let text = text.trim();
        let is_token =
            (LENGTH_MIN..=LENGTH_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_token {
            return Err(TokenFault);
        }
        let key = Key::new(HMAC_SHA256, text.as_bytes());
        let tag = hmac::sign(&key, text.as_bytes());
        Ok(Self { key, tag })
    }

    /// Returns whether `text` is the token. Takes the same time for a right and a wrong one.
    pub(super) fn matches(&self, text: &str) -> bool {
        hmac::verify(&self.key, text.trim().as_bytes(), self.tag.as_ref()).is_ok()
    }

    pub(super) fn sign(&self, text: &str) -> Tag {
        hmac::sign(&self.key, text.as_bytes())
    }

    pub(super) fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        hmac::verify(&self.key, text.as_bytes(), signature).is_ok()
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
    fn short_tokens_are_refused() {
        for bad in ["", "short", "has a space in it, see", "0123456789abcde"] {
            assert!(AccessToken::new(bad).is_err(), "{bad}");
        }
    }
}
