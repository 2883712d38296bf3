//! A value never goes back in event time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use windrow_engine::Sink;

use crate::feed::{RowFeed, flush_and_wait, only_count, pipeline, settings, start_owning_writer};
use crate::server::{RedisServer, print_random_seed, read_hash};

const USERS: [&str; 5] = ["a", "b", "c", "d", "e"];

#[test]
fn connections_that_are_cut_do_not_turn_back_time() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let seed = print_random_seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let done = AtomicBool::new(false);
    let last = thread::scope(|scope| {
        let load = scope.spawn(|| {
            let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
            let mut round = 0;
            while !done.load(Ordering::Relaxed) {
                round += 1;
                feed.write_round(&mut sink, USERS.map(|user| (user, only_count(round))));
                if round % 20 == 0 {
                    sink.start_flush().expect("the sink works");
                }
            }
            flush_and_wait(&mut sink);
            round
        });
        let mut client = server.connect();
        let mut newest = [0_i64; USERS.len()];
        for _ in 0..300 {
            for _ in 0..random.u32(1..50) {
                for (user, newest) in USERS.iter().zip(&mut newest) {
                    let found: Option<i64> =
                        redis::cmd("HGET").arg(format!("latest:{user}")).arg("count").query(&mut client).expect("HGET");
                    let found = found.unwrap_or(0);
                    assert!(found >= *newest, "{user} went back from {newest} to {found}; seed {seed}");
                    *newest = found;
                }
            }
            let kill = ["KILL", "TYPE", "normal", "SKIPME", "yes"];
            redis::cmd("CLIENT").arg(&kill).exec(&mut client).expect("CLIENT KILL");
            thread::sleep(Duration::from_millis(random.u64(..8)));
        }
        done.store(true, Ordering::Relaxed);
        assert!(newest.iter().all(|newest| *newest > 0), "nothing was written: {newest:?}");
        load.join().expect("the load ends")
    });
    let mut client = server.connect();
    for user in USERS {
        assert_eq!(read_hash(&mut client, format!("latest:{user}"))["count"], last.to_string(), "{user}; seed {seed}");
    }
    assert!(writer.status().reconnect_count > 50, "hardly any connection was cut: {:?}", writer.status());
}

#[test]
fn a_partition_that_changes_hands_keeps_its_order() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let mut sinks = [writer.create_worker_sink(), writer.create_worker_sink(), writer.create_worker_sink()];
    let (mut feed, mut client) = (RowFeed::new(&pipeline), server.connect());
    let seed = print_random_seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut newest = 0;
    for round in 1..=3_000 {
        let sink = &mut sinks[random.usize(..3)];
        feed.write_round(sink, USERS.map(|user| (user, only_count(round))));
        sink.start_flush().expect("the sink works");
        if round % 10 == 0 {
            let found: Option<i64> = redis::cmd("HGET").arg("latest:a").arg("count").query(&mut client).expect("HGET");
            assert!(found.unwrap_or(0) >= newest, "went back from {newest} to {found:?}; seed {seed}");
            newest = found.unwrap_or(0);
        }
    }
    sinks.iter_mut().for_each(|sink| {
        flush_and_wait(sink);
    });
    for user in USERS {
        assert_eq!(read_hash(&mut client, format!("latest:{user}"))["count"], "3000", "{user}; seed {seed}");
    }
}
