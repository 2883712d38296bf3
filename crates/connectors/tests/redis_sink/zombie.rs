//! A worker that goes on writing after its partition has moved.

use std::time::Duration;

use windrow_connectors::redis::{Settings, read_features};
use windrow_core::Value;
use windrow_engine::{Claimed, Loss, Lost, Origin, Sink, Stop};

use crate::feed::{Feed, a_claim, claim, only_count, pipeline, settings, settle, start, writer};
use crate::network::{Network, Trouble};
use crate::server::{Server, eventually, hash, seed};

const OURS: Origin = Origin { partition: 0, epoch: 1 };
const OTHER: Origin = Origin { partition: 1, epoch: 1 };

#[test]
fn rows_of_a_lost_partition_do_not_arrive_and_others_do() {
    let (server, pipeline) = (Server::start(&[]), pipeline());
    let old = writer(&server.url(), &pipeline, settings());
    claim(&old, &a_claim(1, 1, &[("latest", 1, 0)]));
    let (mut sink, mut feed) = (old.sink(), Feed::new(&pipeline));
    let mut bystander = old.sink();
    feed.round(&mut sink, [("u", only_count(1))]);
    settle(&mut sink);

    let new = start(&server.url(), &pipeline, settings(), Stop::default()).expect("a writer");
    assert_eq!(claim(&new, &a_claim(0, 2, &[("latest", 1, 0)])), Claimed::Granted(vec![1]));
    let (mut new_sink, mut new_feed) = (new.sink(), Feed::of(&pipeline, Origin { partition: 0, epoch: 2 }));
    new_feed.round(&mut new_sink, [("u", only_count(20))]);
    settle(&mut new_sink);

    // One batch: rows of the lost partition before and after those of another one.
    let mut other_feed = Feed::of(&pipeline, OTHER);
    let mut client = server.client();
    feed.round(&mut sink, [("u", only_count(2)), ("only old", only_count(2))]);
    other_feed.round(&mut sink, [("other", only_count(3))]);
    feed.round(&mut sink, [("u", only_count(4)), ("only old", only_count(4))]);
    let ticket = sink.flush().expect("no fault");
    eventually("the acknowledgement", || (sink.acknowledged() >= ticket).then_some(()));
    assert_eq!(sink.lost(), [Lost { origin: OURS, why: Loss::Fenced(2) }], "known once acknowledged");
    assert_eq!(hash(&mut client, "latest:u")["count"], "20");
    assert!(hash(&mut client, "latest:only old").is_empty());
    assert_eq!(hash(&mut client, "latest:other")["count"], "3");
    assert_eq!(sink.lost(), [], "reported once");
    assert_eq!(bystander.lost(), [], "reported to whom it concerns");

    // It stays lost, and is reported to every worker that has rows of it, once.
    feed.round(&mut sink, [("u", only_count(5))]);
    other_feed.round(&mut sink, [("other", only_count(6))]);
    settle(&mut sink);
    feed.round(&mut bystander, [("u", only_count(7))]);
    settle(&mut bystander);
    assert_eq!(sink.lost(), []);
    assert_eq!(bystander.lost(), [Lost { origin: OURS, why: Loss::Fenced(2) }]);
    assert_eq!(hash(&mut client, "latest:u")["count"], "20");
    assert_eq!(hash(&mut client, "latest:other")["count"], "6");
    let status = old.status();
    assert_eq!((status.rows_refused, status.waiting_bytes, status.reconnects), (0, 0, 0));
    // u; other, and again with the clock's
    assert_eq!(status.rows_written, 1 + 1 + 2);
    assert!(status.away.is_none(), "{status:?}");

    // Back again: what was dropped under the old epoch stays dropped, and is a loss of its own.
    assert_eq!(claim(&old, &a_claim(0, 3, &[("latest", 1, 0)])), Claimed::Granted(vec![1]));
    feed.round(&mut bystander, [("u", only_count(8))]);
    feed.origin.epoch = 3;
    feed.round(&mut sink, [("u", only_count(30))]);
    settle(&mut bystander);
    settle(&mut sink);
    assert_eq!(hash(&mut client, "latest:u")["count"], "30");
    assert_eq!((sink.lost(), bystander.lost()), (vec![], vec![]));
    new_feed.round(&mut new_sink, [("u", only_count(21))]);
    settle(&mut new_sink);
    assert_eq!(new_sink.lost(), [Lost { origin: Origin { partition: 0, epoch: 2 }, why: Loss::Fenced(3) }]);
    assert_eq!(hash(&mut client, "latest:u")["count"], "30");
}

