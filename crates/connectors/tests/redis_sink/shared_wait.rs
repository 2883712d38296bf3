//! Several transactions and claims share one wait for replicas or disks.

use std::thread;
use std::time::Duration;

use redis::Connection;
use windrow_connectors::redis::{RedisSink, RedisWriter, RedisWriterSettings};
use windrow_engine::{
    ClaimOutcome, FenceToken, FlushTicket, LostPartition, OpeningAbandonment, PartitionLossReason, RowFence, Sink,
    StopSignal,
};
use windrow_spec::Pipeline;
use windrow_test_support::HANG_TIMEOUT;

use crate::acknowledgement::{NEWER_SERVER_VARIABLE, await_link, pipeline_with, start_master, start_replica};
use crate::feed::{
    RowFeed, claim, flush_and_wait, granted_rows, new_claim, only_count, settings, start_owning_writer, start_writer,
};
use crate::server::{RedisServer, eventually, read_hash, run_command};

const OURS: FenceToken = FenceToken { partition: 0, epoch: 1 };
const OTHER: FenceToken = FenceToken { partition: 1, epoch: 1 };

/// The replies to `WAIT` arrive late enough that the writer executes the test's other transactions meanwhile.
fn settings_with_long_timeout() -> RedisWriterSettings {
    RedisWriterSettings { response_timeout: Duration::from_secs(20), ..settings() }
}

/// One wait is long enough for a replica on a busy machine.
fn settings_with_long_waits() -> RedisWriterSettings {
    RedisWriterSettings { min_acknowledgement_wait: Duration::from_secs(5), ..settings_with_long_timeout() }
}

/// Returns how often `server` has executed a command since the last reset of its statistics.
fn executed_count(client: &mut Connection, command: &str) -> u64 {
    let info: String = redis::cmd("INFO").arg("commandstats").query(client).expect("INFO");
    let calls = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    calls.and_then(|calls| calls.split(',').next()?.parse().ok()).unwrap_or(0)
}

/// Hands over one batch with the row of user `u`.
fn write_row(sink: &mut RedisSink, feed: &mut RowFeed, count: i64) -> FlushTicket {
    feed.write_round(sink, [("u", only_count(count))]);
    sink.start_flush().expect("the sink works")
}

fn await_row(master: &RedisServer, count: &str) {
    let mut client = master.connect();
    eventually("the row in the master", || {
        (read_hash(&mut client, "latest:u").get("count").map(String::as_str) == Some(count)).then_some(())
    });
}

/// Hands over batches of 512 rows while Redis is suspended, and returns the ticket of the last one.
fn write_full_batches(sink: &mut RedisSink, feed: &mut RowFeed, batch_count: usize) -> FlushTicket {
    let users: Vec<String> = (0..512).map(|number| format!("user-{number}")).collect();
    for _ in 0..batch_count {
        feed.write_round(sink, users.iter().map(|user| (user.as_str(), only_count(1))));
    }
    sink.start_flush().expect("the sink works")
}

#[test]
fn queued_transactions_share_one_wait_for_replicas() {
    let (master, pipeline) = (start_master(), pipeline_with(1, false));
    let replica = start_replica(&master);
    let writer = start_owning_writer(&master.url(), &pipeline, settings_with_long_waits());
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    flush_and_wait(&mut sink);
    run_command(&mut master.connect(), "CONFIG RESETSTAT");

    master.signal("STOP");
    let ticket = write_full_batches(&mut sink, &mut feed, 20);
    master.signal("CONT");
    assert!(sink.wait_for_ticket(ticket, Duration::from_secs(60)).expect("no fault"), "the replica has the rows");
    let mut client = master.connect();
    let (transactions, waits) = (executed_count(&mut client, "exec"), executed_count(&mut client, "wait"));
    assert!(transactions >= 20 && waits <= 8, "{transactions} transactions, {waits} waits");
    assert_eq!(read_hash(&mut replica.connect(), "latest:user-7")["count"], "1");
}

