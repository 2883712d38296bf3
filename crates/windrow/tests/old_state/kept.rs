//! The files in a fixture of stored state, and their format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use windrow_engine::Partition;

use crate::job::Records;

/// `tests/fixtures/state-vN`.
pub(crate) struct Kept(pub(crate) PathBuf);

impl Kept {
    /// Path of the pipeline file that the state belongs to.
    pub(crate) fn pipeline(&self) -> PathBuf {
        self.0.join("pipeline.toml")
    }

    /// Path of the job's checkpoints.
    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.0.join("store/every-aggregate/kept")
    }

    /// Path of a savepoint that is older than the newest checkpoints.
    pub(crate) fn savepoint(&self) -> PathBuf {
        self.checkpoints().join("savepoints/kept")
    }

    /// Reads the records that follow the savepoint.
    pub(crate) fn records(&self) -> Records {
        let read = |line: &Value| {
            let number = |name: &str| line[name].as_i64().expect("a number");
            let partition = Partition::try_from(number("partition")).expect("small");
            ((partition, number("offset")), line["record"].to_string())
        };
        self.lines("events.jsonl").iter().map(read).collect()
    }

    pub(crate) fn write_records(&self, records: &Records) {
        let line = |((partition, offset), record): (&(Partition, i64), &String)| {
            let record: Value = serde_json::from_str(record).expect("an event");
            json!({ "partition": partition, "offset": offset, "record": record })
        };
        self.write_lines("events.jsonl", records.iter().map(line));
    }

    /// Reads the rows that follow the savepoint, by partition.
    pub(crate) fn rows(&self) -> BTreeMap<Partition, (usize, Vec<Value>)> {
        let mut rows: BTreeMap<Partition, (usize, Vec<Value>)> = BTreeMap::new();
        for line in self.lines("rows.jsonl") {
            let partition = Partition::try_from(line["partition"].as_i64().expect("a number")).expect("small");
            let (between, rows) = rows.entry(partition).or_default();
            if line["behind"] == "savepoint" {
                *between += 1;
            }
            rows.push(line["row"].clone());
        }
        rows
    }

    pub(crate) fn write_rows(&self, rows: &BTreeMap<Partition, (usize, Vec<Value>)>) {
        let lines = rows.iter().flat_map(|(partition, (between, rows))| {
            rows.iter().enumerate().map(move |(index, row)| {
                let behind = if index < *between { "savepoint" } else { "checkpoint" };
                json!({ "partition": partition, "behind": behind, "row": row })
            })
        });
        self.write_lines("rows.jsonl", lines);
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.0.join(name)).expect("a file of the kept state");
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }

    fn write_lines(&self, name: &str, lines: impl Iterator<Item = Value>) {
        let mut text = String::new();
        for line in lines {
            writeln!(text, "{line}").expect("a string takes it");
        }
        fs::write(self.0.join(name), text).expect("written");
    }
}

/// Copies the folder `from` to `to`.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}
