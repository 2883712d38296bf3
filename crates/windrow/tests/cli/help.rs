//! `--help` of the program and of every command.

use crate::windrow::run;

#[test]
fn every_command_has_examples() {
    for command in
        ["run", "replay", "check", "test", "schema", "generate", "demo", "features", "kafka-ui", "savepoint", "health"]
    {
        let help = run([command, "--help"]).expect(0);
        let (_, examples) = help.text().split_once("\nExamples:\n").expect("examples");
        assert!(examples.contains(&format!("windrow {command}")), "{examples}");
        let overview = run(["--help"]).expect(0);
        assert!(overview.text().contains(&format!("\n  {command} ")), "{command} is in the overview");
    }
}

#[test]
fn every_command_for_state_has_examples() {
    for command in ["list", "show", "verify"] {
        let help = run(["state", command, "--help"]).expect(0);
        let (_, examples) = help.text().split_once("\nExamples:\n").expect("examples");
        assert!(examples.contains(&format!("windrow state {command}")), "{examples}");
    }
    insta::assert_snapshot!(run(["state", "verify", "--help"]).expect(0).text());
    insta::assert_snapshot!(run(["savepoint", "--help"]).expect(0).text());
}

#[test]
fn the_exit_codes_are_listed() {
    let help = run(["--help"]).expect(0);
    let start = help.text().find("Exit codes:").expect("the list");
    insta::assert_snapshot!(&help.text()[start..]);
}

#[test]
fn operations_has_a_row_for_each_exit_code() {
    let page = include_str!("../../../../docs/operations.md");
    let help = run(["--help"]).expect(0);
    let (_, list) = help.text().split_once("Exit codes:\n").expect("the list");
    let first_words = list.lines().filter_map(|line| line.split_whitespace().next());
    let codes: Vec<&str> = first_words.filter(|word| word.parse::<u8>().is_ok()).collect();
    assert!(codes.len() > 15, "{codes:?}");
    for code in codes {
        assert!(page.contains(&format!("\n| {code} | ")), "docs/operations.md has no row for exit code {code}");
    }
}

#[test]
fn the_version_is_the_packages() {
    let version = run(["--version"]).expect(0);
    assert_eq!(version.text(), format!("windrow {}\n", env!("CARGO_PKG_VERSION")));
}