/// With `appendfsync everysec`, a wait takes up to a second.
#[test]
fn queued_transactions_share_one_wait_for_disks() {
    let Ok(program) = std::env::var(NEWER_SERVER_VARIABLE) else {
        println!("not run: {NEWER_SERVER_VARIABLE} names no redis-server of version 7.2 or newer");
        return;
    };
    let master = RedisServer::start_program(&program, &["--appendonly", "yes", "--appendfsync", "everysec"]);
    let pipeline = pipeline_with(0, true);
    let writer = start_owning_writer(&master.url(), &pipeline, settings_with_long_timeout());
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    run_command(&mut master.connect(), "CONFIG RESETSTAT");
    let began = std::time::Instant::now();
    let ticket = write_full_batches(&mut sink, &mut feed, 60);
    assert!(sink.wait_for_ticket(ticket, Duration::from_secs(120)).expect("no fault"), "the disk has the rows");
    let mut client = master.connect();
    // Each satisfied wait ends at an fsync, and there is one of them a second.
    let (transactions, elapsed) = (executed_count(&mut client, "exec"), began.elapsed().as_secs());
    println!("{transactions} transactions, {} waits, {elapsed} s", executed_count(&mut client, "waitaof"));
    assert!(transactions >= 60 && elapsed < transactions / 4, "{transactions} transactions in {elapsed} s");
}

/// Claims of many partitions at once, as at the start of a worker.
#[test]
fn queued_claims_share_one_wait() {
    let (master, pipeline) = (start_master(), pipeline_with(1, false));
    let _replica = start_replica(&master);
    let writer = start_owning_writer(&master.url(), &pipeline, settings_with_long_waits());
    run_command(&mut master.connect(), "CONFIG RESETSTAT");
    master.signal("STOP");
    let claims: Vec<_> = (1..=16)
        .map(|partition| {
            let claimer = writer.create_fence_claimer();
            thread::spawn(move || {
                claimer.claim_partition(&new_claim(partition, 1, &[("latest", 1, 0)]), &OpeningAbandonment::default())
            })
        })
        .collect();
    // The claims enter the queue meanwhile.
    thread::sleep(Duration::from_secs(1));
    master.signal("CONT");
    for claimed in claims {
        assert_eq!(claimed.join().expect("no panic").expect("an answer"), granted_rows(vec![0]));
    }
    let waits = executed_count(&mut master.connect(), "wait");
    assert!(waits <= 8, "{waits} waits for 16 claims");
}

/// The worker learns of the lost partition at once: its other rows may wait for a long time.
#[test]
fn a_lost_partition_is_reported_before_the_wait_for_the_others() {
    let (master, pipeline) = (start_master(), pipeline_with(1, false));
    let replica = start_replica(&master);
    let writer = start_owning_writer(&master.url(), &pipeline, settings());
    claim(&writer, &new_claim(1, 1, &[("latest", 1, 0)]));
    let mut sink = writer.create_worker_sink();
    let (mut feed, mut other) = (RowFeed::new(&pipeline), RowFeed::with_token(&pipeline, OTHER));
    feed.write_round(&mut sink, [("u", only_count(1))]);
    other.write_round(&mut sink, [("other", only_count(1))]);
    flush_and_wait(&mut sink);

    replica.signal("STOP");
    run_command(&mut master.connect(), "DEL windrow:fence:test:test:0");
    feed.write_round(&mut sink, [("u", only_count(2))]);
    other.write_round(&mut sink, [("other", only_count(2))]);
    let ticket = sink.start_flush().expect("the sink works");
    let lost = eventually("the report of the lost partition", || {
        let lost = sink.take_lost_partitions();
        (!lost.is_empty()).then_some(lost)
    });
    assert_eq!(lost, [LostPartition { fence_token: OURS, reason: PartitionLossReason::StoreRewound }]);
    assert!(sink.newest_acknowledged_flush() < ticket, "acknowledged, although no replica has the rows");
    replica.signal("CONT");
    assert!(sink.wait_for_ticket(ticket, Duration::from_secs(60)).expect("no fault"), "the replica is back");
    assert_eq!(read_hash(&mut replica.connect(), "latest:other")["count"], "2");
    assert!(sink.take_lost_partitions().is_empty(), "reported twice");
}

/// Writes three transactions that no replica confirms, one after the other.
fn write_unacknowledged(master: &RedisServer, sink: &mut RedisSink, feed: &mut RowFeed) -> [FlushTicket; 3] {
    [2, 3, 4].map(|count| {
        let ticket = write_row(sink, feed, count);
        await_row(master, &count.to_string());
        assert!(sink.newest_acknowledged_flush() < ticket, "acknowledged, although no replica has the row");
        ticket
    })
}

fn start_with_one_acknowledged_row(master: &RedisServer, pipeline: &Pipeline) -> (RedisWriter, RedisSink, RowFeed) {
    // With this timeout, the writer takes further rows for the first 20 s of a missing acknowledgement.
    let writer = start_owning_writer(&master.url(), pipeline, settings_with_long_timeout());
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(pipeline));
    write_row(&mut sink, &mut feed, 1);
    flush_and_wait(&mut sink);
    (writer, sink, feed)
}

