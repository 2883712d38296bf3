//! Restores state that older versions wrote, and compares the rows with those of an uninterrupted run at that time.
//!
//! Every folder `tests/fixtures/state-v*` holds such a state. They are never changed or removed, and their README says how
//! they were created. A new version of the format adds another folder.

// Helpers of tests fail as tests do.
#![allow(clippy::panic)]

#[allow(dead_code)] // used by the example only
mod job;
#[allow(dead_code)] // used by the example only
mod kept;

use std::fs;
use std::path::Path;

use serde_json::Value;

use job::{PARTITIONS, Rows, checkpoints, folder, pipeline, run};
use kept::{Kept, copy};

fn all_kept() -> Vec<Kept> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let folders = fs::read_dir(folder).expect("the kept states").map(|entry| entry.expect("readable").path());
    let is_one =
        |path: &Path| path.file_name().and_then(|name| name.to_str()).is_some_and(|n| n.starts_with("state-v"));
    let mut kept: Vec<Kept> = folders.filter(|path| is_one(path)).map(Kept).collect();
    kept.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!kept.is_empty());
    kept
}

/// Resumes from a copy of the state and compares the rows.
fn assert_goes_on(kept: &Kept, from_savepoint: bool) {
    let pipeline = pipeline(&kept.pipeline());
    let place = tempfile::tempdir().expect("a folder");
    let saved = kept.savepoint();
    if !from_savepoint {
        copy(&kept.checkpoints(), place.path());
    }
    let checkpoints = checkpoints(&pipeline, folder(place.path()), from_savepoint.then_some(&*saved));
    let rows = Rows::default();
    run(&pipeline, Some(checkpoints), &kept.records(), Vec::new(), &rows);
    let expected = kept.rows();
    for partition in PARTITIONS {
        let (between, expected) = &expected[&partition];
        let expected = &expected[if from_savepoint { 0 } else { *between }..];
        let found = rows.lines(partition);
        let found: Vec<Value> = found.iter().map(|line| serde_json::from_str(line).expect("a row")).collect();
        let what = format!("{}, partition {partition}, from a savepoint: {from_savepoint}", kept.0.display());
        assert!(expected.len() > 20, "{what}: {} rows say little", expected.len());
        for (index, (expected, found)) in expected.iter().zip(&found).enumerate() {
            assert_eq!(found, expected, "{what}, row {index}");
        }
        assert_eq!(found.len(), expected.len(), "{what}");
    }
}

#[test]
fn checkpoints_of_older_versions_are_restored() {
    all_kept().iter().for_each(|kept| assert_goes_on(kept, false));
}

#[test]
fn savepoints_of_older_versions_are_restored() {
    all_kept().iter().for_each(|kept| assert_goes_on(kept, true));
}