#[test]
fn a_claim_between_question_and_transaction_wins() {
    let (server, pipeline) = (Server::start(&[]), pipeline());
    let (network, port) = Network::to(server.port);
    let patient = Settings { response_timeout: Duration::from_secs(20), ..settings() };
    let old = writer(&format!("redis://127.0.0.1:{port}"), &pipeline, patient);
    claim(&old, &a_claim(1, 1, &[("latest", 1, 0)]));
    let (mut sink, mut feed, mut other_feed) = (old.sink(), Feed::new(&pipeline), Feed::of(&pipeline, OTHER));
    feed.round(&mut sink, [("u", only_count(1))]);
    settle(&mut sink);

    network.arm(Trouble::Held);
    feed.round(&mut sink, [("u", only_count(2)), ("only old", only_count(2))]);
    other_feed.round(&mut sink, [("other", only_count(3))]);
    let ticket = sink.flush().expect("no fault");
    eventually("the flight", || network.has_struck().then_some(()));
    // The fences were asked and found good; the rows are on their way.
    let new = start(&server.url(), &pipeline, settings(), Stop::default()).expect("a writer");
    assert_eq!(claim(&new, &a_claim(0, 2, &[("latest", 1, 0)])), Claimed::Granted(vec![1]));
    let (mut new_sink, mut new_feed) = (new.sink(), Feed::of(&pipeline, Origin { partition: 0, epoch: 2 }));
    new_feed.round(&mut new_sink, [("u", only_count(20))]);
    settle(&mut new_sink);
    assert!(sink.acknowledged() < ticket && sink.lost().is_empty());
    network.release();

    settle(&mut sink);
    assert_eq!(sink.lost(), [Lost { origin: OURS, why: Loss::Fenced(2) }]);
    let mut client = server.client();
    assert_eq!(hash(&mut client, "latest:u")["count"], "20");
    assert!(hash(&mut client, "latest:only old").is_empty());
    assert_eq!(hash(&mut client, "latest:other")["count"], "3", "the flight went again without the lost rows");
    let status = old.status();
    assert!(status.reconnects == 0 && status.last_error.is_none(), "no outage: {status:?}");
}

#[test]
fn whoever_claimed_last_has_the_last_word() {
    let (server, pipeline) = (Server::start(&[]), pipeline());
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let writers = [(); 2].map(|()| start(&server.url(), &pipeline, settings(), Stop::default()).expect("a writer"));
    let mut sinks = [writers[0].sink(), writers[1].sink()];
    let users: Vec<String> = (0..100).map(|n| format!("user-{n}")).collect();
    let mut client = server.client();
    let mut losses = 0;
    // Each owner's rounds are larger than those of all owners before it; it never sees what became of them.
    for epoch in 1..=150_u64 {
        let [first, second] = &mut sinks;
        let (owner, sink, old_sink) =
            if epoch % 2 == 0 { (&writers[0], first, second) } else { (&writers[1], second, first) };
        let count = i64::try_from(epoch).expect("small");
        let rounds = if epoch == 1 { 0 } else { random.u32(0..30) };
        let pause = Duration::from_micros(random.u64(..3_000));
        let granted = std::thread::scope(|scope| {
            let zombie = scope.spawn(|| {
                let mut feed = Feed::of(&pipeline, Origin { partition: 0, epoch: epoch - 1 });
                for _ in 0..rounds {
                    feed.round(old_sink, users.iter().map(|user| (user.as_str(), only_count(count - 1))));
                    old_sink.flush().expect("no fault");
                }
                settle(old_sink);
            });
            std::thread::sleep(pause);
            let granted = claim(owner, &a_claim(0, epoch, &[("latest", epoch, 0)]));
            let mut feed = Feed::of(&pipeline, Origin { partition: 0, epoch });
            feed.round(sink, users.iter().map(|user| (user.as_str(), only_count(count))));
            settle(sink);
            zombie.join().expect("no panic");
            granted
        });
        assert_eq!(granted, Claimed::Granted(vec![0]), "seed {seed}");
        losses += old_sink.lost().len();
        for user in users.iter().step_by(33) {
            let key = format!("latest:{user}");
            assert_eq!(hash(&mut client, key)["count"], epoch.to_string(), "{user}; seed {seed}");
        }
    }
    assert!(losses > 20, "hardly any owner was overtaken: {losses}; seed {seed}");
}

#[test]
fn a_user_who_is_named_like_the_fence() {
    let (server, mut pipeline) = (Server::start(&[]), pipeline());
    // A template without text of its own: users choose the key.
    let text = crate::feed::PIPELINE.replace("latest:{user_id}", "{user_id}");
    pipeline.views = windrow_spec::parse("test.toml", &text, &[]).expect("the test's pipeline").views;
    let writer = writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.sink(), Feed::new(&pipeline));
    // The first one exists, the second one does not yet.
    let hostile = ["windrow:fence:test:test:0", "windrow:fence:test:test:1"];
    feed.round(&mut sink, [("u", only_count(1)), (hostile[0], only_count(1)), (hostile[1], only_count(1))]);
    settle(&mut sink);
    let refused = sink.refused();
    let keys: Vec<_> = refused.iter().map(|row| String::from_utf8_lossy(&row.key).into_owned()).collect();
    assert_eq!(keys.len(), 2, "{refused:?}");
    assert!(hostile.iter().all(|key| keys.iter().any(|refused| refused == key)), "{refused:?}");
    let mut client = server.client();
    let (fence, ttl): (String, i64) =
        redis::pipe().cmd("GET").arg(hostile[0]).cmd("PTTL").arg(hostile[0]).query(&mut client).expect("GET");
    assert_eq!((fence.as_str(), ttl), ("1 epoch=1 latest=1:3", -1), "unharmed, and refused rows are counted");
    assert_eq!(hash(&mut client, "u")["count"], "1");
    let rows = read_features(&server.url(), &pipeline.views, &pipeline.event.schema, hostile[0]).expect("an answer");
    assert_eq!(rows, [], "a fence is no row");
    assert_eq!(claim(&writer, &a_claim(1, 1, &[("latest", 1, 0)])), Claimed::Granted(vec![0]), "its key is free");
    feed.round(&mut sink, [("u", [Value::Long(2), Value::Null, Value::Null, Value::Null])]);
    settle(&mut sink);
    assert_eq!((hash(&mut client, "u")["count"].as_str(), sink.lost()), ("2", vec![]));
}
