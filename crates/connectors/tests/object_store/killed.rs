//! A process killed in the middle of its writes: each object is whole or absent, and what was acknowledged is there.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::stores::{list_names, open_store, random_bytes};

/// Tells the child where to write; without it, the test is the parent.
const PLACE: &str = "WINDROW_TEST_KILLED_IN";
const TEST: &str = "killed::objects_are_whole_or_absent";
const OBJECT_BYTES: usize = 300_000;

#[test]
fn objects_are_whole_or_absent() {
    match std::env::var(PLACE) {
        Ok(place) => write_until_killed(&place),
        Err(_) => kill_writers(),
    }
}

/// Two threads that never end; a line for every object that is safe.
fn write_until_killed(place: &str) {
    let store = open_store(place);
    std::thread::scope(|threads| {
        for thread in 0..2_u64 {
            let store = &store;
            threads.spawn(move || {
                for number in 0_u64.. {
                    let name = format!("p{thread}/{number}");
                    if store.create_object(&name, random_bytes(OBJECT_BYTES, number)).is_ok() {
                        writeln!(std::io::stdout(), "safe {name}").expect("the parent listens");
                    }
                }
            });
        }
    });
}

fn kill_writers() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = fastrand::Rng::with_seed(11);
    for round in 0..8 {
        let root = folder.path().join(round.to_string());
        let place = format!("file:{}", root.display());
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", TEST, "--nocapture"])
            .env(PLACE, &place)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut safe = Vec::new();
        let mut next = |safe: &mut Vec<String>| match lines.next() {
            Some(Ok(line)) => {
                // The test harness has begun a line of its own.
                safe.extend(line.split_once("safe ").map(|(_, name)| name.to_owned()));
                true
            }
            _ => false,
        };
        while safe.len() < 3 {
            assert!(next(&mut safe), "the child writes");
        }
        std::thread::sleep(Duration::from_millis(random.u64(0..60)));
        child.kill().and_then(|()| child.wait()).expect("killed");
        while next(&mut safe) {}

        let store = open_store(&place);
        let there = list_names(&store, "");
        for name in &safe {
            assert!(there.contains(name), "round {round}: {name} was acknowledged");
        }
        for name in there {
            let (_, number) = name.split_once('/').expect("a folder and a number");
            let whole = random_bytes(OBJECT_BYTES, number.parse().expect("a number"));
            assert!(store.read_object(&name).expect("read") == Some(whole), "round {round}: {name} is whole");
        }
        // Whatever was left is not in the way of those who come after.
        let next = (0..).map(|number| format!("p0/{number}")).find(|name| store.read_object(name) == Ok(None));
        store.create_object(&next.expect("not all exist"), vec![1]).expect("created");
    }
}
