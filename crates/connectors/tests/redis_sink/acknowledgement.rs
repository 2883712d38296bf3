//! Rows that count as acknowledged only once replicas or disks have them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use windrow_connectors::redis::{RedisSink, RedisWriter};
use windrow_engine::halt::ErrorChain;
use windrow_engine::{
    FlushTicket, Halt, MissingRowsPolicy, OpeningAbandonment, PartitionClaim, RowFence, Sink, StopSignal,
};
use windrow_spec::{Pipeline, RowAcknowledgement, SinkSpec};

use crate::feed::{
    RowFeed, claim, flush_and_wait, granted_rows, new_claim, only_count, pipeline, settings, start_owning_writer,
};
use crate::server::{RedisServer, eventually, read_hash, run_command};

/// The environment variable with the path of a `redis-server` of version 7.2 or newer.
pub(crate) const NEWER_SERVER_VARIABLE: &str = "WINDROW_TEST_REDIS_SERVER_7_2";

pub(crate) fn pipeline_with(replica_count: usize, requires_append_only_file: bool) -> Pipeline {
    let mut pipeline = pipeline();
    let SinkSpec::Redis(redis) = &mut pipeline.sink;
    redis.required_acknowledgement = RowAcknowledgement { replica_count, requires_append_only_file };
    pipeline
}

pub(crate) fn start_replica(master: &RedisServer) -> RedisServer {
    let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    await_link(&replica);
    replica
}

pub(crate) fn await_link(replica: &RedisServer) {
    let mut client = replica.connect();
    eventually("the link to the master", || {
        let info: String = redis::cmd("INFO").arg("replication").query(&mut client).expect("INFO");
        info.contains("master_link_status:up").then_some(())
    });
}

pub(crate) fn start_master() -> RedisServer {
    RedisServer::start(&["--repl-diskless-sync-delay", "0", "--repl-timeout", "3600"])
}

/// A master with a replica that must acknowledge rows, and a writer with its sink.
struct ReplicatedWriter {
    master: RedisServer,
    replica: RedisServer,
    writer: RedisWriter,
    sink: RedisSink,
    feed: RowFeed,
}