/// The new connection does not write the rows again, because an older one would replace a newer one for a moment. It
/// writes the fences again, so that replicas confirm them over this connection.
#[test]
fn a_new_connection_proves_earlier_rows_by_their_fences() {
    let (master, pipeline) = (start_master(), pipeline_with(1, false));
    let replica = start_replica(&master);
    let (writer, mut sink, mut feed) = start_with_one_acknowledged_row(&master, &pipeline);
    replica.signal("STOP");
    let tickets = write_unacknowledged(&master, &mut sink, &mut feed);

    let mut client = master.connect();
    run_command(&mut client, "CONFIG RESETSTAT");
    let connections = writer.status().reconnect_count;
    run_command(&mut client, "CLIENT KILL TYPE normal SKIPME yes");
    eventually("a new connection", || (writer.status().reconnect_count > connections).then_some(()));
    eventually("the fence, written again", || (executed_count(&mut client, "set") > 0).then_some(()));
    let acknowledged = sink.wait_for_ticket(tickets[0], Duration::from_secs(2)).expect("no fault");
    assert!(!acknowledged, "acknowledged, although no replica has the row");
    assert_eq!(executed_count(&mut client, "hset"), 0, "a row was written again");

    replica.signal("CONT");
    assert!(sink.wait_for_ticket(tickets[2], Duration::from_secs(60)).expect("no fault"), "the replica is back");
    assert_eq!(read_hash(&mut replica.connect(), "latest:u")["count"], "4");
    assert!(sink.take_lost_partitions().is_empty());
    let status = writer.status();
    assert_eq!((status.rows_written, status.rows_of_lost_partitions), (7, 0), "{status:?}");
    write_row(&mut sink, &mut feed, 5);
    flush_and_wait(&mut sink);
}

/// The new master lacks three transactions that no replica had confirmed, and a claim.
#[test]
fn a_failover_amid_the_wait_acknowledges_no_row_without_its_loss() {
    let pipeline = pipeline_with(1, false);
    let mut master = start_master();
    let mut promoted = RedisServer::start(&["--repl-diskless-sync-delay", "0"]);
    run_command(&mut promoted.connect(), &format!("REPLICAOF 127.0.0.1 {}", master.port));
    await_link(&promoted);
    let (writer, mut sink, mut feed) = start_with_one_acknowledged_row(&master, &pipeline);
    claim(&writer, &new_claim(1, 1, &[("latest", 1, 0)]));
    let mut other = RowFeed::with_token(&pipeline, OTHER);
    other.write_round(&mut sink, [("other", only_count(1))]);
    flush_and_wait(&mut sink);

    // The replica keeps what it has now, and becomes the master later.
    run_command(&mut promoted.connect(), "REPLICAOF NO ONE");
    run_command(&mut promoted.connect(), "SAVE");
    let tickets = write_unacknowledged(&master, &mut sink, &mut feed);
    let claimer = writer.create_fence_claimer();
    let claimed = thread::spawn(move || {
        claimer.claim_partition(&new_claim(2, 1, &[("latest", 1, 0)]), &OpeningAbandonment::default())
    });
    let mut client = master.connect();
    eventually("the claim in the master", || {
        let fence: Option<String> = redis::cmd("GET").arg("windrow:fence:test:test:2").query(&mut client).expect("GET");
        fence
    });
    assert!(!claimed.is_finished(), "granted, although no replica has the fence");

    master.kill();
    promoted.kill();
    promoted.port = master.port;
    promoted.start_process();
    let second_replica = start_replica(&promoted);
    assert!(sink.wait_for_ticket(tickets[0], Duration::from_secs(60)).expect("no fault"), "there is a replica again");
    let expected = [LostPartition { fence_token: OURS, reason: PartitionLossReason::StoreRewound }];
    assert_eq!(sink.take_lost_partitions(), expected, "acknowledged without the report of the loss");
    assert!(sink.wait_for_ticket(tickets[2], Duration::from_secs(60)).expect("no fault"));
    assert_eq!(claimed.join().expect("no panic").expect("an answer"), granted_rows(vec![0]));
    let mut replicated = second_replica.connect();
    assert_eq!(read_hash(&mut replicated, "latest:u")["count"], "1");
    let fence: Option<String> = redis::cmd("GET").arg("windrow:fence:test:test:2").query(&mut replicated).expect("GET");
    assert_eq!(fence.as_deref(), Some("1 epoch=1 latest=1:0"), "the replica has the granted claim");

    // The partition without unacknowledged rows continues, and the lost one after a new claim.
    other.write_round(&mut sink, [("other", only_count(2))]);
    flush_and_wait(&mut sink);
    assert!(sink.take_lost_partitions().is_empty());
    assert_eq!(read_hash(&mut replicated, "latest:other")["count"], "2");
    assert!(matches!(claim(&writer, &new_claim(0, 2, &[("latest", 1, 1)])), ClaimOutcome::Granted(_)));
    let status = writer.status();
    assert_eq!(status.rows_of_lost_partitions, 6, "{status:?}");
}

