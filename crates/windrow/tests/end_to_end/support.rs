//! What the tests share: Kafka, Redis, the binary, and rows in a comparable form.

pub(crate) mod expected;
pub(crate) mod kafka;
pub(crate) mod member;
pub(crate) mod redis;
pub(crate) mod rows;
pub(crate) mod traffic;
pub(crate) mod watcher;
pub(crate) mod windrow;

/// Reads the conformance cases: name, events and Flink's results, line by line.
pub(crate) fn conformance_cases() -> Vec<(String, Vec<String>, Vec<String>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("the conformance cases are part of the repository")
        .filter_map(|entry| entry.expect("readable").file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".events.jsonl").map(str::to_owned))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no conformance cases in {folder}");
    let lines = |file: String| -> Vec<String> {
        std::fs::read_to_string(format!("{folder}/{file}")).expect("readable").lines().map(str::to_owned).collect()
    };
    names
        .into_iter()
        .map(|name| {
            let (events, answers) = (lines(format!("{name}.events.jsonl")), lines(format!("{name}.flink.jsonl")));
            (name, events, answers)
        })
        .collect()
}

/// Waits until `condition` holds, and fails after `seconds`.
pub(crate) fn wait_until(seconds: u64, what: &str, mut condition: impl FnMut() -> bool) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    while !condition() {
        assert!(std::time::Instant::now() < until, "not within {seconds} s: {what}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
