//! Taking a partition over.

use std::thread;
use std::time::{Duration, Instant};

use redis::Connection;
use windrow_connectors::redis::Settings;
use windrow_engine::{Claimed, Fence, Halt, Sink, Stop};

use crate::feed::{Feed, a_claim, claim, only_count, pipeline, settings, settle, start, writer};
use crate::network::{Network, Trouble};
use crate::server::{Server, eventually, hash, run};

const KEY: &str = "windrow:fence:test:test:0";

fn fence(client: &mut Connection) -> String {
    redis::cmd("GET").arg(KEY).query(client).expect("a fence")
}

#[test]
fn a_larger_epoch_takes_over_and_learns_what_is_written() {
    let (server, pipeline) = (Server::start(&[]), pipeline());
    let mut client = server.client();
    let first = writer(&server.url(), &pipeline, settings());
    assert_eq!(fence(&mut client), "1 epoch=1 latest=1:0");
    let (mut sink, mut feed) = (first.sink(), Feed::new(&pipeline));
    feed.round(&mut sink, ["a", "b", "c"].map(|user| (user, only_count(1))));
    settle(&mut sink);
    assert_eq!(fence(&mut client), "1 epoch=1 latest=1:3");
    let ttl: i64 = redis::cmd("PTTL").arg(KEY).query(&mut client).expect("PTTL");
    assert_eq!(ttl, -1, "a fence never expires");

    let second = start(&server.url(), &pipeline, settings(), Stop::default()).expect("a writer");
    for epoch in [0, 1] {
        assert_eq!(claim(&second, &a_claim(0, epoch, &[("latest", 1, 3)])), Claimed::Stale(1));
    }
    assert_eq!(fence(&mut client), "1 epoch=1 latest=1:3", "a stale claim changes nothing");
    let counts = [("new", 5, 0), ("latest", 1, 2)];
    assert_eq!(claim(&second, &a_claim(0, 5, &counts)), Claimed::Granted(vec![0, 3]), "counts go on");
    assert_eq!(fence(&mut client), "1 epoch=5 new=5:0 latest=1:3");
    assert_eq!(claim(&second, &a_claim(0, 6, &[("latest", 6, 0)])), Claimed::Granted(vec![0]), "and begin anew");
    assert_eq!(fence(&mut client), "1 epoch=6 latest=6:0", "what is not claimed is forgotten");
    assert_eq!(claim(&second, &a_claim(1, 1, &[("latest", 1, 8)])), Claimed::Granted(vec![8]), "each on its own");
    assert_eq!(claim(&first, &a_claim(0, 6, &[("latest", 6, 0)])), Claimed::Stale(6), "equal is not larger");
}

#[test]
fn a_fence_nobody_can_read_halts_with_the_way_out() {
    for (spoil, shown) in [
        (vec!["SET", KEY, "2 epoch=1"], "2 epoch=1"),
        (vec!["SET", KEY, "1 epoch=1 latest=1"], "1 epoch=1 latest=1"),
        (vec!["SET", KEY, ""], "\"\""),
        (vec!["HSET", KEY, "a", "b"], "WRONGTYPE"),
    ] {
        let server = Server::start(&[]);
        let claimed = start(&server.url(), &pipeline(), settings(), Stop::default()).expect("a writer");
        let writing = writer(&server.url(), &pipeline(), settings());
        let mut client = server.client();
        run(&mut client, &format!("DEL {KEY}"));
        redis::cmd(spoil[0]).arg(&spoil[1..]).exec(&mut client).expect("spoilt");

        let claim = claimed.fence().claim(&a_claim(0, 2, &[("latest", 1, 0)]));
        let mut sink = writing.sink();
        Feed::new(&pipeline()).round(&mut sink, [("u", only_count(1))]);
        // The writer may be faster than the question.
        let row = sink.flush().and_then(|ticket| sink.wait(ticket, Duration::from_secs(20)));
        for halt in [claim.err(), row.err()] {
            let Some(Halt::Refused(message)) = halt else { unreachable!("{spoil:?}: {halt:?}") };
            for part in [KEY, shown, "delete that key", "no other Windrow"] {
                assert!(message.contains(part), "{part} is missing: {message}");
            }
        }
        assert!(hash(&mut client, "latest:u").is_empty());
    }
}

