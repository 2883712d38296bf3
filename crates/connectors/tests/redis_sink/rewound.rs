//! A Redis that forgot rows it had acknowledged.

use windrow_engine::{FenceToken, LostPartition, PartitionLossReason, Sink};

use crate::feed::{
    RowFeed, claim, flush_and_wait, granted_rows, new_claim, only_count, pipeline, settings, start_owning_writer,
};
use crate::server::{RedisServer, read_hash, run_command};

const OURS: FenceToken = FenceToken { partition: 0, epoch: 1 };
const FENCE: &str = "windrow:fence:test:test:0";
const OTHER: FenceToken = FenceToken { partition: 1, epoch: 1 };

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
        let (server, pipeline) = (RedisServer::start(&[]), pipeline());
        let mut client = server.connect();
        redis::cmd("SET").arg("older").arg("1 epoch=0 latest=0:5").exec(&mut client).expect("SET");
        let writer = start_owning_writer(&server.url(), &pipeline, settings());
        claim(&writer, &new_claim(1, 1, &[("latest", 1, 0)]));
        let (mut sink, mut feed, mut other) =
            (writer.create_worker_sink(), RowFeed::new(&pipeline), RowFeed::with_token(&pipeline, OTHER));
        feed.write_round(&mut sink, [("u", only_count(1))]);
        flush_and_wait(&mut sink);
        run_command(&mut client, "COPY windrow:fence:test:test:0 kept");
        feed.write_round(&mut sink, [("u", only_count(2))]);
        flush_and_wait(&mut sink);

        let acknowledged: String = redis::cmd("GET").arg(FENCE).query(&mut client).expect("GET");
        run_command(&mut client, forgets);
        feed.write_round(&mut sink, [("u", only_count(3))]);
        other.write_round(&mut sink, [("other", only_count(1))]);
        flush_and_wait(&mut sink);
        let mut expected = vec![LostPartition { fence_token: OURS, reason: PartitionLossReason::StoreRewound }];
        if forgets == "FLUSHALL" {
            expected.push(LostPartition { fence_token: OTHER, reason: PartitionLossReason::StoreRewound });
        }
        assert_eq!(sink.take_lost_partitions(), expected);
        assert_ne!(read_hash(&mut client, "latest:u").get("count").map(String::as_str), Some("3"));
        assert_eq!(read_hash(&mut client, "latest:other").is_empty(), forgets == "FLUSHALL");
        // Also where the fence has its value again, because rows are missing now.
        redis::cmd("SET").arg(FENCE).arg(acknowledged).exec(&mut client).expect("SET");
        feed.write_round(&mut sink, [("u", only_count(4))]);
        flush_and_wait(&mut sink);
        assert_ne!(read_hash(&mut client, "latest:u").get("count").map(String::as_str), Some("4"));
        run_command(&mut client, &format!("DEL {FENCE}"));

        // The worker goes back to its checkpoint of the first round and computes everything since then again.
        let granted = claim(&writer, &new_claim(0, 2, &[("latest", 1, 1)]));
        assert_eq!(granted, granted_rows(vec![1]));
        feed.fence_token.epoch = 2;
        for round in 2..6 {
            feed.write_round(&mut sink, [("u", only_count(round))]);
        }
        flush_and_wait(&mut sink);
        assert_eq!(read_hash(&mut client, "latest:u")["count"], "5");
        assert_eq!(read_hash(&mut client, "latest:clock").len(), 1, "all rows since then");
        assert_eq!(sink.take_lost_partitions(), []);
    }
}

#[test]
fn a_redis_that_is_started_again_empty() {
    let (mut server, pipeline) = (RedisServer::start(&[]), pipeline());
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    feed.write_round(&mut sink, [("u", only_count(1))]);
    flush_and_wait(&mut sink);
    server.kill();
    feed.write_round(&mut sink, [("u", only_count(2))]);
    let ticket = sink.start_flush().expect("an outage is no fault");
    server.start_process();
    assert!(sink.wait_for_ticket(ticket, std::time::Duration::from_secs(30)).expect("no fault"));
    assert_eq!(
        sink.take_lost_partitions(),
        [LostPartition { fence_token: OURS, reason: PartitionLossReason::StoreRewound }]
    );
    let size: u64 = redis::cmd("DBSIZE").query(&mut server.connect()).expect("DBSIZE");
    assert_eq!(size, 0, "rows after a gap");
}
