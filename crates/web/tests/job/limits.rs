//! What a visitor can take.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use windrow_web::guard::MAX_REQUEST_BODY_BYTES;
use windrow_web::server::{MAX_CONNECTIONS, REQUEST_HEAD_TIMEOUT};

use crate::support::TestServer;

#[test]
fn large_requests_are_refused() {
    let site = TestServer::start();
    let json = "Content-Type: application/json";
    let body = format!("{{\"to\":\"{}\"}}", "x".repeat(MAX_REQUEST_BODY_BYTES));
    assert_eq!(site.post("/api/savepoints", &[json], &body).status, 413);
    let chunked = format!(
        "POST /api/savepoints HTTP/1.1\r\nHost: localhost\r\n{json}\r\nTransfer-Encoding: chunked\r\nConnection: \
         close\r\n\r\n{}",
        format!("8000\r\n{}\r\n", "x".repeat(0x8000)).repeat(4)
    );
    assert_eq!(site.send(&chunked).status, 413);
    let head = site.request("GET", "/", &[&format!("X: {}", "x".repeat(100_000))], "");
    assert!(matches!(head.status, 0 | 431), "{}", head.status);
    let many: Vec<String> = (0..500).map(|n| format!("X-{n}: 1")).collect();
    let many = site.request("GET", "/", &many.iter().map(String::as_str).collect::<Vec<_>>(), "");
    assert!(matches!(many.status, 0 | 431), "{}", many.status);
    assert_eq!(site.get("/api/overview").status, 200);
}

#[test]
fn bad_bodies_say_what_is_wrong() {
    let site = TestServer::start();
    let json = "Content-Type: application/json";
    for body in ["", "{", "[]", "{\"to\": 1}", "{\"elsewhere\": \"/tmp\"}", "\u{0}"] {
        let answer = site.post("/api/savepoints", &[json], body);
        assert!((400..500).contains(&answer.status), "{body}: {}", answer.status);
        assert!(!answer.errors().is_empty(), "{body}");
    }
    assert_eq!(site.post("/api/savepoints", &[], "{}").status, 415);
}

/// A visitor that sends a head slowly, or never, is disconnected. Others are answered meanwhile.
#[test]
fn slow_visitors_take_nothing_from_others() {
    let site = TestServer::start();
    let mut slow: Vec<_> = (0..MAX_CONNECTIONS - 1).map(|_| site.connect()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: local").expect("it listens");
    }
    let began = Instant::now();
    assert_eq!(site.get("/api/overview").status, 200);
    assert!(began.elapsed() < REQUEST_HEAD_TIMEOUT, "{:?}", began.elapsed());
    // With all connections taken, others wait until the slow ones are disconnected.
    let mut last = site.connect();
    last.write_all(b"G").expect("it listens");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(site.get("/api/overview").status, 200);
    let mut rest = Vec::new();
    // A disconnection is an end or a reset, but no timeout of this read.
    if let Err(error) = slow[0].read_to_end(&mut rest) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    let took = began.elapsed();
    assert!(took >= REQUEST_HEAD_TIMEOUT / 2 && took < 3 * REQUEST_HEAD_TIMEOUT, "{took:?}");
}
