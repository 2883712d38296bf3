//! Log lines on standard error, and which of them `RUST_LOG` selects.

use std::collections::BTreeSet;
use std::net::TcpListener;

use serde_json::Value;
use tempfile::TempDir;

use crate::windrow::windrow_command;

const KAFKA_LOOKUP: &str = "windrow_connectors::kafka::topic::lookup";
const WEB_SERVER: &str = "windrow::job_web_server";

/// A log line: its level, its module and its message.
struct LogLine {
    level: String,
    module: String,
    message: String,
}

/// Returns the log lines of a job that finds no Kafka. With every level, it logs the address of its pages (`INFO` of
/// [`WEB_SERVER`]) and that it waits (`WARN` of [`KAFKA_LOOKUP`]).
fn log_lines(filter: Option<&str>, flags: &[&str]) -> Vec<LogLine> {
    let folder = TempDir::new().expect("a folder");
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address");
    let (brokers, store) =
        (format!("source.kafka.brokers={closed}"), format!("checkpoint.store=file:{}", folder.path().display()));
    let mut command = windrow_command(["--log-format", "json", "run", "--listen", "127.0.0.1:0"]);
    command.args(["--start-timeout", "1s", "--set", &brokers, "--set", &store]).args(flags);
    if let Some(filter) = filter {
        command.env("RUST_LOG", filter);
    }
    let output = command.output().expect("windrow runs");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(6), "{stderr}");
    let lines = stderr.lines().filter(|line| line.starts_with('{'));
    let parse = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        LogLine {
            level: text(&line["level"]),
            module: text(&line["target"]),
            message: text(&line["fields"]["message"]),
        }
    };
    lines.map(parse).collect()
}

fn has_line(lines: &[LogLine], module: &str, level: &str) -> bool {
    lines.iter().any(|line| line.module == module && line.level == level)
}

fn find_levels(lines: &[LogLine]) -> BTreeSet<&str> {
    lines.iter().map(|line| line.level.as_str()).collect()
}

#[test]
fn without_a_filter_lines_from_info_on_are_shown() {
    for filter in [None, Some(" , "), Some("info")] {
        let lines = log_lines(filter, &[]);
        assert!(has_line(&lines, WEB_SERVER, "INFO") && has_line(&lines, KAFKA_LOOKUP, "WARN"), "{filter:?}");
        assert!(!find_levels(&lines).contains("DEBUG"), "{filter:?}");
    }
}

#[test]
fn a_level_selects_lines() {
    assert!(log_lines(Some("off"), &[]).is_empty());
    let lines = log_lines(Some("warn"), &[]);
    assert!(!has_line(&lines, WEB_SERVER, "INFO") && has_line(&lines, KAFKA_LOOKUP, "WARN"));
    // The variable overrides the flag.
    assert!(!has_line(&log_lines(Some("warn"), &["--verbose"]), WEB_SERVER, "INFO"));
    assert!(has_line(&log_lines(None, &["--verbose"]), WEB_SERVER, "INFO"));
    assert!(find_levels(&log_lines(Some("trace"), &[])).contains("TRACE"));
    assert!(!find_levels(&log_lines(Some("debug"), &[])).contains("TRACE"));
}

#[test]
fn a_module_with_a_level_selects_lines() {
    let lines = log_lines(Some("windrow::job_web_server=info"), &[]);
    assert!(has_line(&lines, WEB_SERVER, "INFO"));
    assert!(lines.iter().all(|line| line.module == WEB_SERVER), "other modules are off");
    let lines = log_lines(Some("info,windrow_connectors::kafka=off"), &[]);
    assert!(has_line(&lines, WEB_SERVER, "INFO"));
    assert!(!lines.iter().any(|line| line.module.starts_with("windrow_connectors::kafka")));
    let lines = log_lines(Some(" warn, windrow=info,"), &[]);
    assert!(has_line(&lines, WEB_SERVER, "INFO") && has_line(&lines, KAFKA_LOOKUP, "WARN"));
    assert!(!find_levels(&lines).contains("TRACE"));
}

/// A wrong value must not hide the log.
#[test]
fn a_wrong_value_is_ignored_and_says_so() {
    for (filter, reason) in [
        ("debgu", "`debgu` is not a level; did you mean `debug`?"),
        ("warning", "`warning` is not a level; did you mean `warn`?"),
        ("windrow=loud", "`windrow=loud` is not valid"),
        ("info,windrow[span]=debug", "`info,windrow[span]=debug` is not valid"),
    ] {
        let lines = log_lines(Some(filter), &[]);
        let said = lines.iter().find(|line| line.message.starts_with("RUST_LOG is ignored: "));
        let said = said.unwrap_or_else(|| panic!("{filter}: nothing is said"));
        assert_eq!(said.level, "WARN");
        assert!(
            said.message.contains(reason) && said.message.contains("write a level such as `debug`"),
            "{}",
            said.message
        );
        assert!(has_line(&lines, WEB_SERVER, "INFO") && has_line(&lines, KAFKA_LOOKUP, "WARN"), "{filter}");
    }
}
