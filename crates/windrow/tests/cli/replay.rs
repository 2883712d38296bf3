//! `windrow replay`: reads lines and writes rows.

mod dead_letters;
mod lines;
mod overrides;
mod pipes;
mod user_ids;
mod windows;

use serde_json::Value;

use crate::windrow::{FinishedCommand, run_with_input};

/// Replays `input` with the shipped pipeline and further `flags`, from standard input to standard output.
fn replay(input: impl Into<Vec<u8>>, flags: &[&str]) -> FinishedCommand {
    run_with_input(["replay", "--input", "-", "--output", "-"].iter().chain(flags), input).expect(0)
}

/// Returns the rows of one view in the order in which they were written.
fn rows_of(replayed: &FinishedCommand, view: &str) -> Vec<Value> {
    let rows = replayed.text().lines().map(|line| serde_json::from_str::<Value>(line).expect("a row"));
    rows.filter(|row| row["feature_view"] == view).collect()
}
