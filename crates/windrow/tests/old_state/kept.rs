//! The files in a fixture of stored state, and their format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use windrow_engine::Partition;

use crate::job::Records;

/// The rows of one partition that follow the savepoint.
#[derive(Default)]
pub(crate) struct KeptRows {
    /// How many of them precede the newest checkpoint.
    pub(crate) before_checkpoint: usize,
    pub(crate) rows: Vec<Value>,
}

/// A fixture `tests/fixtures/state-vN`.
pub(crate) struct KeptState(pub(crate) PathBuf);

impl KeptState {
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
    pub(crate) fn rows(&self) -> BTreeMap<Partition, KeptRows> {
        let mut rows: BTreeMap<Partition, KeptRows> = BTreeMap::new();
        for line in self.lines("rows.jsonl") {
            let partition = Partition::try_from(line["partition"].as_i64().expect("a number")).expect("small");
            let of_partition = rows.entry(partition).or_default();
            if line["behind"] == "savepoint" {
                of_partition.before_checkpoint += 1;
            }
            of_partition.rows.push(line["row"].clone());
        }
        rows
    }

    pub(crate) fn write_rows(&self, rows: &BTreeMap<Partition, KeptRows>) {
        let lines = rows.iter().flat_map(|(partition, of_partition)| {
            of_partition.rows.iter().enumerate().map(move |(index, row)| {
                let behind = if index < of_partition.before_checkpoint { "savepoint" } else { "checkpoint" };
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
