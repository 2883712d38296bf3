//! A worker that keeps writing after its partition has moved.

use std::time::Duration;

use windrow_connectors::redis::{RedisSink, RedisWriterSettings, read_features};
use windrow_core::Value;
use windrow_engine::{FenceToken, LostPartition, Partition, PartitionLossReason, Sink, StopSignal};

use crate::feed::{
    RowFeed, claim, flush_and_wait, granted_rows, new_claim, only_count, pipeline, settings, start_owning_writer,
    start_writer,
};
use crate::network::{FaultyNetwork, NetworkFault};
use crate::server::{RedisServer, eventually, print_random_seed, read_hash};

const OURS: FenceToken = FenceToken { partition: 0, epoch: 1 };
const OTHER: FenceToken = FenceToken { partition: 1, epoch: 1 };

#[test]
fn rows_of_a_lost_partition_do_not_arrive_and_others_do() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let old = start_owning_writer(&server.url(), &pipeline, settings());
    claim(&old, &new_claim(1, 1, &[("latest", 1, 0)]));
    let (mut sink, mut feed) = (old.create_worker_sink(), RowFeed::new(&pipeline));
    let mut bystander = old.create_worker_sink();
    feed.write_round(&mut sink, [("u", only_count(1))]);
    flush_and_wait(&mut sink);

    let new = start_writer(&server.url(), &pipeline, settings(), StopSignal::default()).expect("a writer");
    assert_eq!(claim(&new, &new_claim(0, 2, &[("latest", 1, 0)])), granted_rows(vec![1]));
    let (mut new_sink, mut new_feed) =
        (new.create_worker_sink(), RowFeed::with_token(&pipeline, FenceToken { partition: 0, epoch: 2 }));
    new_feed.write_round(&mut new_sink, [("u", only_count(20))]);
    flush_and_wait(&mut new_sink);

    // One batch: rows of the lost partition before and after those of another one.
    let mut other_feed = RowFeed::with_token(&pipeline, OTHER);
    let mut client = server.connect();
    feed.write_round(&mut sink, [("u", only_count(2)), ("only old", only_count(2))]);
    other_feed.write_round(&mut sink, [("other", only_count(3))]);
    feed.write_round(&mut sink, [("u", only_count(4)), ("only old", only_count(4))]);
    let ticket = sink.start_flush().expect("no fault");
    eventually("the acknowledgement", || (sink.newest_acknowledged_flush() >= ticket).then_some(()));
    assert_eq!(
        sink.take_lost_partitions(),
        [LostPartition { fence_token: OURS, reason: PartitionLossReason::Fenced(2) }],
        "known once acknowledged"
    );
    assert_eq!(read_hash(&mut client, "latest:u")["count"], "20");
    assert!(read_hash(&mut client, "latest:only old").is_empty());
    assert_eq!(read_hash(&mut client, "latest:other")["count"], "3");
    assert_eq!(sink.take_lost_partitions(), [], "reported once");
    assert_eq!(bystander.take_lost_partitions(), [], "reported to whom it concerns");

    // It stays lost, and is reported to every worker that has rows of it, once.
    feed.write_round(&mut sink, [("u", only_count(5))]);
    other_feed.write_round(&mut sink, [("other", only_count(6))]);
    flush_and_wait(&mut sink);
    feed.write_round(&mut bystander, [("u", only_count(7))]);
    flush_and_wait(&mut bystander);
    assert_eq!(sink.take_lost_partitions(), []);
    assert_eq!(
        bystander.take_lost_partitions(),
        [LostPartition { fence_token: OURS, reason: PartitionLossReason::Fenced(2) }]
    );
    assert_eq!(read_hash(&mut client, "latest:u")["count"], "20");
    assert_eq!(read_hash(&mut client, "latest:other")["count"], "6");
    let status = old.status();
    assert_eq!((status.rows_refused, status.unacknowledged_bytes, status.reconnect_count), (0, 0, 0));
    // u; other, and again with the clock's
    assert_eq!(status.rows_written, 1 + 1 + 2);
    assert!(status.ongoing_outage.is_none(), "{status:?}");

    // Claimed back: rows dropped under the old epoch stay dropped, and count as another loss.
    assert_eq!(claim(&old, &new_claim(0, 3, &[("latest", 1, 0)])), granted_rows(vec![1]));
    feed.write_round(&mut bystander, [("u", only_count(8))]);
    feed.fence_token.epoch = 3;
    feed.write_round(&mut sink, [("u", only_count(30))]);
    flush_and_wait(&mut bystander);
    flush_and_wait(&mut sink);
    assert_eq!(read_hash(&mut client, "latest:u")["count"], "30");
    assert_eq!((sink.take_lost_partitions(), bystander.take_lost_partitions()), (vec![], vec![]));
    new_feed.write_round(&mut new_sink, [("u", only_count(21))]);
    flush_and_wait(&mut new_sink);
    assert_eq!(
        new_sink.take_lost_partitions(),
        [LostPartition { fence_token: FenceToken { partition: 0, epoch: 2 }, reason: PartitionLossReason::Fenced(3) }]
    );
    assert_eq!(read_hash(&mut client, "latest:u")["count"], "30");
}

