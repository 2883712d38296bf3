//! References to environment variables and files in `[sink.redis]`.

use windrow_spec::{Diagnostics, Pipeline, RenderStyle, SHIPPED_PIPELINE, SecretSource, parse_with_secrets};

const PASSWORD: &str = "hunter2 @/:%?#";
const ENCODED_PASSWORD: &str = "hunter2%20%40%2F%3A%25%3F%23";

/// Holds the variables `URL`, `USER`, `PASSWORD` and `BLANK`, and the files `/password` and `/blank`.
struct TestSecrets;

impl SecretSource for TestSecrets {
    fn read_variable(&self, name: &str) -> Result<String, String> {
        match name {
            "URL" => Ok("rediss://redis.example:6380/1".to_owned()),
            "USER" => Ok("me".to_owned()),
            "PASSWORD" => Ok(PASSWORD.to_owned()),
            "ENCODED" => Ok(ENCODED_PASSWORD.to_owned()),
            "BLANK" => Ok(" ".to_owned()),
            _ => Err("is not set".to_owned()),
        }
    }

    fn read_file(&self, path: &str) -> Result<String, String> {
        match path {
            "/password" => Ok(format!("{PASSWORD}\r\n")),
            "/blank" => Ok("\n".to_owned()),
            _ => Err("does not exist".to_owned()),
        }
    }
}

fn parse_sink(settings: &str) -> Result<Pipeline, Diagnostics> {
    let shipped = "url = \"redis://localhost:6379\"";
    assert!(SHIPPED_PIPELINE.contains(shipped));
    parse_with_secrets("p.toml", &SHIPPED_PIPELINE.replace(shipped, settings), &[], &TestSecrets)
}

#[test]
fn references_are_replaced_and_the_login_joins_the_url() {
    for (settings, url) in [
        ("url = \"${URL}\"", "rediss://redis.example:6380/1".to_owned()),
        ("url = \"redis://${USER}:${ENCODED}@h\"", format!("redis://me:{ENCODED_PASSWORD}@h")),
        ("url = \"redis://h\"\npassword = \"${PASSWORD}\"", format!("redis://:{ENCODED_PASSWORD}@h")),
        (
            "url = \"${URL}\"\nuser = \"${USER}\"\npassword = { file = \"/password\" }",
            format!("rediss://me:{ENCODED_PASSWORD}@redis.example:6380/1"),
        ),
        (
            "url = \"unix:///run/r.sock?db=1\"\nuser = \"me\"\npassword.file = \"/password\"",
            format!("unix:///run/r.sock?db=1&user=me&pass={ENCODED_PASSWORD}"),
        ),
        ("url = \"redis://h\"\npassword = \"a$${USER}$b\"", "redis://:a%24%7BUSER%7D%24b@h".to_owned()),
    ] {
        let pipeline = parse_sink(settings).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert_eq!(pipeline.sink.redis().redis_url, url, "{settings}");
        let debug = format!("{pipeline:?}");
        assert!(!debug.contains("hunter2") && !debug.contains("a%24"), "{debug}");
    }
}

#[test]
fn a_missing_secret_is_a_mistake_at_its_place() {
    for (settings, place, message) in [
        ("url = \"redis://${HOST}\"", "30:16", "the environment variable `HOST` is not set"),
        ("url = \"${BLANK}\"", "30:8", "the environment variable `BLANK` is empty"),
        ("url = \"redis://h\"\npassword = { file = \"/no\" }", "31:21", "the file `/no` does not exist"),
        ("url = \"redis://h\"\npassword = { file = \"/blank\" }", "31:21", "the file `/blank` is empty"),
        ("url = \"redis://h/${\"", "30:18", "this is not a reference to an environment variable"),
        ("url = \"redis://h/${URL:-x}\"", "30:18", "this is not a reference to an environment variable"),
        ("url = \"redis://h\"\nuser = \"me\"", "31:8", "`sink.redis.user` needs a password"),
    ] {
        let mistakes = parse_sink(settings).expect_err(settings);
        let found: Vec<_> = mistakes.iter().map(|one| (one.place.to_string(), one.message.as_str())).collect();
        assert_eq!(found, [(place.to_owned(), message)], "{settings}");
    }
}

#[test]
fn no_mistake_shows_a_secret() {
    for settings in [
        "url = \"http://${USER}:${PASSWORD}@h\"",
        "url = \"redis://:hunter2@h\"\npassword = \"${PASSWORD}\"",
        "url = \"redis://:hunter2@h\", tls = true",
        "url = \"redis://:hunter2@h",
        "url = redis://:hunter2@h",
        "url = \"redis://:hunter2@${HOST}\"",
        "url = \"redis://h\"\npassword = \"hunter2${NO}\"",
        "url = \"redis://h\"\npassword = 'hunter2",
        "url = \"redis://h\"\npasswort = \"hunter2\"",
        "url = \"redis://h\"\npassword = [\"hunter2\"]",
        "ulr = \"redis://:hunter2@h\"",
        "url = \"redis://h\"\npassword = { file = \"/password\", value = \"hunter2\" }",
        "url = \"redis://h\"\n[sink.redis.password]\nvalue = \"hunter2\"",
        "url = \"redis://h\"\n[sink]\npassword = \"hunter2\"",
        "url = \"redis://h\"\n[sink]\nsecret = \"hunter2\"",
    ] {
        let mistakes = parse_sink(settings).expect_err(settings);
        let shown = format!("{}\n{mistakes:?}", mistakes.render(RenderStyle::Plain));
        assert!(!shown.contains("hunter2"), "{settings}\n{shown}");
    }
}
