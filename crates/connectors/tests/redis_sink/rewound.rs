//! A Redis that forgot rows it had acknowledged.

use windrow_engine::{Claimed, Loss, Lost, Origin, Sink};

use crate::feed::{Feed, a_claim, claim, only_count, pipeline, settings, settle, writer};
use crate::server::{Server, hash, run};

const OURS: Origin = Origin { partition: 0, epoch: 1 };
const FENCE: &str = "windrow:fence:test:test:0";
const OTHER: Origin = Origin { partition: 1, epoch: 1 };

#[test]
fn rows_are_dropped_until_a_new_claim() {
    let earlier = [
        "FLUSHALL",
        "DEL windrow:fence:test:test:0",
        "COPY kept windrow:fence:test:test:0 REPLACE",
        "COPY older windrow:fence:test:test:0 REPLACE",
    ];
    for forgets in earlier {
        println!("{forgets}");
        let (server, pipeline) = (Server::start(&[]), pipeline());
        let mut client = server.client();
        redis::cmd("SET").arg("older").arg("1 epoch=0 latest=0:5").exec(&mut client).expect("SET");
        let writer = writer(&server.url(), &pipeline, settings());
        claim(&writer, &a_claim(1, 1, &[("latest", 1, 0)]));
        let (mut sink, mut feed, mut other) = (writer.sink(), Feed::new(&pipeline), Feed::of(&pipeline, OTHER));
        feed.round(&mut sink, [("u", only_count(1))]);
        settle(&mut sink);
        run(&mut client, "COPY windrow:fence:test:test:0 kept");
        feed.round(&mut sink, [("u", only_count(2))]);
        settle(&mut sink);

        let acknowledged: String = redis::cmd("GET").arg(FENCE).query(&mut client).expect("GET");
        run(&mut client, forgets);
        feed.round(&mut sink, [("u", only_count(3))]);
        other.round(&mut sink, [("other", only_count(1))]);
        settle(&mut sink);
        let mut expected = vec![Lost { origin: OURS, why: Loss::Rewound }];
        if forgets == "FLUSHALL" {
            expected.push(Lost { origin: OTHER, why: Loss::Rewound });
        }
        assert_eq!(sink.lost(), expected);
        assert_ne!(hash(&mut client, "latest:u").get("count").map(String::as_str), Some("3"));
        assert_eq!(hash(&mut client, "latest:other").is_empty(), forgets == "FLUSHALL");
        // Also where the fence is as it was: there is a gap now.
        redis::cmd("SET").arg(FENCE).arg(acknowledged).exec(&mut client).expect("SET");
        feed.round(&mut sink, [("u", only_count(4))]);
        settle(&mut sink);
        assert_ne!(hash(&mut client, "latest:u").get("count").map(String::as_str), Some("4"));
        run(&mut client, &format!("DEL {FENCE}"));

        // The worker goes back to its checkpoint of the first round and computes everything since then again.
        let granted = claim(&writer, &a_claim(0, 2, &[("latest", 1, 1)]));
        assert_eq!(granted, Claimed::Granted(vec![1]));
        feed.origin.epoch = 2;
        for round in 2..6 {
            feed.round(&mut sink, [("u", only_count(round))]);
        }
        settle(&mut sink);
        assert_eq!(hash(&mut client, "latest:u")["count"], "5");
        assert_eq!(hash(&mut client, "latest:clock").len(), 1, "all rows since then");
        assert_eq!(sink.lost(), []);
    }
}

#[test]
fn a_redis_that_is_started_again_empty() {
    let (mut server, pipeline) = (Server::start(&[]), pipeline());
    let writer = writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.sink(), Feed::new(&pipeline));
    feed.round(&mut sink, [("u", only_count(1))]);
    settle(&mut sink);
    server.kill();
    feed.round(&mut sink, [("u", only_count(2))]);
    let ticket = sink.flush().expect("an outage is no fault");
    server.up();
    assert!(sink.wait(ticket, std::time::Duration::from_secs(30)).expect("no fault"));
    assert_eq!(sink.lost(), [Lost { origin: OURS, why: Loss::Rewound }]);
    let size: u64 = redis::cmd("DBSIZE").query(&mut server.client()).expect("DBSIZE");
    assert_eq!(size, 0, "rows after a gap");
}
