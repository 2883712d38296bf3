//! Outages of Redis of every kind: waiting rows are bounded, no row is acknowledged early, and every row arrives.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use windrow_connectors::redis::{RedisSink, RedisWriter, RedisWriterSettings, WriterCloseOutcome};
use windrow_engine::{Sink, StopSignal};
use windrow_test_support::HANG_TIMEOUT;

use crate::feed::{
    RowFeed, claim, flush_and_wait, new_claim, only_count, pipeline, settings, start_owning_writer, start_writer,
};
use crate::server::{RedisServer, eventually, print_random_seed, read_hash, run_command};

const QUEUE_BYTES: usize = 256 * 1024;

fn small_queue_settings() -> RedisWriterSettings {
    RedisWriterSettings { queue_bytes_max: QUEUE_BYTES, ..settings() }
}

fn users() -> Vec<String> {
    (0..300).map(|n| format!("user-{n}")).collect()
}

/// Writes rounds for all users until `done`, and records the last acknowledged round.
fn write_rounds(sink: &mut RedisSink, last_acknowledged: &AtomicI64, done: &AtomicBool) -> i64 {
    let (users, mut feed) = (users(), RowFeed::new(&pipeline()));
    let mut issued = VecDeque::new();
    let mut round = 0;
    while !done.load(Ordering::Relaxed) {
        round += 1;
        feed.write_round(sink, users.iter().map(|user| (user.as_str(), only_count(round))));
        issued.push_back((sink.start_flush().expect("nothing here is beyond repair"), round));
        while let Some((ticket, round)) = issued.front()
            && *ticket <= sink.newest_acknowledged_flush()
        {
            last_acknowledged.store(*round, Ordering::Release);
            issued.pop_front();
        }
    }
    flush_and_wait(sink);
    round
}

/// Reads random users all the time: no user may be behind what was acknowledged before the read, or go back.
fn watch_rows(server_url: &str, seed: u64, last_acknowledged: &AtomicI64, done: &AtomicBool) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let users = users();
    let client = redis::Client::open(server_url).expect("a URL");
    let mut looks = 0;
    while !done.load(Ordering::Relaxed) {
        let Ok(mut connection) = client.get_connection() else {
            thread::sleep(Duration::from_millis(5));
            continue;
        };
        let mut newest = vec![0_i64; users.len()];
        loop {
            let user = random.usize(..users.len());
            let acknowledged = last_acknowledged.load(Ordering::Acquire);
            let key = format!("latest:{}", users[user]);
            let Ok(found) = redis::cmd("HGET").arg(key).arg("count").query::<Option<i64>>(&mut connection) else {
                break;
            };
            let found = found.unwrap_or(0);
            assert!(found >= acknowledged, "round {acknowledged} was acknowledged, Redis holds {found}");
            assert!(found >= newest[user], "{} went back from {} to {found}", users[user], newest[user]);
            newest[user] = found;
            looks += 1;
            if done.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    looks
}

/// Runs `trouble` while rows are written and watched; afterwards everything must be in Redis.
fn under_load(server: &mut RedisServer, trouble: impl FnOnce(&mut RedisServer, &RedisWriter, &mut fastrand::Rng)) {
    let seed = print_random_seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let url = server.url();
    let writer = start_owning_writer(&url, &pipeline(), small_queue_settings());
    let (last_acknowledged, done) = (AtomicI64::new(0), AtomicBool::new(false));
    let last = thread::scope(|scope| {
        let loader = scope.spawn(|| write_rounds(&mut writer.create_worker_sink(), &last_acknowledged, &done));
        let watcher = scope.spawn(|| watch_rows(&url, seed, &last_acknowledged, &done));
        thread::sleep(Duration::from_millis(200));
        trouble(server, &writer, &mut random);
        thread::sleep(Duration::from_millis(200));
        done.store(true, Ordering::Relaxed);
        assert!(watcher.join().expect("the watcher saw nothing wrong") > 0, "seed {seed}");
        loader.join().expect("the loader ends")
    });
    let mut client = server.connect();
    for user in users() {
        assert_eq!(read_hash(&mut client, format!("latest:{user}"))["count"], last.to_string(), "{user}, seed {seed}");
    }
    let status = writer.status();
    assert!(status.unacknowledged_bytes_peak <= QUEUE_BYTES, "{} bytes waited", status.unacknowledged_bytes_peak);
    assert!(status.unacknowledged_bytes_peak > QUEUE_BYTES / 2, "the outage was not felt: {status:?}");
    assert_eq!((status.unacknowledged_bytes, status.rows_refused), (0, 0));
    assert!(status.ongoing_outage.is_none(), "{status:?}");
    assert!(status.reconnect_count > 0, "{status:?}");
}

#[test]
fn killed_and_started_again() {
    // With an append-only file, a killed Redis keeps what it has acknowledged.
    let mut server = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "no"]);
    under_load(&mut server, |server, _, random| {
        for _ in 0..4 {
            server.kill();
            thread::sleep(Duration::from_millis(random.u64(20..300)));
            server.start_process();
            thread::sleep(Duration::from_millis(random.u64(50..300)));
        }
    });
}

