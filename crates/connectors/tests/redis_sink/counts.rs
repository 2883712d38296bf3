//! The fence counts exactly the rows that are there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use windrow_engine::Sink;

use crate::feed::{RowFeed, flush_and_wait, only_count, pipeline, settings, start_owning_writer, windowed_pipeline};
use crate::network::{FaultyNetwork, NetworkFault};
use crate::server::{RedisServer, print_random_seed, read_hash};

const USERS: [&str; 5] = ["a", "b", "c", "d", "e"];

#[test]
fn a_reader_never_sees_fence_and_rows_disagree() {
    let (server, pipeline) = (RedisServer::start(&[]), windowed_pipeline());
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    // Two rounds until every user, and the clock, has its one row of the view `latest`.
    for round in 0..2 {
        feed.write_round(&mut sink, USERS.map(|user| (user, only_count(round))));
    }
    flush_and_wait(&mut sink);
    let seed = print_random_seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut client = server.connect();
            let (mut looks, mut last) = (0, 0);
            while !done.load(Ordering::Relaxed) {
                let answer = redis::pipe()
                    .atomic()
                    .cmd("GET")
                    .arg("windrow:fence:test:test:0")
                    .cmd("DBSIZE")
                    .cmd("HGET")
                    .arg("latest:e")
                    .arg("count")
                    .query(&mut client);
                let Ok::<(String, u64, u64), _>((fence, keys, latest)) = answer else {
                    client = server.connect(); // cut as well
                    continue;
                };
                let count = |view: &str| -> u64 {
                    let value = fence.split(' ').find_map(|word| word.strip_prefix(&format!("{view}=1:")));
                    value.expect(&fence).parse().expect(&fence)
                };
                // Every row of `per_window` has its own key; beside them, the fence and the rows of `latest`.
                assert_eq!(count("per_window"), keys - 1 - (USERS.len() as u64 + 1), "{fence}");
                // Each round gives five rows and, from the second on, the clock's; `e` is the fifth, the clock the last.
                let into_round = count("latest") - latest * 6;
                assert!((5..11).contains(&into_round), "{fence}, round {latest}");
                looks += u64::from(keys != last);
                last = keys;
            }
            looks
        });
        let mut cutter = server.connect();
        for round in 2..3_000 {
            feed.write_round(&mut sink, USERS.map(|user| (user, only_count(round))));
            sink.start_flush().expect("the sink works");
            if round % 50 == 0 {
                thread::sleep(Duration::from_micros(random.u64(..500)));
                let kill = ["KILL", "TYPE", "normal", "SKIPME", "yes"];
                redis::cmd("CLIENT").arg(&kill).exec(&mut cutter).expect("CLIENT KILL");
            } else if round % 5 == 0 {
                flush_and_wait(&mut sink);
            }
        }
        flush_and_wait(&mut sink);
        done.store(true, Ordering::Relaxed);
        let looks = reader.join().expect("the reader saw them agree");
        assert!(looks > 100, "the reader saw only {looks} changes");
    });
    assert_eq!(sink.take_lost_partitions(), []);
    assert!(writer.status().reconnect_count > 20, "hardly any flight was cut: {:?}; seed {seed}", writer.status());
}

#[test]
fn a_flight_whose_answer_is_lost_goes_again() {
    for trouble in [NetworkFault::Held, NetworkFault::Unanswered] {
        let (server, pipeline) = (RedisServer::start(&[]), pipeline());
        let (network, port) = FaultyNetwork::forward_to(server.port);
        let writer = start_owning_writer(&format!("redis://127.0.0.1:{port}"), &pipeline, settings());
        let (mut sink, mut feed, mut client) = (writer.create_worker_sink(), RowFeed::new(&pipeline), server.connect());
        network.inject(trouble);
        for count in 1..3 {
            feed.write_round(&mut sink, [("u", only_count(count))]);
            flush_and_wait(&mut sink);
            assert_eq!(read_hash(&mut client, "latest:u")["count"], count.to_string(), "{trouble:?}");
        }
        assert!(network.was_injected() && writer.status().reconnect_count == 1, "{trouble:?}");
        assert_eq!(sink.take_lost_partitions(), [], "{trouble:?}");
        let fence: String = redis::cmd("GET").arg("windrow:fence:test:test:0").query(&mut client).expect("GET");
        assert_eq!(fence, "1 epoch=1 latest=1:3", "{trouble:?}");
    }
}