/// The connection breaks within the third transaction, whose outcome stays unknown.
#[test]
fn rows_before_a_transaction_of_unknown_outcome_are_acknowledged_in_order() {
    let (master, pipeline) = (start_master(), pipeline_with(1, false));
    let replica = start_replica(&master);
    let (network, port) = crate::network::FaultyNetwork::forward_to(master.port);
    let settings = RedisWriterSettings { response_timeout: Duration::from_secs(4), ..settings() };
    let writer = start_owning_writer(&format!("redis://127.0.0.1:{port}"), &pipeline, settings);
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    write_row(&mut sink, &mut feed, 1);
    flush_and_wait(&mut sink);
    replica.signal("STOP");
    let first = write_row(&mut sink, &mut feed, 2);
    await_row(&master, "2");
    network.inject(crate::network::NetworkFault::Unanswered);
    let second = write_row(&mut sink, &mut feed, 3);
    await_row(&master, "3");
    eventually("a new connection", || (writer.status().reconnect_count > 0).then_some(()));
    assert!(!sink.wait_for_ticket(first, Duration::from_secs(2)).expect("no fault"), "no replica has the row");
    replica.signal("CONT");
    assert!(sink.wait_for_ticket(second, Duration::from_secs(60)).expect("no fault"), "the replica is back");
    assert!(sink.take_lost_partitions().is_empty());
    assert_eq!(read_hash(&mut replica.connect(), "latest:u")["count"], "3");
    await_link(&replica);
}

/// The partition may belong to another worker by then.
#[test]
fn an_abandoned_claim_is_not_repeated_over_a_new_connection() {
    const FENCE: &str = "windrow:fence:test:test:2";
    let (master, pipeline) = (start_master(), pipeline_with(1, false));
    let replica = start_replica(&master);
    let (writer, mut sink, mut feed) = start_with_one_acknowledged_row(&master, &pipeline);
    replica.signal("STOP");
    let (claimer, abandonment) = (writer.create_fence_claimer(), OpeningAbandonment::default());
    let claimed = {
        let abandonment = abandonment.clone();
        thread::spawn(move || claimer.claim_partition(&new_claim(2, 1, &[("latest", 1, 0)]), &abandonment))
    };
    let mut client = master.connect();
    let mut read_fence = || -> Option<String> { redis::cmd("GET").arg(FENCE).query(&mut client).expect("GET") };
    eventually("the claim in the master", &mut read_fence);
    abandonment.abandon();
    claimed.join().expect("no panic").expect_err("no replica has the claim");

    run_command(&mut master.connect(), &format!("DEL {FENCE}"));
    let connections = writer.status().reconnect_count;
    run_command(&mut master.connect(), "CLIENT KILL TYPE normal SKIPME yes");
    eventually("a new connection", || (writer.status().reconnect_count > connections).then_some(()));
    replica.signal("CONT");
    write_row(&mut sink, &mut feed, 2);
    flush_and_wait(&mut sink);
    let fence: Option<String> = redis::cmd("GET").arg(FENCE).query(&mut master.connect()).expect("GET");
    assert_eq!(fence, None, "claimed again");
}

