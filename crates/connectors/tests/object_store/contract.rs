//! What every store promises. [`check_contract`] is the contract where nothing goes wrong; [`check_contract_under_faults`] is what is
//! left of it, by reading back, where requests fail before and after they took effect.

use std::sync::Barrier;

use parking_lot::Mutex;
use windrow_engine::{ListedObject, StoreFault};

use crate::stores::{
    ObjectOwner, SharedStore, create_and_settle, endpoint_from_env, list_names, open_s3_store, open_store,
    random_bytes, retry_until_done,
};

const THREADS: usize = 8;

#[test]
fn a_directory_holds_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("not/there yet/é#1%41");
    check_contract(&open_store(&format!("file:{}", root.display())));
}

#[test]
fn memory_holds_it() {
    check_contract(&open_store("memory:"));
}

#[test]
fn s3_holds_it() {
    let Some(endpoint) = endpoint_from_env("WINDROW_TEST_S3") else { return };
    check_contract(&open_s3_store(&endpoint));
}

#[test]
fn s3_holds_it_through_faults() {
    let Some(endpoint) = endpoint_from_env("WINDROW_TEST_S3_FAULTS") else { return };
    check_contract_under_faults(&open_s3_store(&endpoint), 10);
}

#[test]
fn a_directory_holds_it_through_faults_too() {
    let folder = tempfile::tempdir().expect("a folder");
    check_contract_under_faults(&open_store(&format!("file:{}", folder.path().display())), 10);
}

fn check_contract(store: &SharedStore) {
    nothing_is_there(store);
    an_object_is_created_once(store);
    check_contract_under_faults(store, 50);
    more_objects_than_a_page_has(store);
}

fn check_contract_under_faults(store: &SharedStore, races: usize) {
    segments_make_folders(store);
    names_stay_what_they_are(store);
    a_large_object(store);
    deleting(store);
    for race in 0..races {
        one_of_many_wins(store, race);
    }
}

fn nothing_is_there(store: &SharedStore) {
    assert_eq!(store.list_objects(""), Ok(Vec::new()));
    assert_eq!(store.list_objects("a/b"), Ok(Vec::new()));
    assert_eq!(store.read_object("a/b/c"), Ok(None));
    assert_eq!(store.delete_objects(&["a/b/c".to_owned()]), Ok(()));
    assert_eq!(store.delete_objects(&[]), Ok(()));
}

fn an_object_is_created_once(store: &SharedStore) {
    assert_eq!(store.create_object("once/a", b"first".to_vec()), Ok(()));
    assert_eq!(store.create_object("once/a", b"second".to_vec()), Err(StoreFault::Exists));
    assert_eq!(store.create_object("once/a", b"first".to_vec()), Err(StoreFault::Exists));
    assert_eq!(store.read_object("once/a"), Ok(Some(b"first".to_vec())));
    assert_eq!(store.create_object("once/empty", Vec::new()), Ok(()));
    assert_eq!(store.read_object("once/empty"), Ok(Some(Vec::new())));
    assert_eq!(store.read_object("once"), Ok(None), "a folder is no object");
}

fn segments_make_folders(store: &SharedStore) {
    let all = ["f/p1/a", "f/p1/b/c", "f/p10/a", "f/p1.x", "f/p1-", "f/P1/a", "f/p2"];
    for name in all {
        assert_eq!(create_and_settle(store, name, name.as_bytes()), ObjectOwner::Me);
    }
    let mut sorted = all.map(str::to_owned);
    sorted.sort();
    assert_eq!(list_names(store, "f"), sorted);
    assert_eq!(list_names(store, "f/"), sorted);
    assert_eq!(list_names(store, "f/p1"), ["f/p1/a", "f/p1/b/c"]);
    assert_eq!(list_names(store, "f/p1/b"), ["f/p1/b/c"]);
    assert_eq!(list_names(store, "f/p"), [""; 0]);
    let listed = retry_until_done(|| store.list_objects("f/p1/b"));
    assert_eq!(listed, [ListedObject { object_name: "f/p1/b/c".to_owned(), object_byte_count: 8 }]);
    let everything = list_names(store, "");
    assert!(sorted.iter().all(|name| everything.contains(name)), "{everything:?}");
    assert!(everything.is_sorted());
}

