//! What a place is called, and what its name may not be.

use windrow_connectors::object_store::ObjectStoreOpener;
use windrow_engine::{CheckpointStoreOpener, StoreFault};

use crate::stores::{open_s3_store_at, open_store};

#[test]
fn a_place_is_shown_in_full() {
    let here = std::env::current_dir().expect("a working directory");
    assert_eq!(open_store("some/where").place(), format!("file:{}/some/where", here.display()));
    assert_eq!(open_store("file:/some/where").place(), "file:/some/where");
    assert_eq!(open_store("memory:").place(), "memory:");
    assert_eq!(open_store("s3://bucket/a/").place(), "s3://bucket/a");
    assert_eq!(open_store("gs://bucket").place(), "gs://bucket");
}

#[test]
fn opening_makes_and_asks_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("a");
    let store = open_store(&format!("file:{}", root.display()));
    assert_eq!(store.list_objects(""), Ok(Vec::new()));
    assert!(!root.exists(), "made by the first write only");
    // No server listens there.
    open_s3_store_at("http://127.0.0.1:1", "s3://bucket/a");
}

#[test]
fn memory_is_shared_by_what_one_opener_opened() {
    let stores = ObjectStoreOpener::new().expect("opened");
    let (one, other) = (stores.open_store("memory:").expect("opened"), stores.open_store("memory:").expect("opened"));
    one.create_object("a", b"x".to_vec()).expect("created");
    assert_eq!(other.read_object("a"), Ok(Some(b"x".to_vec())));
    assert_eq!(open_store("memory:").read_object("a"), Ok(None));
}

#[test]
fn bad_places_are_refused() {
    let stores = ObjectStoreOpener::new().expect("opened");
    for (place, part) in [
        ("", "path of the checkpoint store is empty"),
        (
            "hdfs://host/a",
            "checkpoint stores at `hdfs:` are not supported; write a directory (file:PATH), s3://BUCKET/PREFIX",
        ),
        ("s3:///a", "does not name a bucket"),
        // The environment of the tests names no account.
        ("az://container/a", "set AZURE_STORAGE_ACCOUNT_NAME"),
    ] {
        match stores.open_store(place) {
            Err(StoreFault::Refused(error)) => assert!(error.to_string().contains(part), "{place}: {error}"),
            other => panic!("{place}: {other:?}"),
        }
    }
}

#[test]
fn nothing_shows_the_key() {
    let settings = [("AWS_ACCESS_KEY_ID", "me"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let stores = ObjectStoreOpener::new().expect("opened").with_setting_overrides(settings);
    let store = stores.open_store("s3://bucket/a").expect("opened");
    let shown = format!("{stores:?} {store:?} {}", store.place());
    assert!(!shown.contains("hunter2"), "{shown}");
}
