//! `windrow state`: over the kept state of `tests/fixtures`, whole and damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::folder_copy::copy_folder;
use crate::folder_files::read_files;
use crate::windrow::{FinishedCommand, run};

pub(crate) const PIPELINE: &str = "crates/windrow/tests/fixtures/state-v1/pipeline.toml";
pub(crate) const JOB: &str = "every-aggregate/kept";
pub(crate) const SAVEPOINT: &str = "every-aggregate/kept/savepoints/kept";

/// A copy of the kept state.
pub(crate) struct StateCopy(TempDir);

impl StateCopy {
    pub(crate) fn create() -> Self {
        let folder = TempDir::new().expect("a folder");
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/state-v1/store");
        copy_folder(&kept, folder.path());
        Self(folder)
    }

    pub(crate) fn path_of(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub(crate) fn path_text(&self, path: &str) -> String {
        self.path_of(path).display().to_string()
    }

    pub(crate) fn store_setting(&self) -> String {
        format!("checkpoint.store=file:{}", self.0.path().display())
    }

    /// Flips one bit of a file.
    pub(crate) fn flip_bit(&self, path: &str) {
        let mut bytes = fs::read(self.path_of(path)).expect("readable");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(self.path_of(path), bytes).expect("written");
    }

    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        read_files(self.0.path())
    }

    /// Replaces the path of this copy, which differs from run to run.
    pub(crate) fn redact_store(&self, text: &str) -> String {
        text.replace(&self.0.path().display().to_string(), "[STORE]")
    }
}

/// Returns a table's cells without rulers and padding. Ages, which change, become `…`.
fn normalize_table(text: &str) -> String {
    let mut age = None;
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.starts_with(['─', '═'])) {
        let mut cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        match cells.iter().position(|cell| *cell == "age") {
            Some(column) => age = Some((column, cells.len())),
            None => {
                if let Some((column, columns)) = age
                    && cells.len() == columns
                {
                    cells[column] = "…";
                }
            }
        }
        out += &cells.join(" | ");
        out.push('\n');
    }
    out
}

fn parse_json(finished: &FinishedCommand) -> Value {
    serde_json::from_slice(&finished.stdout).expect("standard output is JSON")
}

fn run_list(copy: &StateCopy, more: &[&str]) -> FinishedCommand {
    run(["state", "list", PIPELINE, "--set", &copy.store_setting()].iter().chain(more))
}

fn run_verify(copy: &StateCopy, path: &str, more: &[&str]) -> FinishedCommand {
    run(["state", "verify", &copy.path_text(path)].iter().chain(more))
}

#[test]
fn checkpoints_and_savepoints_are_listed() {
    let copy = StateCopy::create();
    let listed = run_list(&copy, &[]).expect(0);
    insta::assert_snapshot!(normalize_table(&copy.redact_store(listed.text())));
    assert_eq!(listed.stderr, "");
    let listed = parse_json(&run_list(&copy, &["--json"]).expect(0));
    assert_eq!(listed["checkpoints"].as_array().map(Vec::len), Some(4));
    let newest = &listed["checkpoints"][1];
    assert_eq!((&newest["number"], &newest["layers"]), (&4.into(), &3.into()), "{newest}");
    assert!(newest["age_ms"].as_i64().is_some_and(|age| age > 0), "{newest}");
    assert_eq!(listed["savepoints"][0]["complete"], true);
    assert_eq!(listed["savepoints"][0]["location"], format!("file:{}", copy.path_text(SAVEPOINT)));
}

#[test]
fn what_cannot_be_read_is_listed_with_the_reason() {
    let copy = StateCopy::create();
    copy.flip_bit("every-aggregate/kept/partition-1/checkpoint/0000000001-0000000004");
    fs::remove_file(copy.path_of(&format!("{SAVEPOINT}/savepoint"))).expect("removed");
    let listed = run_list(&copy, &[]).expect(0);
    insta::assert_snapshot!(normalize_table(&copy.redact_store(listed.text())));
    let listed = parse_json(&run_list(&copy, &["--json"]).expect(0));
    assert!(listed["checkpoints"][3]["unreadable"].as_str().is_some_and(|why| why.contains("checksum")), "{listed}");
    assert_eq!(listed["savepoints"][0]["complete"], false);
}

