//! Reads the events of the conformance cases and the results that Flink computed for them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

/// One case of `tests/conformance`.
pub(crate) struct ConformanceCase {
    pub(crate) name: String,
    /// One JSON object per event.
    pub(crate) events: Arc<Vec<String>>,
    /// Flink's rows, one JSON object per line.
    pub(crate) results: String,
}

/// Reads all cases of the shipped pipeline, by name. Leaves out those that change its settings.
pub(crate) fn read_conformance_cases() -> Vec<ConformanceCase> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("the conformance cases")
        .filter_map(|entry| entry.expect("readable").file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".events.jsonl").map(str::to_owned))
        .filter(|name| !folder.join(format!("{name}.settings.txt")).exists())
        .collect();
    names.sort();
    assert!(names.len() >= 6, "{names:?}");
    let read = |file: String| fs::read_to_string(folder.join(file)).expect("a file of the case");
    let case = |name: String| ConformanceCase {
        events: Arc::new(read(format!("{name}.events.jsonl")).lines().map(str::to_owned).collect()),
        results: read(format!("{name}.flink.jsonl")),
        name,
    };
    names.into_iter().map(case).collect()
}

/// Reads one case.
pub(crate) fn read_conformance_case(name: &str) -> ConformanceCase {
    read_conformance_cases().into_iter().find(|case| case.name == name).expect("the case")
}
