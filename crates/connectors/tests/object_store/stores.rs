//! Stores to test, and what their user (the engine) does around a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use windrow_connectors::object_store::ObjectStoreOpener;
use windrow_engine::{CheckpointStore, CheckpointStoreOpener, ListedObject, StoreFault};

pub(crate) type SharedStore = Arc<dyn CheckpointStore>;

/// How often a call that failed is made again before the test gives up.
const ATTEMPTS: usize = 20;

pub(crate) fn open_store(place: &str) -> SharedStore {
    ObjectStoreOpener::new()
        .and_then(|stores| stores.open_store(place))
        .unwrap_or_else(|fault| panic!("{place}: {fault}"))
}

/// S3 at `endpoint`, under a prefix of its own.
pub(crate) fn open_s3_store(endpoint: &str) -> SharedStore {
    open_s3_store_at(endpoint, &format!("s3://windrow/{}", unique()))
}

pub(crate) fn open_s3_store_at(endpoint: &str, place: &str) -> SharedStore {
    let settings = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ObjectStoreOpener::new()
        .map(|stores| stores.with_setting_overrides(settings))
        .and_then(|stores| stores.open_store(place))
        .unwrap_or_else(|fault| panic!("{place}: {fault}"))
}

/// The endpoint in `variable`; a test that gets `None` says so and returns.
pub(crate) fn endpoint_from_env(variable: &str) -> Option<String> {
    let endpoint = std::env::var(variable).ok();
    if endpoint.is_none() {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        println!("skipped: {test} needs S3 ({variable}=http://host:port)");
    }
    endpoint
}

fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let run = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
    format!("run-{run}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Makes `call` until it does not fail.
pub(crate) fn retry_until_done<T>(mut call: impl FnMut() -> Result<T, StoreFault>) -> T {
    for _ in 0..ATTEMPTS {
        match call() {
            Ok(done) => return done,
            Err(StoreFault::Failed(_)) => {}
            Err(fault) => panic!("{fault:?}"),
        }
    }
    panic!("{ATTEMPTS} attempts failed");
}

/// Whose object it is after a create.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ObjectOwner {
    Me,
    Another,
}

/// Creates an object and finds out what became of it, as the engine does: an outcome that is not known is read back.
pub(crate) fn create_and_settle(store: &SharedStore, name: &str, bytes: &[u8]) -> ObjectOwner {
    for _ in 0..ATTEMPTS {
        match store.create_object(name, bytes.to_vec()) {
            Ok(()) => return ObjectOwner::Me,
            Err(StoreFault::Exists | StoreFault::Failed(_)) => {}
            Err(fault) => panic!("{fault:?}"),
        }
        match retry_until_done(|| store.read_object(name)) {
            Some(found) if found == bytes => return ObjectOwner::Me,
            Some(_) => return ObjectOwner::Another,
            None => {}
        }
    }
    panic!("{name} was not settled in {ATTEMPTS} attempts");
}

pub(crate) fn list_names(store: &SharedStore, folder: &str) -> Vec<String> {
    retry_until_done(|| store.list_objects(folder))
        .into_iter()
        .map(|ListedObject { object_name, .. }| object_name)
        .collect()
}

/// Bytes that look like nothing else.
pub(crate) fn random_bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(length).collect()
}