#[test]
fn a_job_without_state_has_an_empty_list() {
    let copy = StateCopy::create();
    let listed = run(["state", "list", "--set", &copy.store_setting()]).expect(0);
    assert!(listed.text().contains("no checkpoints\n\nno savepoints\n"), "{}", listed.text());
}

#[test]
fn the_newest_checkpoints_of_a_job_are_shown() {
    let copy = StateCopy::create();
    let shown = run(["state", "show", &copy.path_text(JOB)]).expect(0);
    insta::assert_snapshot!(copy.redact_store(shown.text()));
    assert_eq!(shown.stderr, "");
}

#[test]
fn a_savepoint_is_shown_as_json() {
    let copy = StateCopy::create();
    let shown = run(["state", "show", &format!("file:{}", copy.path_text(SAVEPOINT)), "--json"]).expect(0);
    parse_json(&shown);
    insta::assert_snapshot!(copy.redact_store(shown.text()));
    let shown = run(["state", "show", &copy.path_text(SAVEPOINT)]).expect(0);
    assert!(shown.text().contains("\nid          kept\n"), "{}", shown.text());
}

#[test]
fn one_partition_is_shown_alone() {
    let copy = StateCopy::create();
    let shown = parse_json(&run(["state", "show", &copy.path_text(JOB), "--partition", "1", "--json"]).expect(0));
    assert_eq!(shown["partitions"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["partitions"][0]["partition"], 1);
    run(["state", "show", &copy.path_text(JOB), "--partition", "2"])
        .expect(13)
        .expect_stderr(&["no state of partition 2"]);
}

#[test]
fn a_relative_path_is_one_from_here() {
    let shown = run(["state", "show", "crates/windrow/tests/fixtures/state-v1/store/every-aggregate/kept"]).expect(0);
    assert!(shown.text().contains("place       file:/"), "{}", shown.text());
}

#[test]
fn whole_state_is_verified() {
    let copy = StateCopy::create();
    for path in [JOB, SAVEPOINT] {
        let before = copy.files();
        let verified = run_verify(&copy, path, &["--pipeline", PIPELINE]).expect(0);
        assert_eq!(verified.stderr, "");
        assert_eq!(copy.files(), before, "nothing is changed");
    }
    insta::assert_snapshot!(copy.redact_store(run_verify(&copy, JOB, &["--pipeline", PIPELINE]).expect(0).text()));
}

#[test]
fn damage_is_named_and_is_16() {
    let layer = "partition-0/state/0000000001-0000000002-0000";
    let manifest = "partition-1/checkpoint/0000000001-0000000004";

    let copy = StateCopy::create();
    copy.flip_bit(&format!("{JOB}/{layer}"));
    copy.flip_bit(&format!("{JOB}/{manifest}"));
    let damaged = run_verify(&copy, JOB, &[]).expect(16).expect_stderr(&["3 of 4 checkpoints in ", " cannot be used"]);
    insta::assert_snapshot!(copy.redact_store(damaged.text()));
    let damaged = parse_json(&run_verify(&copy, JOB, &["--json"]).expect(16));
    assert_eq!(damaged["usable"], false);
    assert_eq!(damaged["checkpoints"][0]["unusable"][0]["object"], layer);

    let copy = StateCopy::create();
    fs::remove_file(copy.path_of(&format!("{JOB}/{layer}"))).expect("removed");
    let damaged = run_verify(&copy, JOB, &[]).expect(16);
    assert!(damaged.text().contains(&format!("{layer}: the object is missing")), "{}", damaged.text());

    // Undamaged, but the manifest of another checkpoint.
    let copy = StateCopy::create();
    let older = copy.path_of(&format!("{JOB}/partition-1/checkpoint/0000000001-0000000002"));
    fs::copy(older, copy.path_of(&format!("{JOB}/{manifest}"))).expect("copied");
    let damaged = run_verify(&copy, JOB, &[]).expect(16);
    assert!(damaged.text().contains("the manifest belongs to another checkpoint"), "{}", damaged.text());
}

#[test]
fn a_savepoint_without_its_last_object_is_incomplete() {
    let copy = StateCopy::create();
    fs::remove_file(copy.path_of(&format!("{SAVEPOINT}/savepoint"))).expect("removed");
    let incomplete =
        run_verify(&copy, SAVEPOINT, &[]).expect(16).expect_stderr(&["is incomplete", "no object `savepoint`"]);
    assert!(incomplete.text().starts_with("incomplete savepoint in "), "{}", incomplete.text());
}

#[test]
fn a_savepoint_without_one_of_its_partitions_is_16() {
    let copy = StateCopy::create();
    fs::remove_dir_all(copy.path_of(&format!("{SAVEPOINT}/partition-1"))).expect("removed");
    let missing = run_verify(&copy, SAVEPOINT, &[]).expect(16).expect_stderr(&["partitions [1] are missing"]);
    assert!(missing.text().contains("missing  partition 1\n"), "{}", missing.text());
}

#[test]
fn a_newer_format_is_15() {
    for (path, verified, title) in [
        (format!("{JOB}/partition-0/checkpoint/0000000001-0000000004"), JOB, "windrow-checkpoint"),
        (format!("{SAVEPOINT}/savepoint"), SAVEPOINT, "windrow-savepoint"),
    ] {
        let copy = StateCopy::create();
        let text = fs::read_to_string(copy.path_of(&path)).expect("text");
        let (_, body) = text.split_once('\n').expect("a title line");
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(format!("2\n{body}").as_bytes());
        fs::write(copy.path_of(&path), format!("{title} 2 {:08x}\n{body}", hasher.finalize())).expect("written");
        run_verify(&copy, verified, &[]).expect(15).expect_stderr(&["newer"]);
    }
}

#[test]
fn what_cannot_be_asked_is_17() {
    let copy = StateCopy::create();
    for command in ["show", "verify"] {
        run(["state", command, PIPELINE]).expect(17).expect_stderr(&["not a directory"]);
        run(["state", command, "hdfs://host/a"])
            .expect(17)
            .expect_stderr(&["checkpoint stores at `hdfs:` are not supported"]);
        run(["state", command, &copy.path_text("nowhere")])
            .expect(13)
            .expect_stderr(&["there is no state in ", "nowhere"]);
    }
}

#[test]
fn it_is_said_which_views_keep_their_state() {
    let copy = StateCopy::create();
    let changed = copy.path_of("changed.toml");
    let text = fs::read_to_string(crate::windrow::project_root().join(PIPELINE)).expect("a pipeline");
    let text = text.replace("gap = \"2m\"", "gap = \"3m\"").replace("feature_view.sliding", "feature_view.other");
    fs::write(&changed, text).expect("written");
    let changed = changed.display().to_string();
    let verified = run_verify(&copy, JOB, &["--pipeline", &changed])
        .expect(14)
        .expect_stderr(&["`windrow run` needs --drop-state sliding --drop-state session"]);
    insta::assert_snapshot!(copy.redact_store(verified.text()));
    let views = parse_json(&run_verify(&copy, JOB, &["--pipeline", &changed, "--json"]).expect(14))["views"].clone();
    assert_eq!(views[2]["needs_drop_state"], true, "{views}");
    run_verify(&copy, JOB, &["--pipeline", "pipelines/ecommerce.toml"]).expect(13).expect_stderr(&[
        "the state belongs to pipeline `every-aggregate` on topic `visits`, not to pipeline `ecommerce`",
    ]);
}

/// The command ends before it connects to Kafka.
#[test]
fn a_run_from_nothing_ends_at_once() {
    let copy = StateCopy::create();
    let from = |path: &str| {
        let setting = format!("checkpoint.store=file:{}", copy.path_text("new"));
        let brokers = "source.kafka.brokers=127.0.0.1:1";
        run(["run", PIPELINE, "--set", &setting, "--set", brokers, "--start-timeout", "1s", "--from", path])
    };
    from(&copy.path_text("nowhere"))
        .expect(13)
        .expect_stderr(&["--from names file:/", "nowhere, which holds neither a savepoint nor checkpoints"]);
    from(&copy.path_text(SAVEPOINT)).expect(6);
    from(&copy.path_text(JOB)).expect(6);
    copy.flip_bit(&format!("{SAVEPOINT}/savepoint"));
    from(&copy.path_text(SAVEPOINT))
        .expect(16)
        .expect_stderr(&["savepoint: the checksum of the object does not match its content"]);
    fs::remove_file(copy.path_of(&format!("{SAVEPOINT}/savepoint"))).expect("removed");
    from(&copy.path_text(SAVEPOINT)).expect(16).expect_stderr(&["is incomplete", "windrow savepoint"]);
}