/// A worker asks for its open partitions every ten seconds, also if they have no rows.
#[test]
fn a_check_of_idle_partitions_finds_a_newer_owner_and_costs_three_commands_per_partition_at_most() {
    const PARTITION_COUNT: Partition = 32;
    const CHECKS_PER_MINUTE: f64 = 6.0;
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let quiet = RedisWriterSettings { idle_check_interval: Duration::from_secs(3600), ..settings() };
    let old = start_writer(&server.url(), &pipeline, quiet, StopSignal::default()).expect("a writer");
    for partition in 0..PARTITION_COUNT {
        claim(&old, &new_claim(partition, 1, &[("latest", 1, 0)]));
    }
    let (mut sink, mut client) = (old.create_worker_sink(), server.connect());
    let check = |sink: &mut RedisSink| {
        for partition in 0..PARTITION_COUNT {
            sink.verify_rows_at_next_flush(FenceToken { partition, epoch: 1 });
        }
        flush_and_wait(sink);
    };
    let commands_before = count_processed_commands(&mut client);
    check(&mut sink);
    // The second `INFO` counts the first one.
    let commands = count_processed_commands(&mut client) - commands_before - 1;
    let per_partition = f64::from(commands) / f64::from(PARTITION_COUNT);
    println!(
        "one check of {PARTITION_COUNT} partitions: {commands} commands, {:.1} per partition and minute",
        per_partition * CHECKS_PER_MINUTE
    );
    assert_eq!(sink.take_lost_partitions(), []);
    assert!(per_partition <= 3.0, "{commands} commands");

    let new = start_writer(&server.url(), &pipeline, settings(), StopSignal::default()).expect("a writer");
    claim(&new, &new_claim(0, 2, &[("latest", 1, 0)]));
    check(&mut sink);
    let lost = LostPartition { fence_token: OURS, reason: PartitionLossReason::Fenced(2) };
    assert_eq!(sink.take_lost_partitions(), [lost]);
}

/// A worker without new rows would otherwise stand still while other workers have filled the queue.
#[test]
fn a_check_of_idle_partitions_waits_for_no_room_in_the_queue() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let small_queue = RedisWriterSettings { queue_bytes_max: 64 * 1024, ..settings() };
    let writer = start_owning_writer(&server.url(), &pipeline, small_queue);
    claim(&writer, &new_claim(1, 1, &[("latest", 1, 0)]));
    server.signal("STOP");
    let (mut busy, mut idle) = (writer.create_worker_sink(), writer.create_worker_sink());
    let blocked_ns = busy.blocked_ns_counter();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let users: Vec<String> = (0..5_000).map(|number| format!("user-{number}")).collect();
            let mut feed = RowFeed::new(&pipeline);
            feed.write_round(&mut busy, users.iter().map(|user| (user.as_str(), only_count(1))));
            flush_and_wait(&mut busy);
        });
        eventually("the full queue", || (blocked_ns.get() > 100_000_000).then_some(()));
        let checking = scope.spawn(|| {
            idle.verify_rows_at_next_flush(OTHER);
            idle.start_flush().expect("no fault")
        });
        let began = std::time::Instant::now();
        while !checking.is_finished() && began.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let has_waited = !checking.is_finished();
        server.signal("CONT");
        checking.join().expect("no panic");
        writing.join().expect("no panic");
        assert!(!has_waited, "the check has waited for room");
    });
}

