//! Creates a fixture of stored state: checkpoints, a savepoint, the records that follow them, and the rows of an
//! uninterrupted run.
//!
//! ```console
//! $ cargo run -p windrow --example keep_state -- crates/windrow/tests/fixtures/state-v2
//! ```
//!
//! Run it with the last commit that writes a format, and commit the folder. `tests/old_state` then reads it. The example
//! never changes a folder that exists.

#[path = "../tests/support/job.rs"]
mod shared_job;

#[path = "../tests/old_state/job.rs"]
mod job;
#[expect(dead_code, reason = "used by the test only")]
#[path = "../tests/old_state/kept.rs"]
mod kept;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use windrow_connectors::object_store::ObjectStoreOpener;
use windrow_engine::checkpoint::{CurrentSavepointRequest, SavepointParameters, take_savepoint};
use windrow_engine::{CheckpointStoreOpener, Offset, OsThreadSpawner, Partition, StopSignal, SystemClock};

use job::{PARTITIONS, PartitionRows, Records, Step, checkpoint_config, read_pipeline, run_steps};
use kept::{KeptRows, KeptState};
use shared_job::open_folder_store;

/// The base covers the offsets below this one, one layer of changes those up to the savepoint, and a second layer those up
/// to the newest checkpoint. Windows close after that.
const BASE: Offset = 2_700;
const SAVEPOINT: Offset = 2_760;
const CHECKPOINT: Offset = 2_820;
const END: Offset = 2_860;

fn main() {
    let to = std::env::args_os().nth(1).map(PathBuf::from).expect("where to: tests/fixtures/state-vN");
    std::fs::create_dir(&to).expect("a folder that does not exist yet");
    let kept = KeptState(to);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old_state/pipeline.toml");
    std::fs::copy(source, kept.pipeline()).expect("copied");
    let records = generate_records();
    save_state(&kept, &records);
    kept.write_rows(&uninterrupted_rows(&kept, &records));
    kept.write_records(&records.into_iter().filter(|((_, offset), _)| *offset >= SAVEPOINT).collect());
}

/// Takes checkpoints, a savepoint and more checkpoints; then the worker is killed.
fn save_state(kept: &KeptState, records: &Records) {
    let pipeline = read_pipeline(&kept.pipeline());
    let (store, to) = (open_folder_store(&kept.checkpoints()), open_folder_store(&kept.savepoint()));
    let stores: Arc<dyn CheckpointStoreOpener> = Arc::new(ObjectStoreOpener::new().expect("object stores"));
    let mut checkpoints = checkpoint_config(&pipeline, Arc::clone(&store), None);
    checkpoints.current_savepoint_request = CurrentSavepointRequest::start_polling_thread(
        Arc::clone(&store),
        stores,
        SystemClock::start_shared(),
        &OsThreadSpawner,
        StopSignal::default(),
    )
    .expect("a thread");
    let mut savepoint_thread = None;
    let saved = move || {
        let take = || {
            let (store, to) = (Arc::clone(&store), Arc::clone(&to));
            let timeout = Duration::from_secs(20);
            thread::spawn(move || {
                let parameters = SavepointParameters {
                    checkpoint_store: &*store,
                    target_store: &*to,
                    savepoint_id: "kept",
                    confirmation_timeout: timeout,
                    clock: &SystemClock::start(),
                    stop_signal: &StopSignal::default(),
                };
                take_savepoint(parameters, |_| {})
            })
        };
        if !savepoint_thread.get_or_insert_with(take).is_finished() {
            return false;
        }
        savepoint_thread.take().expect("started before").join().expect("no panic").expect("a savepoint");
        true
    };
    let steps = vec![
        Step::Read(BASE),
        Step::Checkpoint,
        Step::Read(SAVEPOINT),
        Step::Checkpoint,
        Step::Until(Box::new(saved)),
        Step::Read(CHECKPOINT),
        Step::Checkpoint,
        Step::Kill,
    ];
    run_steps(&pipeline, Some(checkpoints), records, steps, &PartitionRows::default());
}

/// Runs without checkpoints or interruption and returns the rows that follow the savepoint, by partition.
fn uninterrupted_rows(kept: &KeptState, records: &Records) -> BTreeMap<Partition, KeptRows> {
    let rows = PartitionRows::default();
    let marks: Arc<Mutex<Vec<[usize; 2]>>> = Arc::default();
    let mark = || {
        let (rows, marks) = (rows.clone(), Arc::clone(&marks));
        let now = move || {
            let counts = PARTITIONS.map(|partition| rows.lines(partition).len());
            marks.lock().push(counts);
            true
        };
        Step::Until(Box::new(now))
    };
    let steps = vec![Step::Read(SAVEPOINT), mark(), Step::Read(CHECKPOINT), mark()];
    run_steps(&read_pipeline(&kept.pipeline()), None, records, steps, &rows);
    let marks = marks.lock();
    let rows_of = |(index, partition): (usize, Partition)| {
        let (saved, kept) = (marks[0][index], marks[1][index]);
        let read = |line: &String| serde_json::from_str(line).expect("a row");
        let rows = rows.lines(partition)[saved..].iter().map(read).collect();
        (partition, KeptRows { before_checkpoint: kept - saved, rows })
    };
    PARTITIONS.into_iter().enumerate().map(rows_of).collect()
}

fn generate_records() -> Records {
    let mut records = Records::new();
    for partition in PARTITIONS {
        let mut ms = 1_767_261_600_000_i64; // 2026-01-01T10:00:00Z
        for offset in 0..END {
            ms += match offset {
                ..BASE => 333,
                BASE..CHECKPOINT => 5_000,
                _ => 60_000,
            };
            records.insert((partition, offset), create_event(partition, offset, ms).to_string());
        }
    }
    records
}

/// Creates an event. Two of three events belong to users with more pages than a small distinct count holds. Up to the base
/// there are three such users, so that the base is larger than the changes; then there is one.
fn create_event(partition: Partition, offset: Offset, ms: i64) -> Value {
    let others = ["a", "b", "c:{d}", "e\nf", "한국어 🛒", "7"];
    let (turn, heavy) = (usize::try_from(offset / 3).expect("small"), offset % 3 != 0);
    let user = match (heavy, offset < BASE) {
        (true, true) => format!("heavy-{}-{partition}", turn % 3),
        (true, false) => format!("heavy-0-{partition}"),
        (false, _) => format!("{}-{partition}", others[turn % others.len()]),
    };
    // Some events are out of order, and a few are late.
    let back = match offset % 50 {
        7 => 9_000,
        21 => 1_200_000,
        _ => 0,
    };
    let at = Timestamp::from_millisecond(ms - back).expect("a time").to_string();
    let few = ["ä", "b", "z 페이지"][turn / others.len() % 3];
    let page = if heavy { format!("page {offset}") } else { few.to_owned() };
    let mut event = json!({ "user": user, "at": at, "page": page });
    if offset % 7 != 0 {
        event["price"] = json!(f64::from(i32::try_from(offset * 37 % 1_000).expect("small")) / 8.0);
    }
    if offset % 11 != 0 {
        event["units"] = json!(offset * 7_919 % 23 - 11);
    }
    if offset % 4 != 0 {
        event["member"] = json!(offset % 8 < 4);
    }
    event
}
