//! Redis away, in every way: what waits is bounded, nothing is acknowledged early, everything arrives in the end.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use windrow_connectors::redis::{Closed, RedisSink, RedisWriter, Settings};
use windrow_engine::{Sink, Stop};

use crate::feed::{Feed, a_claim, claim, only_count, pipeline, settings, settle, start, writer};
use crate::server::{Server, eventually, hash, run, seed};

const QUEUE_BYTES: usize = 256 * 1024;

fn tight() -> Settings {
    Settings { queue_bytes: QUEUE_BYTES, ..settings() }
}

fn users() -> Vec<String> {
    (0..300).map(|n| format!("user-{n}")).collect()
}

/// Writes rounds for all users until told to end, and notes the last round that was acknowledged.
fn load(sink: &mut RedisSink, last_acknowledged: &AtomicI64, done: &AtomicBool) -> i64 {
    let (users, mut feed) = (users(), Feed::new(&pipeline()));
    let mut issued = VecDeque::new();
    let mut round = 0;
    while !done.load(Ordering::Relaxed) {
        round += 1;
        feed.round(sink, users.iter().map(|user| (user.as_str(), only_count(round))));
        issued.push_back((sink.flush().expect("nothing here is beyond repair"), round));
        while let Some((ticket, round)) = issued.front()
            && *ticket <= sink.acknowledged()
        {
            last_acknowledged.store(*round, Ordering::Release);
            issued.pop_front();
        }
    }
    settle(sink);
    round
}

/// Reads random users all the time: nobody may be behind what was acknowledged before the question, or go back.
fn watch(server_url: &str, seed: u64, last_acknowledged: &AtomicI64, done: &AtomicBool) -> u64 {
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
fn under_load(server: &mut Server, trouble: impl FnOnce(&mut Server, &RedisWriter, &mut fastrand::Rng)) {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let url = server.url();
    let writer = writer(&url, &pipeline(), tight());
    let (last_acknowledged, done) = (AtomicI64::new(0), AtomicBool::new(false));
    let last = thread::scope(|scope| {
        let loader = scope.spawn(|| load(&mut writer.sink(), &last_acknowledged, &done));
        let watcher = scope.spawn(|| watch(&url, seed, &last_acknowledged, &done));
        thread::sleep(Duration::from_millis(200));
        trouble(server, &writer, &mut random);
        thread::sleep(Duration::from_millis(200));
        done.store(true, Ordering::Relaxed);
        assert!(watcher.join().expect("the watcher saw nothing wrong") > 0, "seed {seed}");
        loader.join().expect("the loader ends")
    });
    let mut client = server.client();
    for user in users() {
        assert_eq!(hash(&mut client, format!("latest:{user}"))["count"], last.to_string(), "{user}, seed {seed}");
    }
    let status = writer.status();
    assert!(status.waiting_bytes_max <= QUEUE_BYTES, "{} bytes waited", status.waiting_bytes_max);
    assert!(status.waiting_bytes_max > QUEUE_BYTES / 2, "the outage was not felt: {status:?}");
    assert_eq!((status.waiting_bytes, status.rows_refused), (0, 0));
    assert!(status.away.is_none(), "{status:?}");
    assert!(status.reconnects > 0, "{status:?}");
}

#[test]
fn killed_and_started_again() {
    // What Redis itself forgets when it is killed is another matter: here it keeps what it acknowledged.
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "no"]);
    under_load(&mut server, |server, _, random| {
        for _ in 0..4 {
            server.kill();
            thread::sleep(Duration::from_millis(random.u64(20..300)));
            server.up();
            thread::sleep(Duration::from_millis(random.u64(50..300)));
        }
    });
}

