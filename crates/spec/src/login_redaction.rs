//! Recognizes logins (a user, a password, or both) in URLs and in the text of pipeline files, and redacts them.
//!
//! Owns: the only rule by which Windrow finds a login. A URL has a login in two places: (1) the *userinfo*, all text
//! between the first `://` and the last `@`; (2) the values of the parameters `user` and `pass` behind `?`. In the text of
//! a pipeline file also the value of a setting whose name contains `password` is a login.
//! The text may be an invalid URL, in which a login has no certain place. So these functions find too much rather than too
//! little.

/// A TOML comment that pages show in place of a pipeline file from which a login cannot be removed.
pub const HIDDEN_PIPELINE_TEXT: &str =
    "# The pipeline file holds a login that cannot be removed from its text, so only the plan is shown.\n";

const REDACTED: &str = "***";
/// The parameters of a Redis URL that are a login.
const LOGIN_PARAMETERS: [&str; 2] = ["user=", "pass="];

/// Returns `url` without user, password, query and fragment. The query and the fragment are removed, because they may
/// contain credentials. If a `?` or `#` stands before an `@`, the password contains one of the two, and it is not certain
/// which. Then only the scheme remains.
#[must_use]
pub fn redact_url_credentials_and_query(url: &str) -> String {
    let query_start = url.find(['?', '#']);
    match (query_start, url.rfind('@')) {
        (Some(query_start), Some(at)) if query_start < at => {
            let scheme = url.split_once("://").map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
            format!("{scheme}{REDACTED}")
        }
        (Some(end), _) => format!("{}{}{REDACTED}", redact_userinfo(&url[..end]), &url[end..=end]),
        (None, _) => redact_userinfo(url),
    }
}

/// Returns the text of a pipeline file without logins. In each line, redacts the userinfo, even if that text is not a
/// login. `redis_url` is the part of the Redis URL that the pipeline file contains. Returns [`HIDDEN_PIPELINE_TEXT`] if the
/// login of this URL or one of `passwords` could remain in the redacted text.
#[must_use]
pub fn redact_pipeline_text(text: &str, redis_url: &str, passwords: &[String]) -> String {
    let redacted: String = text.split_inclusive('\n').map(redact_userinfo).collect();
    let login = find_userinfo(redis_url).filter(|login| is_literal_login(login));
    let password_remains = |login: &str| {
        let password = login.split_once(':').map_or(login, |(_, password)| password);
        !password.is_empty() && redacted.contains(password)
    };
    let login_is_in_query = find_login_parameters(redis_url).next().is_some();
    // TOML escapes and line breaks can hide the Redis URL in the text, so that the redaction does not find the login in
    // this URL. Such a text must not be shown.
    let login_is_hidden = login.is_some_and(|login| redacted == text || password_remains(login));
    let known_password_remains = passwords.iter().any(|password| redacted.contains(password.as_str()));
    if login_is_in_query || login_is_hidden || known_password_remains {
        return HIDDEN_PIPELINE_TEXT.to_owned();
    }
    redacted
}

/// Returns whether `line` of a pipeline file looks as if it contained a literal login. A reader marks the values that are
/// secret. This check finds logins also where no reader reads them: in a file with mistakes of syntax, or under a misspelt
/// name. References such as `${NAME}` are no secrets.
pub(crate) fn may_contain_login(line: &str) -> bool {
    let line = remove_references(line);
    // An escape can hide the `?` before a parameter.
    let is_in_text = |parameter: &&str| line.split_once("://").is_some_and(|(_, rest)| rest.contains(*parameter));
    let has_parameter = LOGIN_PARAMETERS.iter().any(is_in_text);
    let setting = line.split_once("password").and_then(|(_, rest)| rest.split_once('='));
    has_parameter
        || find_userinfo(&line).is_some_and(is_literal_login)
        || setting.is_some_and(|(_, value)| !names_only_file(value) && value.contains(char::is_alphanumeric))
}

/// Returns whether `url` contains a user or a password.
pub(crate) fn has_login(url: &str) -> bool {
    url.contains('@') || find_login_parameters(url).next().is_some()
}

/// Returns the password in `url` as it is written, and without percent encoding.
pub(crate) fn find_passwords(url: &str) -> Vec<String> {
    let in_userinfo = find_userinfo(url).and_then(|login| login.split_once(':')).map(|(_, password)| password);
    let in_query = find_login_parameters(url).find_map(|parameter| parameter.strip_prefix("pass="));
    let written = in_userinfo.into_iter().chain(in_query).filter(|password| !password.is_empty());
    written.flat_map(|password| [password.to_owned(), percent_decode(password)]).collect()
}

