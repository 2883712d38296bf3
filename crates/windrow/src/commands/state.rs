//! `windrow state`: looking at checkpoints and savepoints. Changes nothing.

mod list;
mod show;
mod verify;

use std::sync::Arc;

use jiff::Timestamp;
use windrow_core::EventTime;
use windrow_engine::checkpoint::Manifest;
use windrow_engine::checkpoint::inspect::{self, Found, Kind, Unusable};
use windrow_engine::{CheckpointStore, Halt, Partition, StoreFault};

use crate::cli::{StateArgs, StateCommand};
use crate::exit::{Exit, Failure};
use crate::status::time;

pub(crate) fn run(args: &StateArgs) -> Result<Exit, Failure> {
    match &args.command {
        StateCommand::List(args) => list::run(args),
        StateCommand::Show(args) => show::run(args),
        StateCommand::Verify(args) => verify::run(args),
    }
}

/// What lies in a folder that a person named.
struct Folder {
    store: Arc<dyn CheckpointStore>,
    kind: Result<Kind, Unusable>,
    found: Vec<Found>,
}

impl Folder {
    /// What lies at `path`, of all partitions or only one.
    fn open(path: &str, partition: Option<Partition>) -> Result<Self, Failure> {
        let store = crate::state_place::open(path)?;
        let (kind, mut found) = inspect::look(&*store).map_err(|fault| unanswered(&fault))?;
        found.retain(|found| partition.is_none_or(|partition| found.partition == partition));
        if matches!(kind, Ok(Kind::Nothing)) || (partition.is_some() && found.is_empty()) {
            let what = partition.map_or_else(String::new, |partition| format!(" of partition {partition}"));
            return Err(Halt::ForeignState(format!(
                "there is no state{what} in {}: neither a savepoint nor a job's checkpoints",
                store.place()
            ))
            .into());
        }
        Ok(Self { store, kind, found })
    }

    fn kind_name(&self) -> &'static str {
        match &self.kind {
            Ok(Kind::Savepoint(_)) => "savepoint",
            Ok(Kind::IncompleteSavepoint) => "incomplete savepoint",
            Ok(Kind::Job { .. }) => "checkpoints of a job",
            Ok(Kind::Nothing) => "nothing",
            Err(_) => "savepoint that does not say what it holds",
        }
    }

    /// The same for scripts.
    fn kind_word(&self) -> &'static str {
        match &self.kind {
            Ok(Kind::Savepoint(_)) => "savepoint",
            Ok(Kind::IncompleteSavepoint) => "incomplete_savepoint",
            Ok(Kind::Job { .. }) => "job",
            Ok(Kind::Nothing) => "nothing",
            Err(_) => "unreadable_savepoint",
        }
    }

    /// The partitions that the savepoint says it holds, and does not.
    fn missing(&self) -> Vec<Partition> {
        let Ok(Kind::Savepoint(content)) = &self.kind else { return Vec::new() };
        let has = |partition: Partition| self.found.iter().any(|found| found.partition == partition);
        content.partitions.iter().copied().filter(|&partition| !has(partition)).collect()
    }

    fn newest(&self) -> Vec<&Manifest> {
        inspect::newest(&self.found)
    }
}

fn unanswered(fault: &StoreFault) -> Failure {
    Halt::CheckpointStore(format!("the state cannot be looked at: {fault}")).into()
}

/// A moment by the wall clock, in UTC.
fn when(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| "?".to_owned(), |time| format!("{time:.0}"))
}

fn age_ms(taken_at_ms: i64) -> i64 {
    Timestamp::now().as_millisecond().saturating_sub(taken_at_ms).max(0)
}

fn watermark(ms: Option<i64>) -> String {
    ms.map_or_else(|| "none".to_owned(), |ms| time(EventTime::from_ms(ms)))
}