#[test]
fn frozen_for_two_seconds() {
    under_load(&mut Server::start(&[]), |server, writer, _| {
        server.signal("STOP");
        thread::sleep(Duration::from_secs(2));
        let away = writer.status().away.expect("nothing gets through");
        assert!(away.lasting > Duration::from_millis(500), "{away:?}");
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
        ("CLIENT PAUSE 1500 WRITE", "no answer in time", "CLIENT UNPAUSE"),
    ] {
        println!("{breaks}");
        under_load(&mut Server::start(&["--maxmemory-policy", "noeviction"]), |server, writer, _| {
            let mut client = server.client();
            run(&mut client, breaks);
            let away = eventually(reason, || writer.status().away.filter(|away| away.reason.contains(reason)));
            // Long enough to fill what may wait.
            eventually("back-pressure", || (writer.status().waiting_bytes > QUEUE_BYTES / 2).then_some(()));
            assert!(writer.status().last_error.is_some_and(|error| error.contains(reason)), "{away:?}");
            run(&mut client, mends);
        });
    }
}

#[test]
fn an_outage_is_noticed_without_rows() {
    let mut server = Server::start(&[]);
    let settings = Settings { idle_check: Duration::from_millis(50), ..settings() };
    let writer = writer(&server.url(), &pipeline(), settings);
    thread::sleep(Duration::from_millis(300));
    assert!(writer.status().away.is_none() && writer.status().transactions == 0, "{:?}", writer.status());
    server.kill();
    eventually("the outage", || writer.status().away);
    server.up();
    eventually("its end", || writer.status().away.is_none().then_some(()));
}

#[test]
fn a_stop_frees_a_worker_from_a_redis_that_is_away() {
    // It keeps what it acknowledged.
    let (mut server, pipeline) = (Server::start(&["--appendonly", "yes", "--appendfsync", "no"]), pipeline());
    let stop = Stop::default();
    let settings = Settings { stop_patience: Duration::from_millis(300), ..tight() };
    let writer = start(&server.url(), &pipeline, settings, stop.clone()).expect("a writer");
    claim(&writer, &a_claim(0, 1, &[("latest", 1, 0)]));
    let (mut sink, mut feed) = (writer.sink(), Feed::new(&pipeline));
    feed.round(&mut sink, [("u", only_count(1))]);
    let in_redis = settle(&mut sink);
    server.kill();

    let users = users();
    let write_much = |sink: &mut RedisSink, feed: &mut Feed| {
        for round in 2..20 {
            feed.round(sink, users.iter().map(|user| (user.as_str(), only_count(round))));
        }
        sink.flush().expect("an outage is no fault beyond repair")
    };
    thread::scope(|scope| {
        let worker = scope.spawn(|| write_much(&mut sink, &mut feed));
        eventually("back-pressure", || (writer.status().waiting_bytes > QUEUE_BYTES / 2).then_some(()));
        thread::sleep(Duration::from_millis(600));
        assert!(!worker.is_finished(), "without a stop a worker waits, however long");
        stop.request();
        let began = Instant::now();
        let ticket = worker.join().expect("the worker comes free");
        assert!(began.elapsed() < Duration::from_secs(3), "only after {:?}", began.elapsed());
        assert!(ticket > in_redis);
    });
    assert!(sink.abandoned());
    let ticket = sink.flush().expect("still no fault beyond repair");
    assert!(!sink.wait(ticket, Duration::from_secs(60)).expect("no fault"), "dropped rows are not waited for");

    // Even when Redis comes back and takes what was kept, what was dropped is not acknowledged.
    server.up();
    eventually("the rows that were kept", || (writer.status().waiting_bytes == 0).then_some(()));
    feed.round(&mut sink, [("u", only_count(99))]);
    let later = sink.flush().expect("no fault");
    assert!(!sink.wait(later, Duration::from_millis(300)).expect("no fault"));
    assert!(sink.acknowledged() > in_redis && sink.acknowledged() < ticket);
    assert_eq!(hash(&mut server.client(), "latest:u")["count"], "1", "no row after a gap");
}

#[test]
fn closing_brings_what_was_flushed_or_says_what_is_left() {
    let (mut server, pipeline) = (Server::start(&[]), pipeline());
    let first = writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (first.sink(), Feed::new(&pipeline));
    feed.round(&mut sink, users().iter().map(|user| (user.as_str(), only_count(1))));
    let ticket = sink.flush().expect("the sink works");
    assert_eq!(first.close(Duration::from_secs(20)), Closed::Drained);
    assert_eq!(sink.acknowledged(), ticket);
    assert_eq!(hash(&mut server.client(), "latest:user-299")["count"], "1");
    feed.round(&mut sink, [("u", only_count(2))]);
    let late = sink.flush().expect("closing is no fault");
    assert!(!sink.wait(late, Duration::from_secs(60)).expect("closing is no fault"));

    let second = start(&server.url(), &pipeline, settings(), Stop::default()).expect("a writer");
    claim(&second, &a_claim(0, 2, &[("latest", 1, 0)]));
    feed.origin.epoch = 2;
    let mut sink = second.sink();
    server.kill();
    feed.round(&mut sink, [("u", only_count(3))]);
    let ticket = sink.flush().expect("an outage is no fault beyond repair");
    let began = Instant::now();
    let Closed::Abandoned { waiting_bytes } = second.close(Duration::from_millis(300)) else {
        unreachable!("Redis is gone");
    };
    assert!(waiting_bytes > 0 && began.elapsed() < Duration::from_secs(2));
    assert!(sink.acknowledged() < ticket);
}