impl ReplicatedWriter {
    fn start() -> Self {
        let (master, pipeline) = (start_master(), pipeline_with(1, false));
        let replica = start_replica(&master);
        let writer = start_owning_writer(&master.url(), &pipeline, settings());
        let (sink, feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
        Self { master, replica, writer, sink, feed }
    }
}

fn write_one_row(sink: &mut RedisSink, feed: &mut RowFeed, count: i64) -> FlushTicket {
    feed.write_round(sink, [("u", only_count(count))]);
    sink.start_flush().expect("the sink works")
}

fn await_reason(writer: &RedisWriter, reason: &str) {
    eventually(reason, || writer.status().ongoing_outage.filter(|outage| outage.latest_reason.contains(reason)));
}

fn assert_unacknowledged(sink: &mut RedisSink, ticket: FlushTicket, case: &str) {
    let acknowledged = sink.wait_for_ticket(ticket, Duration::from_secs(2)).expect("no fault");
    assert!(!acknowledged, "{case}: acknowledged, although no replica has the row");
}

#[test]
fn rows_count_once_a_replica_has_them() {
    let ReplicatedWriter { master, replica, writer, mut sink, mut feed } = ReplicatedWriter::start();
    feed.write_round(&mut sink, [("u", only_count(1))]);
    flush_and_wait(&mut sink);

    replica.signal("STOP");
    let ticket = write_one_row(&mut sink, &mut feed, 2);
    await_reason(&writer, "0 of 1 replicas have them (sink.redis.wait_replicas)");
    assert_eq!(read_hash(&mut master.connect(), "latest:u")["count"], "2", "the master has the row");
    assert_unacknowledged(&mut sink, ticket, "the replica is suspended");

    // Redis answers WAIT for the writes of the same connection. So a new connection has nothing to wait for.
    let connections = writer.status().reconnect_count;
    run_command(&mut master.connect(), "CLIENT KILL TYPE normal SKIPME yes");
    eventually("a new connection", || (writer.status().reconnect_count > connections).then_some(()));
    await_reason(&writer, "0 of 1 replicas have them");
    assert_unacknowledged(&mut sink, ticket, "the connection is new");

    replica.signal("CONT");
    assert!(sink.wait_for_ticket(ticket, Duration::from_secs(60)).expect("no fault"), "the replica is back");
    eventually("the end of the outage", || writer.status().ongoing_outage.is_none().then_some(()));
    assert_eq!(read_hash(&mut replica.connect(), "latest:u")["count"], "2");
    let status = writer.status();
    assert_eq!((status.rows_refused, status.rows_of_lost_partitions), (0, 0), "{status:?}");
}

/// A new owner omits the rows that the fence counts, so these must be on the replica.
#[test]
fn a_claim_is_granted_once_a_replica_has_the_rows_that_it_counts() {
    let master = start_master();
    let replica = start_replica(&master);
    replica.signal("STOP");
    let earlier = start_owning_writer(&master.url(), &pipeline(), settings());
    let (mut sink, mut feed) = (earlier.create_worker_sink(), RowFeed::new(&pipeline()));
    feed.write_round(&mut sink, [("u", only_count(1))]);
    flush_and_wait(&mut sink);

    let next = crate::feed::start_writer(&master.url(), &pipeline_with(1, false), settings(), StopSignal::default())
        .expect("a writer");
    let claimer = next.create_fence_claimer();
    let claimed = thread::spawn(move || {
        let claim: PartitionClaim =
            PartitionClaim { missing_rows: MissingRowsPolicy::RefuseClaim, ..new_claim(0, 2, &[("latest", 1, 0)]) };
        claimer.claim_partition(&claim, &OpeningAbandonment::default()).expect("an answer")
    });
    await_reason(&next, "0 of 1 replicas have them");
    run_command(&mut master.connect(), "CLIENT KILL TYPE normal SKIPME yes");
    eventually("a new connection", || (next.status().reconnect_count > 0).then_some(()));
    thread::sleep(Duration::from_secs(2));
    assert!(!claimed.is_finished(), "granted, although no replica has the row");
    replica.signal("CONT");
    assert_eq!(claimed.join().expect("no panic"), granted_rows(vec![1]));
    assert_eq!(read_hash(&mut replica.connect(), "latest:u")["count"], "1");
}

/// Nothing of a lost partition is written, so its worker learns of the loss without a replica.
#[test]
fn a_lost_partition_is_reported_without_a_replica() {
    let ReplicatedWriter { master, replica, writer: _writer, mut sink, mut feed } = ReplicatedWriter::start();
    feed.write_round(&mut sink, [("u", only_count(1))]);
    flush_and_wait(&mut sink);
    replica.signal("STOP");
    run_command(&mut master.connect(), "FLUSHALL");
    let ticket = write_one_row(&mut sink, &mut feed, 2);
    assert!(sink.wait_for_ticket(ticket, Duration::from_secs(60)).expect("no fault"), "nothing waits for the replica");
    assert_eq!(sink.take_lost_partitions().len(), 1);
    replica.signal("CONT");
}

/// A writer that never gets its replica ends when it is closed, and keeps the rows unacknowledged.
#[test]
fn closing_does_not_wait_for_a_missing_replica() {
    let ReplicatedWriter { master: _master, replica, writer, mut sink, mut feed } = ReplicatedWriter::start();
    replica.signal("STOP");
    let ticket = write_one_row(&mut sink, &mut feed, 1);
    await_reason(&writer, "0 of 1 replicas");
    let closed = writer.close(Duration::from_millis(500));
    assert!(closed != windrow_connectors::redis::WriterCloseOutcome::Drained, "{closed:?}");
    assert!(sink.newest_acknowledged_flush() < ticket);
    replica.signal("CONT");
}

#[test]
fn a_fence_check_that_no_replica_confirms_does_not_count_as_unwritten_rows() {
    let ReplicatedWriter { master: _master, replica, writer, mut sink, mut feed } = ReplicatedWriter::start();
    let with_rows = write_one_row(&mut sink, &mut feed, 1);
    flush_and_wait(&mut sink);
    replica.signal("STOP");
    sink.verify_rows_at_next_flush(feed.fence_token);
    let check = sink.start_flush().expect("the sink works");
    assert_eq!(sink.newest_flush_with_rows(check), with_rows);
    let closed = writer.close(Duration::from_millis(500));
    assert_eq!(closed, windrow_connectors::redis::WriterCloseOutcome::Drained);
    replica.signal("CONT");
}

fn refusal_message(server: &RedisServer, pipeline: &Pipeline) -> String {
    match crate::feed::start_writer(&server.url(), pipeline, settings(), StopSignal::default()).err() {
        Some(halt @ Halt::Refused(_)) => ErrorChain(&halt).to_string(),
        other => unreachable!("not refused: {other:?}"),
    }
}

#[test]
fn what_redis_cannot_acknowledge_is_refused_at_the_start() {
    let mut server = RedisServer::start(&[]);
    let known: redis::Value =
        redis::cmd("COMMAND").arg("INFO").arg("WAITAOF").query(&mut server.connect()).expect("COMMAND INFO");
    if !matches!(&known, redis::Value::Array(commands) if commands[..] == [redis::Value::Nil]) {
        server = RedisServer::start(&["--rename-command", "WAITAOF", ""]);
    }
    let message = refusal_message(&server, &pipeline_with(0, true));
    for part in ["does not know WAITAOF", "sink.redis.wait_aof needs", "Redis 7.2 or newer"] {
        assert!(message.contains(part), "{part} is missing: {message}");
    }
    assert!(!message.contains('\n'), "{message}");
    let mut client = server.connect();
    run_command(&mut client, "ACL SETUSER me on >pw ~* +@all -wait");
    let mut pipeline = pipeline_with(1, false);
    let SinkSpec::Redis(redis) = &mut pipeline.sink;
    redis.redis_url = format!("redis://me:pw@127.0.0.1:{}", server.port);
    let refused = RedisWriter::start(&pipeline, settings(), StopSignal::default()).err().expect("no permission");
    let message = ErrorChain(&refused).to_string();
    assert!(message.contains("NOPERM") && message.contains("wait"), "{message}");
}

/// The answers to `WAITAOF`: how many disks of the server itself, and of replicas, have the rows.
#[test]
fn rows_count_once_the_answer_names_enough_disks() {
    let server = RedisServer::start(&[]);
    let gate = DiskGate::start(&server);
    let writer = crate::feed::start_writer(&gate.url(), &pipeline_with(2, true), settings(), StopSignal::default());
    let writer = writer.expect("the gate knows WAITAOF");
    let claimed = new_claim(0, 1, &[("latest", 1, 0)]);
    gate.answer_with(1, 2);
    claim(&writer, &claimed);
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline()));
    let mut count = 0;
    for (own_disks, replicas, reason) in [
        (0, 2, "they are not on the disk of Redis (sink.redis.wait_aof)"),
        (1, 1, "1 of 2 replicas have them on their disks (sink.redis.wait_replicas)"),
    ] {
        gate.answer_with(own_disks, replicas);
        count += 1;
        let ticket = write_one_row(&mut sink, &mut feed, count);
        await_reason(&writer, reason);
        assert_unacknowledged(&mut sink, ticket, reason);
        gate.answer_with(1, 2);
        assert!(sink.wait_for_ticket(ticket, Duration::from_secs(60)).expect("no fault"), "{reason}");
    }
    assert_eq!(*gate.last_question.lock(), "WAITAOF 1 2 250");
}