/// Returns how many commands the server has processed.
fn count_processed_commands(client: &mut redis::Connection) -> u32 {
    let info: String = redis::cmd("INFO").arg("stats").query(client).expect("INFO");
    let count = info.lines().find_map(|line| line.strip_prefix("total_commands_processed:"));
    count.and_then(|count| count.trim().parse().ok()).expect("a number")
}

#[test]
fn a_claim_between_question_and_transaction_wins() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let (network, port) = FaultyNetwork::forward_to(server.port);
    let patient = RedisWriterSettings { response_timeout: Duration::from_secs(20), ..settings() };
    let old = start_owning_writer(&format!("redis://127.0.0.1:{port}"), &pipeline, patient);
    claim(&old, &new_claim(1, 1, &[("latest", 1, 0)]));
    let (mut sink, mut feed, mut other_feed) =
        (old.create_worker_sink(), RowFeed::new(&pipeline), RowFeed::with_token(&pipeline, OTHER));
    feed.write_round(&mut sink, [("u", only_count(1))]);
    flush_and_wait(&mut sink);

    network.inject(NetworkFault::Held);
    feed.write_round(&mut sink, [("u", only_count(2)), ("only old", only_count(2))]);
    other_feed.write_round(&mut sink, [("other", only_count(3))]);
    let ticket = sink.start_flush().expect("no fault");
    eventually("the flight", || network.was_injected().then_some(()));
    // The fences have passed the check; the rows are on their way.
    let new = start_writer(&server.url(), &pipeline, settings(), StopSignal::default()).expect("a writer");
    assert_eq!(claim(&new, &new_claim(0, 2, &[("latest", 1, 0)])), granted_rows(vec![1]));
    let (mut new_sink, mut new_feed) =
        (new.create_worker_sink(), RowFeed::with_token(&pipeline, FenceToken { partition: 0, epoch: 2 }));
    new_feed.write_round(&mut new_sink, [("u", only_count(20))]);
    flush_and_wait(&mut new_sink);
    assert!(sink.newest_acknowledged_flush() < ticket && sink.take_lost_partitions().is_empty());
    network.release();

    flush_and_wait(&mut sink);
    assert_eq!(
        sink.take_lost_partitions(),
        [LostPartition { fence_token: OURS, reason: PartitionLossReason::Fenced(2) }]
    );
    let mut client = server.connect();
    assert_eq!(read_hash(&mut client, "latest:u")["count"], "20");
    assert!(read_hash(&mut client, "latest:only old").is_empty());
    assert_eq!(read_hash(&mut client, "latest:other")["count"], "3", "the flight went again without the lost rows");
    let status = old.status();
    assert!(status.reconnect_count == 0 && status.last_error.is_none(), "no outage: {status:?}");
}

