//! Restores state that older versions wrote, and compares the rows with those of an uninterrupted run at that time.
//!
//! Every folder `tests/fixtures/state-v*` holds such a state. They are never changed or removed, and their README says how
//! they were created. A new version of the format adds another folder.

#[path = "../support/folder_copy.rs"]
mod folder_copy;
#[path = "../support/job.rs"]
mod shared_job;

#[expect(dead_code, reason = "used by the example only")]
mod job;
#[expect(dead_code, reason = "used by the example only")]
mod kept;

use std::fs;
use std::path::Path;

use serde_json::Value;

use folder_copy::copy_folder;
use job::{PARTITIONS, PartitionRows, checkpoint_config, read_pipeline, run_steps};
use kept::{KeptRows, KeptState};
use shared_job::open_folder_store;

fn all_kept() -> Vec<KeptState> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let folders = fs::read_dir(folder).expect("the kept states").map(|entry| entry.expect("readable").path());
    let is_one =
        |path: &Path| path.file_name().and_then(|name| name.to_str()).is_some_and(|n| n.starts_with("state-v"));
    let mut kept: Vec<KeptState> = folders.filter(|path| is_one(path)).map(KeptState).collect();
    kept.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!kept.is_empty());
    kept
}

/// From what state a job resumes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ResumeFrom {
    /// The job's own checkpoints.
    Checkpoints,
    /// A savepoint, as a new job.
    Savepoint,
}

/// Resumes from a copy of the state and compares the rows.
fn assert_resumes(kept: &KeptState, start: ResumeFrom) {
    let from_savepoint = start == ResumeFrom::Savepoint;
    let pipeline = read_pipeline(&kept.pipeline());
    let place = tempfile::tempdir().expect("a folder");
    let saved = kept.savepoint();
    if !from_savepoint {
        copy_folder(&kept.checkpoints(), place.path());
    }
    let checkpoints = checkpoint_config(&pipeline, open_folder_store(place.path()), from_savepoint.then_some(&*saved));
    let rows = PartitionRows::default();
    run_steps(&pipeline, Some(checkpoints), &kept.records(), Vec::new(), &rows);
    let expected = kept.rows();
    for partition in PARTITIONS {
        let KeptRows { before_checkpoint, rows: expected } = &expected[&partition];
        let expected = &expected[if from_savepoint { 0 } else { *before_checkpoint }..];
        let found = rows.lines(partition);
        let found: Vec<Value> = found.iter().map(|line| serde_json::from_str(line).expect("a row")).collect();
        let what = format!("{}, partition {partition}, from {start:?}", kept.0.display());
        assert!(expected.len() > 20, "{what}: {} rows say little", expected.len());
        for (index, (expected, found)) in expected.iter().zip(&found).enumerate() {
            assert_eq!(found, expected, "{what}, row {index}");
        }
        assert_eq!(found.len(), expected.len(), "{what}");
    }
}

#[test]
fn checkpoints_of_older_versions_are_restored() {
    all_kept().iter().for_each(|kept| assert_resumes(kept, ResumeFrom::Checkpoints));
}

#[test]
fn savepoints_of_older_versions_are_restored() {
    all_kept().iter().for_each(|kept| assert_resumes(kept, ResumeFrom::Savepoint));
}