#[test]
fn rows_without_a_claim_are_a_bug() {
    let (server, pipeline) = (Server::start(&[]), pipeline());
    for epoch in [0, 2] {
        // Epoch 0 was overtaken; epoch 2 was never granted.
        let writer = start(&server.url(), &pipeline, settings(), Stop::default()).expect("a writer");
        run(&mut server.client(), "FLUSHALL");
        claim(&writer, &a_claim(0, 1, &[("latest", 1, 0)]));
        let (mut sink, mut feed) = (writer.sink(), Feed::new(&pipeline));
        feed.origin.epoch = epoch;
        feed.round(&mut sink, [("u", only_count(1))]);
        // The writer may be faster than the question.
        let waited = sink.flush().and_then(|ticket| sink.wait(ticket, Duration::from_secs(20)));
        match epoch {
            0 => assert!(waited.expect("no bug") && sink.lost().len() == 1),
            _ => assert!(matches!(&waited, Err(Halt::Output(text)) if text.contains("bug")), "{waited:?}"),
        }
        assert!(hash(&mut server.client(), "latest:u").is_empty());
    }
}

#[test]
fn a_claim_follows_the_rows_handed_over_before_it() {
    let (server, pipeline) = (Server::start(&[]), pipeline());
    let writer = writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.sink(), Feed::new(&pipeline));
    for epoch in 2..200 {
        feed.round(&mut sink, ["a", "b"].map(|user| (user, only_count(1))));
        sink.flush().expect("the sink works");
        // The clock's row comes one round later: 2, 5, 8 …
        let written = 3 * (epoch - 1) - 1;
        assert_eq!(claim(&writer, &a_claim(0, epoch, &[("latest", 1, 0)])), Claimed::Granted(vec![written]));
        feed.origin.epoch = epoch;
    }
    assert_eq!(sink.lost(), []);
}

#[test]
fn a_claim_whose_answer_is_lost_is_still_ours() {
    for trouble in [Trouble::Held, Trouble::Unanswered] {
        let (server, pipeline) = (Server::start(&[]), pipeline());
        let (network, port) = Network::to(server.port);
        let url = format!("redis://127.0.0.1:{port}");
        let writer = start(&url, &pipeline, settings(), Stop::default()).expect("a writer");
        network.arm(trouble);
        assert_eq!(claim(&writer, &a_claim(0, 3, &[("latest", 3, 7)])), Claimed::Granted(vec![7]), "{trouble:?}");
        assert!(network.has_struck() && writer.status().reconnects == 1, "{trouble:?}");
        assert_eq!(fence(&mut server.client()), "1 epoch=3 latest=3:7");
    }
}

#[test]
fn a_claim_waits_for_redis() {
    let (mut server, pipeline) = (Server::start(&[]), pipeline());
    let writer = start(&server.url(), &pipeline, settings(), Stop::default()).expect("a writer");
    thread::scope(|scope| {
        server.signal("STOP");
        let claiming = scope.spawn(|| claim(&writer, &a_claim(0, 1, &[("latest", 1, 0)])));
        eventually("the outage", || writer.status().away);
        assert!(!claiming.is_finished());
        server.signal("CONT");
        assert_eq!(claiming.join().expect("granted"), Claimed::Granted(vec![0]));

        server.kill();
        let claiming = scope.spawn(|| claim(&writer, &a_claim(0, 2, &[("latest", 1, 4)])));
        eventually("the outage", || writer.status().away);
        server.up();
        assert_eq!(claiming.join().expect("granted"), Claimed::Granted(vec![4]), "it has forgotten everything");
    });
    assert!(writer.status().away.is_none());
}

#[test]
fn a_stop_ends_a_claim() {
    let (server, pipeline) = (Server::start(&[]), pipeline());
    let stop = Stop::default();
    let settings = Settings { response_timeout: Duration::from_secs(2), ..settings() };
    let writer = start(&server.url(), &pipeline, settings, stop.clone()).expect("a writer");
    server.signal("STOP");
    thread::scope(|scope| {
        let claiming = scope.spawn(|| writer.fence().claim(&a_claim(0, 1, &[("latest", 1, 0)])));
        thread::sleep(Duration::from_millis(300));
        assert!(!claiming.is_finished());
        let began = Instant::now();
        stop.request();
        let ended = claiming.join().expect("no panic");
        assert!(matches!(&ended, Err(Halt::NotReachable(text)) if text.contains("partition 0")), "{ended:?}");
        assert!(began.elapsed() < Duration::from_secs(1), "only after {:?}", began.elapsed());
    });
    server.signal("CONT");
    // Closing does not wait for what nobody wants any more.
    assert_eq!(writer.close(Duration::from_secs(20)), windrow_connectors::redis::Closed::Drained);
    let ended = writer.fence().claim(&a_claim(0, 2, &[("latest", 1, 0)]));
    assert!(matches!(ended, Err(Halt::NotReachable(_))), "{ended:?}");
}