#[test]
fn whoever_claimed_last_has_the_last_word() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let seed = print_random_seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let writers =
        [(); 2].map(|()| start_writer(&server.url(), &pipeline, settings(), StopSignal::default()).expect("a writer"));
    let mut sinks = [writers[0].create_worker_sink(), writers[1].create_worker_sink()];
    let users: Vec<String> = (0..100).map(|n| format!("user-{n}")).collect();
    let mut client = server.connect();
    let mut losses = 0;
    // Each owner's rounds are larger than those of all owners before it; it never learns their outcome.
    for epoch in 1..=150_u64 {
        let [first, second] = &mut sinks;
        let (owner, sink, old_sink) =
            if epoch % 2 == 0 { (&writers[0], first, second) } else { (&writers[1], second, first) };
        let count = i64::try_from(epoch).expect("small");
        let rounds = if epoch == 1 { 0 } else { random.u32(0..30) };
        let pause = Duration::from_micros(random.u64(..3_000));
        let granted = std::thread::scope(|scope| {
            let zombie = scope.spawn(|| {
                let mut feed = RowFeed::with_token(&pipeline, FenceToken { partition: 0, epoch: epoch - 1 });
                for _ in 0..rounds {
                    feed.write_round(old_sink, users.iter().map(|user| (user.as_str(), only_count(count - 1))));
                    old_sink.start_flush().expect("no fault");
                }
                flush_and_wait(old_sink);
            });
            std::thread::sleep(pause);
            let granted = claim(owner, &new_claim(0, epoch, &[("latest", epoch, 0)]));
            let mut feed = RowFeed::with_token(&pipeline, FenceToken { partition: 0, epoch });
            feed.write_round(sink, users.iter().map(|user| (user.as_str(), only_count(count))));
            flush_and_wait(sink);
            zombie.join().expect("no panic");
            granted
        });
        assert_eq!(granted, granted_rows(vec![0]), "seed {seed}");
        losses += old_sink.take_lost_partitions().len();
        for user in users.iter().step_by(33) {
            let key = format!("latest:{user}");
            assert_eq!(read_hash(&mut client, key)["count"], epoch.to_string(), "{user}; seed {seed}");
        }
    }
    assert!(losses > 20, "hardly any owner was overtaken: {losses}; seed {seed}");
}

#[test]
fn a_user_who_is_named_like_the_fence() {
    let (server, mut pipeline) = (RedisServer::start(&[]), pipeline());
    // A template without literal text, so a user chooses the whole key.
    let text = crate::feed::PIPELINE.replace("latest:{user_id}", "{user_id}");
    let other = windrow_spec::parse("test.toml", &text, &[]).expect("the test's pipeline");
    (pipeline.views, pipeline.sink) = (other.views, other.sink);
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    // The first one exists, the second one does not yet.
    let hostile = ["windrow:fence:test:test:0", "windrow:fence:test:test:1"];
    feed.write_round(&mut sink, [("u", only_count(1)), (hostile[0], only_count(1)), (hostile[1], only_count(1))]);
    flush_and_wait(&mut sink);
    let refused = sink.take_refused_rows();
    let keys: Vec<_> = refused.iter().map(|row| String::from_utf8_lossy(&row.row_key).into_owned()).collect();
    assert_eq!(keys.len(), 2, "{refused:?}");
    assert!(hostile.iter().all(|key| keys.iter().any(|refused| refused == key)), "{refused:?}");
    let mut client = server.connect();
    let (fence, ttl): (String, i64) =
        redis::pipe().cmd("GET").arg(hostile[0]).cmd("PTTL").arg(hostile[0]).query(&mut client).expect("GET");
    assert_eq!((fence.as_str(), ttl), ("1 epoch=1 latest=1:3", -1), "unharmed, and refused rows are counted");
    assert_eq!(read_hash(&mut client, "u")["count"], "1");
    let rows = read_features(&server.url(), &pipeline, hostile[0]).expect("an answer");
    assert_eq!(rows, [], "a fence is no row");
    assert_eq!(claim(&writer, &new_claim(1, 1, &[("latest", 1, 0)])), granted_rows(vec![0]), "its key is free");
    feed.write_round(&mut sink, [("u", [Value::Long(2), Value::Null, Value::Null, Value::Null])]);
    flush_and_wait(&mut sink);
    assert_eq!((read_hash(&mut client, "u")["count"].as_str(), sink.take_lost_partitions()), ("2", vec![]));
}