fn names_stay_what_they_are(store: &SharedStore) {
    let all = ["n/%25", "n/%2F", "n/%41", "n/A", "n/a%20b%C3%A9", "n/a-b_c.d", "n/%"];
    for name in all {
        assert_eq!(create_and_settle(store, name, name.as_bytes()), ObjectOwner::Me, "{name}");
    }
    let mut sorted = all;
    sorted.sort_unstable();
    assert_eq!(list_names(store, "n"), sorted);
    for name in all {
        assert_eq!(retry_until_done(|| store.read_object(name)).as_deref(), Some(name.as_bytes()), "{name}");
    }
    let long = format!("n/{}", "x".repeat(200));
    assert_eq!(create_and_settle(store, &long, b"long"), ObjectOwner::Me);
    for bad in ["", "/", "a//b", "a/../b", "..", ".", "a/", "/a", "a b", "a#1", "é", "a\\b", "a?b", "a:b"] {
        for refused in [
            store.create_object(bad, Vec::new()),
            store.read_object(bad).map(|_| ()),
            store.delete_objects(&[bad.to_owned()]),
        ] {
            assert!(matches!(refused, Err(StoreFault::Refused(_))), "`{bad}`: {refused:?}");
        }
    }
}

fn a_large_object(store: &SharedStore) {
    let large = random_bytes(20_000_000, 1);
    assert_eq!(create_and_settle(store, "large/20MB", &large), ObjectOwner::Me);
    assert!(retry_until_done(|| store.read_object("large/20MB")) == Some(large), "20 MB come back as they were");
    assert_eq!(retry_until_done(|| store.list_objects("large"))[0].object_byte_count, 20_000_000);
}

fn deleting(store: &SharedStore) {
    for name in ["d/a", "d/b", "d/c/a"] {
        create_and_settle(store, name, b"x");
    }
    let some = ["d/a", "d/never", "d/c/a", "d/a"].map(str::to_owned);
    retry_until_done(|| store.delete_objects(&some));
    retry_until_done(|| store.delete_objects(&some));
    assert_eq!(list_names(store, "d"), ["d/b"]);
    assert_eq!(retry_until_done(|| store.read_object("d/a")), None);
    assert_eq!(create_and_settle(store, "d/a", b"again"), ObjectOwner::Me);
    assert_eq!(retry_until_done(|| store.read_object("d/a")).as_deref(), Some(&b"again"[..]));
}

/// Eight threads create one name, each with its own bytes: one wins, and all agree on the winner.
fn one_of_many_wins(store: &SharedStore, race: usize) {
    let name = format!("race/{race}/epoch");
    let start = Barrier::new(THREADS);
    let winners = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for thread in 0..THREADS {
            let (name, start, winners) = (&name, &start, &winners);
            threads.spawn(move || {
                // Of different lengths, and long enough that a mixture would show.
                let mine = random_bytes(10_000 + thread, thread as u64);
                start.wait();
                if create_and_settle(store, name, &mine) == ObjectOwner::Me {
                    winners.lock().push(thread);
                }
            });
        }
    });
    let winners = winners.into_inner();
    assert_eq!(winners.len(), 1, "race {race}: {winners:?}");
    let found = retry_until_done(|| store.read_object(&name));
    assert!(found == Some(random_bytes(10_000 + winners[0], winners[0] as u64)), "race {race}: the winner's bytes");
}

/// S3 lists and deletes a thousand at a time.
fn more_objects_than_a_page_has(store: &SharedStore) {
    const PER_THREAD: usize = 150;
    std::thread::scope(|threads| {
        for thread in 0..THREADS {
            threads.spawn(move || {
                for number in 0..PER_THREAD {
                    assert_eq!(store.create_object(&format!("many/{thread}/{number:04}"), vec![0; number]), Ok(()));
                }
            });
        }
    });
    let listed = store.list_objects("many").expect("listed");
    assert_eq!(listed.len(), THREADS * PER_THREAD);
    assert!(listed.is_sorted());
    let mut names: Vec<String> = listed.into_iter().map(|object| object.object_name).collect();
    let kept = names.pop();
    assert_eq!(store.delete_objects(&names), Ok(()));
    assert_eq!(store.list_objects("many").expect("listed").pop().map(|object| object.object_name), kept);
}