/// A worker that stops gives up its rows if Redis does not answer. A wait for replicas or disks is no silence.
#[test]
fn a_stop_waits_for_room_while_redis_waits_for_a_replica() {
    let wait = Duration::from_secs(30);
    let settings = RedisWriterSettings {
        no_answer_timeout_at_stop: Duration::from_millis(200),
        min_acknowledgement_wait: wait,
        max_acknowledgement_wait: wait,
        response_timeout: 4 * wait,
        queue_bytes_max: 256 * 1024,
        ..settings()
    };
    let (master, pipeline) = (start_master(), pipeline_with(1, false));
    let replica = start_replica(&master);
    let stop = StopSignal::default();
    let writer = start_writer(&master.url(), &pipeline, settings, stop.clone()).expect("a writer");
    claim(&writer, &new_claim(0, 1, &[("latest", 1, 0)]));
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    let blocked_ns = sink.blocked_ns_counter();
    replica.signal("STOP");
    thread::scope(|scope| {
        scope.spawn(|| {
            await_blocked_wait(&master);
            stop.request();
            let blocked_ns_at_stop = blocked_ns.get();
            eventually("ten times the limit without an answer", || {
                (blocked_ns.get() - blocked_ns_at_stop > 2_000_000_000).then_some(())
            });
            replica.signal("CONT");
        });
        let ticket = write_full_batches(&mut sink, &mut feed, 20);
        assert!(!sink.has_dropped_rows(), "rows are dropped, although Redis has answered in time");
        assert!(sink.wait_for_ticket(ticket, Duration::from_secs(60)).expect("no fault"), "the replica has the rows");
    });
}

/// Only a wait that Redis executes is no silence. An attempt to connect is no wait.
#[test]
fn a_stop_frees_a_worker_if_redis_dies_amid_the_wait_for_a_replica() {
    let wait = Duration::from_secs(5);
    let settings = RedisWriterSettings {
        no_answer_timeout_at_stop: Duration::from_millis(200),
        min_acknowledgement_wait: wait,
        max_acknowledgement_wait: wait,
        response_timeout: 4 * wait,
        queue_bytes_max: 256 * 1024,
        ..settings()
    };
    let (mut master, pipeline) = (start_master(), pipeline_with(1, false));
    let replica = start_replica(&master);
    let stop = StopSignal::default();
    let writer = start_writer(&master.url(), &pipeline, settings, stop.clone()).expect("a writer");
    claim(&writer, &new_claim(0, 1, &[("latest", 1, 0)]));
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    replica.signal("STOP");
    thread::scope(|scope| {
        let worker = scope.spawn(|| write_full_batches(&mut sink, &mut feed, 20));
        await_blocked_wait(&master);
        master.kill();
        stop.request();
        let began = std::time::Instant::now();
        while !worker.is_finished() && began.elapsed() < HANG_TIMEOUT {
            thread::sleep(Duration::from_millis(10));
        }
        let is_free = worker.is_finished();
        println!("waited {:?}", began.elapsed());
        writer.close(Duration::ZERO);
        worker.join().expect("no panic");
        assert!(is_free, "the worker waits although Redis is gone");
    });
    assert!(sink.has_dropped_rows());
    replica.signal("CONT");
}

/// Waits until the master executes the `WAIT` of the writer.
fn await_blocked_wait(master: &RedisServer) {
    let mut client = master.connect();
    eventually("the wait for the replica", || {
        let info: String = redis::cmd("INFO").arg("clients").query(&mut client).expect("INFO");
        info.lines().any(|line| line == "blocked_clients:1").then_some(())
    });
}

/// The rows of windows that the end of bounded input closes do not change the fence. The new master lacks them, and has
/// the same fence.
#[test]
fn a_failover_amid_the_wait_loses_no_row_of_the_end_of_the_input() {
    let pipeline = pipeline_with(1, false);
    let mut master = start_master();
    let mut promoted = RedisServer::start(&["--repl-diskless-sync-delay", "0"]);
    run_command(&mut promoted.connect(), &format!("REPLICAOF 127.0.0.1 {}", master.port));
    await_link(&promoted);
    let (_writer, mut sink, mut feed) = start_with_one_acknowledged_row(&master, &pipeline);
    run_command(&mut promoted.connect(), "REPLICAOF NO ONE");
    run_command(&mut promoted.connect(), "SAVE");
    feed.finish_input(&mut sink);
    let ticket = sink.start_flush().expect("the sink works");
    let mut client = master.connect();
    eventually("the last row in the master", || (!read_hash(&mut client, "latest:clock").is_empty()).then_some(()));
    assert!(sink.newest_acknowledged_flush() < ticket, "acknowledged, although no replica has the row");

    master.kill();
    promoted.kill();
    promoted.port = master.port;
    promoted.start_process();
    let second_replica = start_replica(&promoted);
    assert!(sink.wait_for_ticket(ticket, Duration::from_secs(60)).expect("no fault"), "there is a replica again");
    assert!(sink.take_lost_partitions().is_empty());
    assert!(!read_hash(&mut second_replica.connect(), "latest:clock").is_empty(), "the last row is lost");
}
