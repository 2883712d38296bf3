//! Redacts logins (user names and passwords) in texts that pages show.

pub use windrow_connectors::url_redaction::redact_url_credentials_and_query;
use windrow_connectors::url_redaction::redact_url_userinfo;

/// A TOML comment that pages show in place of a pipeline file from which a login cannot be removed.
pub const HIDDEN_PIPELINE_TEXT: &str =
    "# The pipeline file holds a login that cannot be removed from its text, so only the plan is shown.\n";

/// Returns the text of a pipeline file without logins. In each line, redacts the text from the first `://` to the last
/// `@`, even if that text is not a login. `redis_url` is the part of the Redis URL that the pipeline file contains.
/// Returns [`HIDDEN_PIPELINE_TEXT`] if the login of this URL or one of `passwords` could remain in the redacted text.
#[must_use]
pub fn redact_pipeline_text(text: &str, redis_url: &str, passwords: &[String]) -> String {
    let redacted: String = text.split_inclusive('\n').map(redact_url_userinfo).collect();
    let login = redis_url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(login, _)| login);
    let login = login.filter(|login| login.chars().any(|c| c != ':'));
    let password_remains = |login: &str| {
        let password = login.split_once(':').map_or(login, |(_, password)| password);
        !password.is_empty() && redacted.contains(password)
    };
    let query = redis_url.split_once('?').map_or("", |(_, query)| query);
    let login_is_in_query = query.split('&').any(|pair| pair.starts_with("pass=") || pair.starts_with("user="));
    // TOML escapes and line breaks can hide the Redis URL in the text, so that the redaction does not find the login in
    // this URL. Such a text must not be shown.
    let login_is_hidden = login.is_some_and(|login| redacted == text || password_remains(login));
    let known_password_remains = passwords.iter().any(|password| redacted.contains(password.as_str()));
    if login_is_in_query || login_is_hidden || known_password_remains {
        return HIDDEN_PIPELINE_TEXT.to_owned();
    }
    redacted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_left_out() {
        let text = "[sink.redis]\nurl = \"redis://user:hunter2@host:6379\" # mine\n# a@b\n";
        let redacted = redact_pipeline_text(text, "redis://user:hunter2@host:6379", &[]);
        assert_eq!(redacted, "[sink.redis]\nurl = \"redis://***@host:6379\" # mine\n# a@b\n");
        assert_eq!(redact_pipeline_text("url = 'redis://h'\n", "redis://h", &[]), "url = 'redis://h'\n");
    }

    #[test]
    fn a_login_behind_a_question_mark_is_left_out() {
        let url = "unix:///run/redis.sock?user=me&pass=hunter2";
        assert_eq!(redact_url_credentials_and_query(url), "unix:///run/redis.sock?***");
        assert_eq!(redact_url_credentials_and_query("redis://u:hunter2@h?protocol=resp3"), "redis://***@h?***");
        assert!(!redact_pipeline_text(&format!("url = \"{url}\"\n"), url, &[]).contains("hunter2"));
    }

    #[test]
    fn references_are_shown_unless_the_password_is_elsewhere_in_the_text() {
        let passwords = ["hunter2".to_owned()];
        let text = "url = \"${REDIS_URL}\"\npassword = \"${REDIS_PASSWORD}\"\n";
        assert_eq!(redact_pipeline_text(text, "", &passwords), text);
        let redacted = redact_pipeline_text("url = \"redis://:${P}@h\"\n", "redis://:@h", &passwords);
        assert_eq!(redacted, "url = \"redis://***@h\"\n");
        assert_eq!(redact_pipeline_text(&format!("# hunter2\n{text}"), "", &passwords), HIDDEN_PIPELINE_TEXT);
    }

    #[test]
    fn a_login_in_disguise_keeps_the_text_back() {
        for text in [
            "url = \"redis\\u003a//u:hunter2@h\"\n",
            "url = \"\"\"redis://u:\\\n hunter2@h\"\"\"\n",
            "# hunter2\nurl = \"redis://u:hunter2@h\"\n",
        ] {
            let redacted = redact_pipeline_text(text, "redis://u:hunter2@h", &[]);
            assert!(!redacted.contains("hunter2"), "{redacted}");
        }
    }
}
