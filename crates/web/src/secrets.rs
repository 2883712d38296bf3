//! Leaving logins out of what people are shown.

/// `url` without user and password, which may also stand in what follows its `?`.
#[must_use]
pub fn redact_url_login(url: &str) -> String {
    let (url, query) = url.split_once('?').map_or((url, ""), |(url, _)| (url, "?***"));
    redact_url_user(url) + query
}

fn redact_url_user(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, server))) => format!("{scheme}://***@{server}"),
        _ => url.to_owned(),
    }
}

/// The text of a pipeline file without the logins in it; `redis` is the URL of Redis that was read from it. Rather leaves
/// out too much: in each line everything between the first `://` and the last `@`.
#[must_use]
pub fn redact_pipeline_text(text: &str, redis: &str) -> String {
    let lines: String = text.split_inclusive('\n').map(redact_url_user).collect();
    let login = redis.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(login, _)| login);
    let left = |login: &str| {
        let password = login.split_once(':').map_or(login, |(_, password)| password);
        !password.is_empty() && lines.contains(password)
    };
    let query = redis.split_once('?').map_or("", |(_, query)| query);
    let in_query = query.split('&').any(|pair| pair.starts_with("pass=") || pair.starts_with("user="));
    // Written so that it was not recognised.
    let disguised = login.is_some_and(|login| lines == text || left(login));
    if in_query || disguised {
        return "# The pipeline file holds a login that cannot be left out of its text, so it is not shown; the plan is.\n"
            .to_owned();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_left_out() {
        let text = "[sink.redis]\nurl = \"redis://user:hunter2@host:6379\" # mine\n# a@b\n";
        let shown = redact_pipeline_text(text, "redis://user:hunter2@host:6379");
        assert_eq!(shown, "[sink.redis]\nurl = \"redis://***@host:6379\" # mine\n# a@b\n");
        assert_eq!(redact_pipeline_text("url = 'redis://h'\n", "redis://h"), "url = 'redis://h'\n");
    }

    #[test]
    fn a_login_behind_a_question_mark_is_left_out() {
        let url = "unix:///run/redis.sock?user=me&pass=hunter2";
        assert_eq!(redact_url_login(url), "unix:///run/redis.sock?***");
        assert_eq!(redact_url_login("redis://u:hunter2@h?protocol=resp3"), "redis://***@h?***");
        assert!(!redact_pipeline_text(&format!("url = \"{url}\"\n"), url).contains("hunter2"));
    }

    #[test]
    fn a_login_in_disguise_keeps_the_text_back() {
        for text in [
            "url = \"redis\\u003a//u:hunter2@h\"\n",
            "url = \"\"\"redis://u:\\\n hunter2@h\"\"\"\n",
            "# hunter2\nurl = \"redis://u:hunter2@h\"\n",
        ] {
            let shown = redact_pipeline_text(text, "redis://u:hunter2@h");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
