//! Recognizes lines of the pipeline file that a message must not show.
//!
//! A reader marks the values that are secret. This check finds logins also where no reader reads them: in a file with
//! mistakes of syntax, or under a misspelt name.

/// Returns whether `line` looks as if it contained a literal login. References such as `${NAME}` are no secrets.
pub(crate) fn may_contain_login(line: &str) -> bool {
    let line = remove_references(line);
    let url = line.split_once("://").map(|(_, rest)| rest);
    let login = url.and_then(|rest| rest.rsplit_once('@')).map(|(login, _)| login);
    let is_in_url =
        login.is_some_and(|login| login.chars().any(|c| c != ':')) || url.is_some_and(|rest| rest.contains("pass="));
    let setting = line.split_once("password").and_then(|(_, rest)| rest.split_once('='));
    is_in_url || setting.is_some_and(|(_, value)| !names_only_file(value) && value.contains(char::is_alphanumeric))
}

/// Returns whether `value` begins a table whose only setting is `file`.
fn names_only_file(value: &str) -> bool {
    let content = value.trim_start().strip_prefix('{').map(str::trim_start);
    content.is_some_and(|content| content.starts_with("file") && content.matches('=').count() == 1)
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

#[cfg(test)]
mod tests {
    use super::may_contain_login;

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
}