/// Passes everything on to a Redis, but answers `WAITAOF` itself, which only newer versions of Redis know.
struct DiskGate {
    address: String,
    answer: Arc<Mutex<(usize, usize)>>,
    last_question: Arc<Mutex<String>>,
}

impl DiskGate {
    fn start(server: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let gate = Self { address, answer: Arc::default(), last_question: Arc::default() };
        let (answer, last_question, port) = (Arc::clone(&gate.answer), Arc::clone(&gate.last_question), server.port);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (answer, last_question) = (Arc::clone(&answer), Arc::clone(&last_question));
                thread::spawn(move || pass_on(client, port, &answer, &last_question));
            }
        });
        gate
    }

    fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    fn answer_with(&self, own_disks: usize, replicas: usize) {
        *self.answer.lock() = (own_disks, replicas);
    }
}

/// Serves one client until it or the server on `port` closes the connection. The writer sends `WAITAOF` alone, after it
/// has read all replies.
fn pass_on(
    mut client: TcpStream,
    port: u16,
    answer: &Mutex<(usize, usize)>,
    last_question: &Mutex<String>,
) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    let (mut replies, mut to_client) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || io::copy(&mut replies, &mut to_client));
    let mut chunk = [0; 64 * 1024];
    loop {
        let length = client.read(&mut chunk)?;
        if length == 0 {
            return server.shutdown(Shutdown::Both);
        }
        let text = String::from_utf8_lossy(&chunk[..length]).into_owned();
        if text.starts_with("*4\r\n$7\r\nWAITAOF\r\n") {
            let words = text.lines().filter(|line| !line.starts_with(['*', '$']));
            *last_question.lock() = words.collect::<Vec<_>>().join(" ");
            thread::sleep(Duration::from_millis(20));
            let (own_disks, replicas) = *answer.lock();
            write!(client, "*2\r\n:{own_disks}\r\n:{replicas}\r\n")?;
        } else {
            server.write_all(&chunk[..length])?;
        }
    }
}

