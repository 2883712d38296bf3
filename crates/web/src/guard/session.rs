//! The session cookie. After a login, a browser sends the session cookie instead of the token.

use jiff::Timestamp;

use super::token::AccessToken;

/// The time for which a login is valid, in seconds.
const SESSION_LIFETIME_S: i64 = 7 * 24 * 3_600;

/// The value of a session cookie, and the number of seconds after which the browser discards the cookie.
pub(super) struct SessionCookie {
    pub(super) value: String,
    pub(super) max_age_s: i64,
}

/// Creates the session cookie for a new login. The value of the cookie is the expiry time of the login, with a
/// signature that is computed with the token as the key. The cookie does not reveal the token. If the server gets
/// another token, the cookie becomes invalid.
pub(super) fn create_session_cookie(token: &AccessToken) -> SessionCookie {
    let until_s = Timestamp::now().as_second() + SESSION_LIFETIME_S;
    let signature = token.sign(&session_text_to_sign(until_s));
    let hex: String = signature.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    SessionCookie { value: format!("{until_s}.{hex}"), max_age_s: SESSION_LIFETIME_S }
}

/// Returns whether `value` is the value of a session cookie that was signed with `token`, and whether the login has not
/// expired.
pub(super) fn is_valid_session(token: &AccessToken, value: &str) -> bool {
    let parse = || {
        let (until_s, hex) = value.split_once('.')?;
        let until_s: i64 = until_s.parse().ok()?;
        let pairs = hex.as_bytes().chunks(2);
        let signature: Option<Vec<u8>> =
            pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect();
        Some((until_s, signature?))
    };
    parse().is_some_and(|(until_s, signature)| {
        token.verify_signature(&session_text_to_sign(until_s), &signature) && until_s > Timestamp::now().as_second()
    })
}

fn session_text_to_sign(until_s: i64) -> String {
    format!("windrow session until {until_s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_only_of_its_token() {
        let (token, other) = (AccessToken::new("0123456789abcdef"), AccessToken::new("fedcba9876543210"));
        let (token, other) = (token.expect("long enough"), other.expect("long enough"));
        let session = create_session_cookie(&token).value;
        assert!(is_valid_session(&token, &session));
        assert!(!is_valid_session(&other, &session));
        let (until, tag) = session.split_once('.').expect("two parts");
        let later = until.parse::<i64>().expect("a time") + 1;
        for forged in [format!("{later}.{tag}"), format!("{until}.{}", "0".repeat(64)), format!("{until}."), "x".into()]
        {
            assert!(!is_valid_session(&token, &forged), "{forged}");
        }
        assert!(!session.contains("0123456789abcdef"));
        assert!(token.matches(" 0123456789abcdef\n") && !token.matches("0123456789abcde"));
        assert!(!format!("{token:?}").contains("0123"));
    }
}