#[test]
fn frozen_for_two_seconds() {
    under_load(&mut RedisServer::start(&[]), |server, writer, _| {
        server.signal("STOP");
        thread::sleep(Duration::from_secs(2));
        let away = writer.status().ongoing_outage.expect("nothing gets through");
        assert!(away.duration > Duration::from_millis(500), "{away:?}");
        server.signal("CONT");
    });
}

#[test]
fn answering_but_not_taking_rows() {
    for (breaks, reason, mends) in [
        ("CONFIG SET maxmemory 1mb", "OOM", "CONFIG SET maxmemory 0"),
        ("REPLICAOF 127.0.0.1 1", "READONLY", "REPLICAOF NO ONE"),
        ("CONFIG SET min-replicas-to-write 1", "NOREPLICAS", "CONFIG SET min-replicas-to-write 0"),
        ("ACL SETUSER default -hset", "NOPERM", "ACL SETUSER default +hset"),
        ("ACL SETUSER default -multi", "NOPERM", "ACL SETUSER default +multi"),
        ("CLIENT PAUSE 1500 WRITE", "Redis did not answer in time", "CLIENT UNPAUSE"),
    ] {
        println!("{breaks}");
        under_load(&mut RedisServer::start(&["--maxmemory-policy", "noeviction"]), |server, writer, _| {
            let mut client = server.connect();
            run_command(&mut client, breaks);
            let away = eventually(reason, || {
                writer.status().ongoing_outage.filter(|away| away.latest_reason.contains(reason))
            });
            // Until the queue is full.
            eventually("back-pressure", || (writer.status().unacknowledged_bytes > QUEUE_BYTES / 2).then_some(()));
            assert!(writer.status().last_error.is_some_and(|error| error.contains(reason)), "{away:?}");
            run_command(&mut client, mends);
        });
    }
}

#[test]
fn an_outage_is_noticed_without_rows() {
    let mut server = RedisServer::start(&[]);
    let settings = RedisWriterSettings { idle_check_interval: Duration::from_millis(50), ..settings() };
    let writer = start_owning_writer(&server.url(), &pipeline(), settings);
    thread::sleep(Duration::from_millis(300));
    assert!(
        writer.status().ongoing_outage.is_none() && writer.status().transaction_count == 0,
        "{:?}",
        writer.status()
    );
    server.kill();
    eventually("the outage", || writer.status().ongoing_outage);
    server.start_process();
    eventually("its end", || writer.status().ongoing_outage.is_none().then_some(()));
}

