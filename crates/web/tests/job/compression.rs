//! Answers travel compressed to clients that accept it.

use std::io::{BufRead, BufReader, Write};
use std::time::Instant;

use windrow_web::live::MESSAGE_INTERVAL;

use crate::support::TestServer;

const GZIP: &str = "Accept-Encoding: gzip, deflate, br, zstd";

#[test]
fn files_and_data_are_compressed_for_those_who_accept_it() {
    let site = TestServer::start();
    for path in ["/", "/assets/shared/base.css", "/assets/job/app.js", "/api/pipeline", "/api/overview", "/metrics"] {
        let plain = site.get(path);
        let packed = site.request("GET", path, &[GZIP], "");
        assert_eq!((plain.status, packed.status), (200, 200), "{path}");
        assert_eq!(plain.header("content-encoding"), None, "{path}");
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{path}");
        assert_eq!(packed.header("content-type"), plain.header("content-type"), "{path}");
        for answer in [&plain, &packed] {
            assert_eq!(answer.header("vary"), Some("accept-encoding"), "{path}: a cache must keep both: {answer:?}");
        }
        if path.starts_with("/assets") {
            assert_eq!(packed.body, plain.body, "{path}");
            assert!(packed.encoded_length < plain.body.len() / 2, "{path}: {} bytes", packed.encoded_length);
        }
    }
    for refused in ["Accept-Encoding: identity", "Accept-Encoding: gzip;q=0", "Accept-Encoding: br"] {
        assert_eq!(site.request("GET", "/", &[refused], "").header("content-encoding"), None, "{refused}");
    }
    let fault = site.request("GET", "/assets/nothing.js", &[GZIP], "");
    assert_eq!((fault.status, fault.errors().as_str()), (404, "the requested file does not exist"));
}

#[test]
fn a_tag_holds_for_a_file_with_and_without_compression() {
    let site = TestServer::start();
    let path = "/assets/job/app.js";
    let plain = site.get(path);
    let tag = plain.header("etag").expect("a tag");
    assert!(tag.starts_with("W/"), "the bytes that are sent differ: {tag}");
    assert_eq!(site.request("GET", path, &[GZIP], "").header("etag"), Some(tag));
    let known = format!("If-None-Match: \"other\", {tag}");
    for headers in [&[known.as_str()][..], &[known.as_str(), GZIP]] {
        let again = site.request("GET", path, headers, "");
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{headers:?}");
        assert_eq!(again.header("etag"), Some(tag), "{headers:?}");
        assert_eq!(again.header("cache-control"), Some("no-cache"), "{headers:?}");
        assert_eq!(again.header("vary"), Some("accept-encoding"), "{headers:?}");
        assert_eq!(again.header("content-encoding"), None, "{headers:?}");
    }
    assert_eq!(site.request("GET", path, &["If-None-Match: \"other\""], "").status, 200);
}

/// An encoder would hold messages back until it has a block of them.
#[test]
fn live_streams_are_neither_compressed_nor_delayed() {
    let site = TestServer::start();
    let mut stream = site.connect();
    let began = Instant::now();
    write!(stream, "GET /api/overview/live HTTP/1.1\r\nHost: localhost\r\n{GZIP}\r\n\r\n").expect("it listens");
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("a line"));
    let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(head.iter().any(|line| line == "content-type: text/event-stream"), "{head:?}");
    assert!(!head.iter().any(|line| line.starts_with("content-encoding")), "{head:?}");
    let mut messages = lines.filter(|line| line.starts_with("data: "));
    messages.next().expect("the first message");
    messages.next().expect("the second message");
    assert!(began.elapsed() < 5 * MESSAGE_INTERVAL, "{:?}", began.elapsed());
}
