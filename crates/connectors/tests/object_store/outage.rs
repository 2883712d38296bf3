//! Clouds that refuse, fail, hang or are not there: what is told, and when.

use std::time::{Duration, Instant};

use windrow_engine::StoreFault;

use crate::stores::{SharedStore, open_s3_store_at};
use crate::web::{FakeAnswer, FakeS3Server};

const PLACE: &str = "s3://bucket/a";

/// Every kind of call; what its fault was.
const CALLS: [fn(&SharedStore) -> Option<StoreFault>; 4] = [
    |store| store.create_object("n", b"x".to_vec()).err(),
    |store| store.read_object("n").err(),
    |store| store.list_objects("").err(),
    |store| store.delete_objects(&["n".to_owned()]).err(),
];

fn refusal_messages(status: u16, code: &'static str) -> [String; 4] {
    let web = FakeS3Server::answering(FakeAnswer::Status(status, code));
    let store = open_s3_store_at(&web.endpoint(), PLACE);
    CALLS.map(|call| match call(&store) {
        Some(StoreFault::Refused(error)) => error.to_string(),
        other => panic!("{status}: {other:?}"),
    })
}

#[test]
fn a_missing_right_is_refused() {
    for (status, code) in [(403, "AccessDenied"), (401, "InvalidAccessKeyId")] {
        for text in refusal_messages(status, code) {
            assert!(text.contains("credentials of the environment") && text.contains(PLACE), "{text}");
            assert!(text.contains(&format!("{code}: as asked")), "{text}");
            assert!(!text.contains("hunter2") && !text.contains("<Error>"), "{text}");
        }
    }
}

#[test]
fn a_missing_bucket_is_refused() {
    for text in refusal_messages(404, "NoSuchBucket") {
        assert!(text.contains("the bucket or container does not exist"), "{text}");
    }
}

#[test]
fn a_missing_object_is_none() {
    let web = FakeS3Server::answering(FakeAnswer::Status(404, "NoSuchKey"));
    assert_eq!(open_s3_store_at(&web.endpoint(), PLACE).read_object("n"), Ok(None));
}

#[test]
fn a_lost_race_that_nobody_won_yet_is_no_object() {
    let web = FakeS3Server::answering(FakeAnswer::Status(409, "ConditionalRequestConflict"));
    let fault = open_s3_store_at(&web.endpoint(), PLACE).create_object("n", Vec::new());
    assert!(matches!(fault, Err(StoreFault::Failed(_))), "{fault:?}");
    let web = FakeS3Server::answering(FakeAnswer::Status(412, "PreconditionFailed"));
    assert_eq!(open_s3_store_at(&web.endpoint(), PLACE).create_object("n", Vec::new()), Err(StoreFault::Exists));
}

/// Three times the time in which a failed request is tried again.
const MAX_RETRY_TIME: Duration = Duration::from_secs(3 * 9);
/// Three times the time for which an answer is awaited.
const MAX_SILENCE_TIME: Duration = Duration::from_secs(3 * 30);

/// Tried again for some ten seconds, not for ever.
#[test]
fn a_failing_store_is_tried_for_a_while() {
    let web = FakeS3Server::answering(FakeAnswer::Status(503, "SlowDown"));
    let began = Instant::now();
    let fault = open_s3_store_at(&web.endpoint(), PLACE).create_object("n", b"x".to_vec());
    let Err(StoreFault::Failed(error)) = fault else { panic!("{fault:?}") };
    let text = error.to_string();
    assert!(text.starts_with("could not write n in s3://bucket/a: ") && text.contains("SlowDown: as asked"), "{text}");
    assert!(web.requests() > 3, "{} requests", web.requests());
    assert!(began.elapsed() < MAX_RETRY_TIME, "{:?}", began.elapsed());
}

#[test]
fn a_store_that_hangs_is_given_up() {
    let web = FakeS3Server::answering(FakeAnswer::Silence);
    let store = open_s3_store_at(&web.endpoint(), PLACE);
    std::thread::scope(|threads| {
        for call in CALLS {
            let store = &store;
            threads.spawn(move || {
                let began = Instant::now();
                let fault = call(store);
                assert!(matches!(fault, Some(StoreFault::Failed(_))), "{fault:?}");
                assert!(began.elapsed() < MAX_SILENCE_TIME, "{:?}", began.elapsed());
            });
        }
    });
}

#[test]
fn a_store_that_hangs_up_or_is_not_there_fails() {
    let web = FakeS3Server::answering(FakeAnswer::Nothing);
    for endpoint in [web.endpoint(), "http://127.0.0.1:1".to_owned()] {
        let began = Instant::now();
        let fault = open_s3_store_at(&endpoint, PLACE).read_object("n");
        let Err(StoreFault::Failed(error)) = fault else { panic!("{fault:?}") };
        let text = error.to_string();
        assert!(text.starts_with("could not read n in s3://bucket/a: "), "{text}");
        assert!(began.elapsed() < MAX_SILENCE_TIME, "{:?}", began.elapsed());
    }
}

/// TLS has its provider, which the HTTP client does not bring along; without one it panics.
#[test]
fn https_is_spoken() {
    let web = FakeS3Server::answering(FakeAnswer::Nothing);
    let fault = open_s3_store_at(&web.endpoint().replace("http:", "https:"), PLACE).create_object("n", Vec::new());
    assert!(matches!(fault, Err(StoreFault::Failed(_))), "{fault:?}");
}
