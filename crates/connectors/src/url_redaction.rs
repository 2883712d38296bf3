//! Removing logins from URLs in messages and on pages.
//!
//! Redacts too much rather than too little: the text may be no URL at all.

/// Returns `url` without user and password, and without its query and fragment, which may hold them, too.
#[must_use]
pub fn redact_url_login(url: &str) -> String {
    match url.find(['?', '#']) {
        Some(end) => format!("{}{}***", redact_url_user(&url[..end]), &url[end..=end]),
        None => redact_url_user(url),
    }
}

/// Returns `text` with `***` in place of everything between the first `://` and the last `@`.
#[must_use]
pub fn redact_url_user(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, server))) => format!("{scheme}://***@{server}"),
        _ => text.to_owned(),
    }
}