/// Returns `text` without references to environment variables.
pub(crate) fn remove_references(text: &str) -> String {
    let mut literal = String::new();
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once("${") {
        literal.push_str(before);
        let Some((_, after)) = reference.split_once('}') else {
            rest = reference;
            break;
        };
        rest = after;
    }
    literal + rest
}

/// Returns the text between the first `://` and the last `@`.
fn find_userinfo(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    rest.rsplit_once('@').map(|(login, _)| login)
}

/// Returns whether a userinfo contains more than the colon between a user and a password.
fn is_literal_login(userinfo: &str) -> bool {
    userinfo.chars().any(|c| c != ':')
}

/// Returns the parameters of `url` that are a login, each with its name.
fn find_login_parameters(url: &str) -> impl Iterator<Item = &str> {
    let parameters = url.split(['?', '&']).skip(1);
    parameters.filter(|parameter| LOGIN_PARAMETERS.iter().any(|name| parameter.starts_with(name)))
}

/// Returns `text` with `***` in place of its userinfo.
fn redact_userinfo(text: &str) -> String {
    match (find_userinfo(text), text.split_once("://"), text.rsplit_once('@')) {
        (Some(_), Some((scheme, _)), Some((_, server))) => format!("{scheme}://{REDACTED}@{server}"),
        _ => text.to_owned(),
    }
}

/// Returns whether `value` begins a table whose only setting is `file`.
fn names_only_file(value: &str) -> bool {
    let content = value.trim_start().strip_prefix('{').map(str::trim_start);
    content.is_some_and(|content| content.starts_with("file") && content.matches('=').count() == 1)
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| byte == b'%');
        bytes.push(decoded.unwrap_or(byte));
        rest = if decoded.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_logins_are_recognized() {
        for line in [
            "url = \"redis://:hunter2@h\"",
            "url = \"redis://hunter2@h/${DB}\"",
            "url = 'unix:///run/r.sock?pass=hunter2'",
            "password = \"hunter2\"",
            "redis = { url = \"redis://h\", password = 'hunter2",
            "password = \"file-hunter2\"",
            "password = { file = \"/run/secrets/redis\", value = \"hunter2\" }",
            "password = { value = \"hunter2\" } # not a file",
        ] {
            assert!(may_contain_login(line), "{line}");
        }
        for line in [
            "url = \"redis://localhost:6379\"",
            "url = \"redis://:${PASSWORD}@h\"",
            "password = \"${PASSWORD}\"",
            "password = { file = \"/run/secrets/redis\" }",
        ] {
            assert!(!may_contain_login(line), "{line}");
        }
    }

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

    /// Every place in which one function finds a login is found by all others.
    #[test]
    fn all_functions_find_the_same_logins() {
        for url in [
            "redis://:hunter2@h",
            "redis://u:hunter2@h:6379/1",
            "rediss://u:hunter2@h?protocol=resp3",
            "redis://u:hun@ter2@h",
            "redis://u:hun?ter2@h:6379",
            "redis://u:hun#ter2@h:6379/1",
            "redis://u:hun/ter2@h",
            "redis://:hun?t@er2@h?db=1",
            "unix:///run/r.sock?pass=hun@ter2",
            "unix:///run/r.sock?user=me&pass=hun#ter2@h",
            "unix:///run/r.sock?pass=hunter2",
            "unix:///run/r.sock?db=1&user=me&pass=hunter2",
            "redis://u:hunter2@h?pass=other",
        ] {
            let text = format!("url = \"{url}\"\n");
            assert!(has_login(url) && may_contain_login(&text), "{url}");
            assert!(find_passwords(url).iter().any(|password| password.starts_with("hun")), "{url}");
            for redacted in [redact_url_credentials_and_query(url), redact_pipeline_text(&text, url, &[])] {
                assert!(!redacted.contains("hun") && !redacted.contains("er2"), "{url}: {redacted}");
            }
        }
        for url in ["redis://h", "redis://h:6379/1?protocol=resp3", "unix:///run/user=1/r.sock"] {
            let text = format!("url = \"{url}\"\n");
            assert!(!has_login(url) && find_passwords(url).is_empty(), "{url}");
            assert_eq!(redact_pipeline_text(&text, url, &[]), text);
        }
    }
}
