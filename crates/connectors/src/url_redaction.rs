//! Redaction of credentials in the URLs of messages and pages.
//!
//! These functions redact too much rather than too little, because the text may not be a valid URL.

/// Returns `url` without user, password, query and fragment. Query and fragment may also hold credentials.
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