#[test]
fn a_stop_frees_a_worker_from_a_redis_that_is_away() {
    // This Redis keeps what it has acknowledged.
    let (mut server, pipeline) = (RedisServer::start(&["--appendonly", "yes", "--appendfsync", "no"]), pipeline());
    let stop = StopSignal::default();
    let settings =
        RedisWriterSettings { no_answer_timeout_at_stop: Duration::from_millis(300), ..small_queue_settings() };
    let writer = start_writer(&server.url(), &pipeline, settings, stop.clone()).expect("a writer");
    claim(&writer, &new_claim(0, 1, &[("latest", 1, 0)]));
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    feed.write_round(&mut sink, [("u", only_count(1))]);
    let in_redis = flush_and_wait(&mut sink);
    server.kill();

    let users = users();
    let write_much = |sink: &mut RedisSink, feed: &mut RowFeed| {
        for round in 2..20 {
            feed.write_round(sink, users.iter().map(|user| (user.as_str(), only_count(round))));
        }
        sink.start_flush().expect("an outage is no fault beyond repair")
    };
    thread::scope(|scope| {
        let worker = scope.spawn(|| write_much(&mut sink, &mut feed));
        eventually("back-pressure", || (writer.status().unacknowledged_bytes > QUEUE_BYTES / 2).then_some(()));
        thread::sleep(Duration::from_millis(600));
        assert!(!worker.is_finished(), "without a stop a worker waits, however long");
        stop.request();
        eventually("the worker comes free", || worker.is_finished().then_some(()));
        let ticket = worker.join().expect("no panic");
        assert!(ticket > in_redis);
    });
    assert!(sink.has_dropped_rows());
    let ticket = sink.start_flush().expect("still no fault beyond repair");
    assert!(
        !sink.wait_for_ticket(ticket, Duration::from_secs(60)).expect("no fault"),
        "dropped rows are not waited for"
    );

    // Redis recovers and takes the queued rows; the dropped rows are not acknowledged.
    server.start_process();
    eventually("the rows that were kept", || (writer.status().unacknowledged_bytes == 0).then_some(()));
    feed.write_round(&mut sink, [("u", only_count(99))]);
    let later = sink.start_flush().expect("no fault");
    assert!(!sink.wait_for_ticket(later, Duration::from_millis(300)).expect("no fault"));
    assert!(sink.newest_acknowledged_flush() > in_redis && sink.newest_acknowledged_flush() < ticket);
    assert_eq!(read_hash(&mut server.connect(), "latest:u")["count"], "1", "no row after a gap");
}

#[test]
fn closing_brings_what_was_flushed_or_says_what_is_left() {
    let (mut server, pipeline) = (RedisServer::start(&[]), pipeline());
    let first = start_owning_writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (first.create_worker_sink(), RowFeed::new(&pipeline));
    feed.write_round(&mut sink, users().iter().map(|user| (user.as_str(), only_count(1))));
    let ticket = sink.start_flush().expect("the sink works");
    assert_eq!(first.close(Duration::from_secs(20)), WriterCloseOutcome::Drained);
    assert_eq!(sink.newest_acknowledged_flush(), ticket);
    assert_eq!(read_hash(&mut server.connect(), "latest:user-299")["count"], "1");
    feed.write_round(&mut sink, [("u", only_count(2))]);
    let late = sink.start_flush().expect("closing is no fault");
    assert!(!sink.wait_for_ticket(late, Duration::from_secs(60)).expect("closing is no fault"));

    let second = start_writer(&server.url(), &pipeline, settings(), StopSignal::default()).expect("a writer");
    claim(&second, &new_claim(0, 2, &[("latest", 1, 0)]));
    feed.fence_token.epoch = 2;
    let mut sink = second.create_worker_sink();
    server.kill();
    feed.write_round(&mut sink, [("u", only_count(3))]);
    let ticket = sink.start_flush().expect("an outage is no fault beyond repair");
    let began = Instant::now();
    let WriterCloseOutcome::Abandoned { unacknowledged_bytes: waiting_bytes } =
        second.close(Duration::from_millis(300))
    else {
        unreachable!("Redis is gone");
    };
    assert!(waiting_bytes > 0 && began.elapsed() < HANG_TIMEOUT);
    assert!(sink.newest_acknowledged_flush() < ticket);
}

/// A worker without new rows asks every ten seconds whether it still owns its partitions. Without an answer, no row is
/// missing.
#[test]
fn a_fence_check_without_an_answer_does_not_count_as_unwritten_rows() {
    for signal in ["KILL", "STOP"] {
        let (server, pipeline) = (RedisServer::start(&[]), pipeline());
        let writer = start_owning_writer(&server.url(), &pipeline, settings());
        let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
        feed.write_round(&mut sink, users().iter().map(|user| (user.as_str(), only_count(1))));
        let with_rows = flush_and_wait(&mut sink);
        server.signal(signal);
        sink.verify_rows_at_next_flush(feed.fence_token);
        let check = sink.start_flush().expect("an outage is no fault beyond repair");
        assert_eq!(sink.newest_flush_with_rows(check), with_rows, "{signal}");
        assert!(sink.wait_for_ticket(with_rows, Duration::ZERO).expect("no fault"), "{signal}");
        assert_eq!(writer.close(Duration::from_millis(300)), WriterCloseOutcome::Drained, "{signal}");
        assert!(sink.newest_acknowledged_flush() < check, "{signal}: the check has no answer");
    }
}