/// The same on a real Redis. Redis 7.0 does not know `WAITAOF`.
#[test]
fn rows_count_once_they_are_on_disk() {
    let Ok(program) = std::env::var(NEWER_SERVER_VARIABLE) else {
        println!("not run on a real Redis: {NEWER_SERVER_VARIABLE} names no redis-server of version 7.2 or newer");
        return;
    };
    let memory_only = RedisServer::start_program(&program, &["--appendonly", "no"]);
    let message = refusal_message(&memory_only, &pipeline_with(0, true));
    assert!(message.contains("appendonly yes") && message.contains("sink.redis.wait_aof"), "{message}");

    let arguments = ["--appendonly", "yes", "--appendfsync", "everysec", "--repl-diskless-sync-delay", "0"];
    let master = RedisServer::start_program(&program, &arguments);
    let port = master.port.to_string();
    let replica =
        RedisServer::start_program(&program, &[&arguments[..], &["--replicaof", "127.0.0.1", &port]].concat());
    await_link(&replica);
    let pipeline = pipeline_with(1, true);
    let writer = start_owning_writer(&master.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    feed.write_round(&mut sink, [("u", only_count(1))]);
    flush_and_wait(&mut sink);

    replica.signal("STOP");
    let ticket = write_one_row(&mut sink, &mut feed, 2);
    await_reason(&writer, "0 of 1 replicas have them on their disks");
    assert_unacknowledged(&mut sink, ticket, "the replica is suspended");
    replica.signal("CONT");
    assert!(sink.wait_for_ticket(ticket, Duration::from_secs(60)).expect("no fault"), "the replica is back");

    // Without fsync, rows do not reach the disk by themselves.
    run_command(&mut master.connect(), "CONFIG SET appendfsync no");
    let ticket = write_one_row(&mut sink, &mut feed, 3);
    await_reason(&writer, "they are not on the disk of Redis (sink.redis.wait_aof)");
    run_command(&mut master.connect(), "CONFIG SET appendfsync always");
    assert!(sink.wait_for_ticket(ticket, Duration::from_secs(60)).expect("no fault"), "the disk has them");
    claim(&writer, &new_claim(1, 1, &[("latest", 1, 0)]));
}
