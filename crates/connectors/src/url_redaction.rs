//! Redaction of credentials in the URLs of messages and pages.
//!
//! The text may be an invalid URL, in which the login has no certain place. These functions therefore redact too much
//! rather than too little.

/// Returns `url` without user, password, query and fragment. The query and the fragment are removed, because they may
/// contain credentials.
#[must_use]
pub fn redact_url_credentials_and_query(url: &str) -> String {
    match url.find(['?', '#']) {
        Some(end) => format!("{}{}***", redact_url_userinfo(&url[..end]), &url[end..=end]),
        None => redact_url_userinfo(url),
    }
}

/// Returns `text` with `***` in place of everything between the first `://` and the last `@`.
#[must_use]
pub fn redact_url_userinfo(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, server))) => format!("{scheme}://***@{server}"),
        _ => text.to_owned(),
    }
}
