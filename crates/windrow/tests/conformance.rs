//! Compares `windrow replay` of the shipped pipeline with results that Apache Flink computed.
//!
//! A case is two files in `tests/conformance`: `NAME.events.jsonl` and `NAME.flink.jsonl`. Every case there is tested.
//! `NAME.settings.txt`, if it exists, has settings of the pipeline that the case changes, one per line.

#[path = "support/rows.rs"]
mod rows;
#[path = "support/windrow.rs"]
mod windrow;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use rows::compare_rows;
use windrow::{run, run_with_input};

struct Case {
    name: String,
    events: PathBuf,
    answers: PathBuf,
    /// The arguments of the command line that change settings of the pipeline.
    setting_arguments: Vec<String>,
}

/// Lists the cases of a folder.
///
/// # Errors
/// When there is none, or when a case lacks one of its files.
fn cases(folder: &Path) -> Result<Vec<Case>, String> {
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let file = entry.map_err(|error| error.to_string())?.file_name().into_string().map_err(|_| "a file's name")?;
        names
            .extend([".events.jsonl", ".flink.jsonl"].iter().find_map(|end| file.strip_suffix(end)).map(str::to_owned));
    }
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Err(format!("there are no cases in {}", folder.display()));
    }
    let case = |name: String| {
        let file = |end: &str| {
            let path = folder.join(format!("{name}.{end}.jsonl"));
            if path.is_file() { Ok(path) } else { Err(format!("{} is missing", path.display())) }
        };
        let settings = fs::read_to_string(folder.join(format!("{name}.settings.txt"))).unwrap_or_default();
        let setting_arguments = settings.lines().map(|line| format!("--set={line}")).collect();
        Ok(Case { events: file("events")?, answers: file("flink")?, setting_arguments, name })
    };
    names.into_iter().map(case).collect()
}

fn shipped_cases() -> Vec<Case> {
    cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")).expect("the cases")
}

impl Case {
    /// Replays the events from file to file and returns the rows.
    fn replay(&self, folder: &TempDir) -> String {
        let output = folder.path().join(format!("{}.rows.jsonl", self.name));
        let paths = [self.events.to_string_lossy(), output.to_string_lossy()];
        run(self.arguments(&paths[0], &paths[1])).expect(0).expect_stderr(&[" 0 dead letter"]);
        fs::read_to_string(output).expect("the rows")
    }

    /// Replays the events from standard input to standard output and returns the rows.
    fn replay_piped(&self) -> String {
        let events = fs::read(&self.events).expect("the events");
        run_with_input(self.arguments("-", "-"), events).expect(0).text().to_owned()
    }

    fn arguments<'a>(&'a self, input: &'a str, output: &'a str) -> Vec<&'a str> {
        let mut arguments = vec!["replay", "pipelines/ecommerce.toml", "--input", input, "--output", output];
        arguments.extend(self.setting_arguments.iter().map(String::as_str));
        arguments
    }

    fn answers(&self) -> String {
        fs::read_to_string(&self.answers).expect("Flink's answers")
    }
}

#[test]
fn every_case_agrees_with_flink() {
    let folder = TempDir::new().expect("a folder");
    for case in shipped_cases() {
        // Flink's DataStream API does not say which rows a row supersedes.
        let rows = case.replay(&folder);
        let is_row = |line: &&str| !line.ends_with(",\"superseded\":true}");
        let rows: String = rows.lines().filter(is_row).flat_map(|line| [line, "\n"]).collect();
        match compare_rows(&case.answers(), &rows) {
            Ok(rows) => println!("{}: {rows} rows agree", case.name),
            Err(differences) => panic!("case {}: {differences}", case.name),
        }
    }
}

#[test]
fn pipes_give_the_same_bytes_as_files_and_every_run_the_same_as_the_last() {
    let folder = TempDir::new().expect("a folder");
    for case in shipped_cases() {
        let first = case.replay(&folder);
        assert!(first == case.replay(&folder), "{}: a second run gave other bytes", case.name);
        assert!(first == case.replay_piped(), "{}: standard input and output gave other bytes", case.name);
    }
}

#[test]
fn a_folder_without_cases_or_with_half_a_case_is_an_error() {
    let folder = TempDir::new().expect("a folder");
    let error = cases(folder.path()).err().expect("an empty folder has no cases");
    assert!(error.contains("no cases"), "{error}");
    fs::write(folder.path().join("one.events.jsonl"), "").expect("a file");
    let error = cases(folder.path()).err().expect("half a case");
    assert!(error.contains("one.flink.jsonl is missing"), "{error}");
    fs::write(folder.path().join("one.flink.jsonl"), "").expect("a file");
    assert_eq!(cases(folder.path()).expect("a case").len(), 1);
}

/// Tests of the comparison itself, which must find every difference.
mod comparing {
    use super::compare_rows;

    fn differences(expected: &str, actual: &str) -> String {
        compare_rows(expected, actual).expect_err("they differ")
    }

    #[test]
    fn order_and_rounding_do_not_count() {
        let expected = "{\"u\":\"a\",\"n\":1,\"avg\":0.3}\n{\"u\":\"b\",\"n\":2,\"avg\":1e300}\n";
        let actual =
            "{\"n\":2,\"u\":\"b\",\"avg\":1.0000000001e300}\n{\"u\":\"a\",\"n\":1,\"avg\":0.30000000000000004}\n";
        assert_eq!(compare_rows(expected, actual), Ok(2));
        assert!(differences("{\"avg\":1.0}", "{\"avg\":1.00000001}").contains("1.00000001"));
    }

    #[test]
    fn how_often_a_row_comes_counts() {
        let (once, twice) = ("{\"n\":1}\n", "{\"n\":1}\n{\"n\":1}\n");
        assert_eq!(compare_rows(twice, twice), Ok(2));
        assert!(differences(twice, once).contains("1 rows agree, 1 differ:\n  missing: {\"n\":1}"));
        assert!(differences(once, twice).contains("line 2: not expected: {\"n\":1}"));
    }

    #[test]
    fn names_types_and_values_count() {
        for (expected, actual) in [
            (r#"{"n":1}"#, r#"{"n":2}"#),
            (r#"{"n":1}"#, r#"{"n":1.0}"#),
            (r#"{"n":1.0}"#, r#"{"m":1.0}"#),
            (r#"{"n":1}"#, r#"{"n":1,"more":true}"#),
            (r#"{"n":"1"}"#, r#"{"n":1}"#),
            (r#"{"n":null}"#, r#"{"n":0}"#),
            (r#"{"n":null}"#, "{}"),
            (r#"{"n":1}"#, ""),
            ("", r#"{"n":1}"#),
        ] {
            differences(expected, actual);
        }
        assert!(differences("{}", "oops").contains("line 1 is no row"));
    }

    #[test]
    fn many_differences_are_cut() {
        let rows: String = (0..30).map(|n| format!("{{\"n\":{n}}}\n")).collect();
        let report = differences(&rows, "");
        assert!(report.starts_with("0 rows agree, 30 differ:") && report.ends_with("… and 20 more\n"), "{report}");
    }
}
