//! Pages that stay up to date.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};
use serde_json::Value;
use windrow_web::live::{LiveFeeds, MESSAGE_INTERVAL, MessageBuilder};

use crate::support::TestServer;

/// The first `count` messages.
fn read_messages(site: &TestServer, path: &str, count: usize) -> Vec<Value> {
    let mut stream = site.connect();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it listens");
    let lines = BufReader::new(stream).lines().map(|line| line.expect("a line"));
    let data = lines.filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok());
    data.take(count).collect()
}

#[test]
fn pages_come_once_a_second() {
    let site = TestServer::start();
    let began = Instant::now();
    let overview = read_messages(&site, "/api/overview/live", 3);
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(1_500), "{took:?}");
    assert!(overview[0]["history"].is_object(), "the first has the history");
    assert!(overview[1].get("history").is_none());
    assert!(overview[2]["now_ms"].as_i64() > overview[1]["now_ms"].as_i64());
    for page in ["partitions", "checkpoints", "problems", "rows", "features"] {
        assert_eq!(read_messages(&site, &format!("/api/{page}/live"), 1).len(), 1, "{page}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_built_once_for_everybody_and_not_at_all_for_nobody() {
    let feeds = LiveFeeds::default();
    let built = Arc::new(AtomicUsize::new(0));
    let build: MessageBuilder = {
        let built = Arc::clone(&built);
        Arc::new(move |second| {
            built.fetch_add(1, Ordering::Relaxed);
            async move { second.to_string() }.boxed()
        })
    };
    let listeners: Vec<_> = (0..50)
        .map(|_| {
            let body = axum::response::IntoResponse::into_response(feeds.stream_page_messages(
                "page".to_owned(),
                MESSAGE_INTERVAL,
                Arc::clone(&build),
            ));
            tokio::spawn(async move {
                let mut messages = body.into_body().into_data_stream();
                while messages.next().await.is_some() {}
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(10_500)).await;
    let after_ten = built.load(Ordering::Relaxed);
    assert!((59..=62).contains(&after_ten), "50 first messages and one a second: {after_ten}");
    assert_eq!(feeds.active_page_count(), 1);
    for listener in &listeners {
        listener.abort();
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(feeds.active_page_count(), 0, "no page has a listener");
    let before = built.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(built.load(Ordering::Relaxed), before);
}

/// A browser that leaves must free its connection: otherwise all connections would be taken.
#[test]
fn visitors_who_leave_free_their_place() {
    let site = TestServer::start();
    for _ in 0..windrow_web::server::MAX_CONNECTIONS * 3 {
        let mut stream = site.connect();
        stream.write_all(b"GET /api/overview/live HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it listens");
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).expect("an answer");
        assert!(line.contains("200"), "{line}");
    }
    assert_eq!(site.get("/api/overview").status, 200);
}

/// A live page has no end that the shutdown could wait for.
#[test]
fn open_pages_do_not_hold_up_the_end_and_hear_of_it() {
    let site = TestServer::start();
    let mut pages: Vec<_> = (0..5)
        .map(|_| {
            let mut stream = site.connect();
            stream.write_all(b"GET /api/overview/live HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it listens");
            let mut page = BufReader::new(stream);
            let mut line = String::new();
            while !line.starts_with("data:") {
                line.clear();
                page.read_line(&mut line).expect("a line");
            }
            page
        })
        .collect();
    site.end();
    for page in &mut pages {
        let mut rest = String::new();
        page.read_to_string(&mut rest).expect("an end, not a broken connection");
        assert!(rest.ends_with("0\r\n\r\n"), "the last piece says that it is the last: {rest:?}");
    }
}
