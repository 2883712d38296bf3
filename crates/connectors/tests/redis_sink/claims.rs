//! Claims of partitions.

use std::thread;
use std::time::{Duration, Instant};

use redis::Connection;
use windrow_connectors::redis::RedisWriterSettings;
use windrow_core::EventTime;
use windrow_engine::halt::{NoAnswerReason, OutputFault, ServiceRefusal, UnreachableService};
use windrow_engine::{
    ClaimOutcome, ClockDecision, ClockDecisions, ClockEffect, Halt, LogPosition, MissingRowsPolicy, OpeningAbandonment,
    PartitionClaim, RowFence, Sink, StopSignal, StoredRows, TriggerRecord,
};
use windrow_test_support::HANG_TIMEOUT;

use crate::feed::{
    RowFeed, claim, flush_and_wait, granted_rows, new_claim, only_count, pipeline, settings, start_owning_writer,
    start_writer, trigger_record,
};
use crate::network::{FaultyNetwork, NetworkFault};
use crate::server::{RedisServer, eventually, read_hash, run_command};

const KEY: &str = "windrow:fence:test:test:0";

fn fence(client: &mut Connection) -> String {
    redis::cmd("GET").arg(KEY).query(client).expect("a fence")
}

#[test]
fn a_larger_epoch_takes_over_and_learns_what_is_written() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let mut client = server.connect();
    let first = start_owning_writer(&server.url(), &pipeline, settings());
    assert_eq!(fence(&mut client), "1 epoch=1 latest=1:0");
    let (mut sink, mut feed) = (first.create_worker_sink(), RowFeed::new(&pipeline));
    feed.write_round(&mut sink, ["a", "b", "c"].map(|user| (user, only_count(1))));
    flush_and_wait(&mut sink);
    assert_eq!(fence(&mut client), "1 epoch=1 latest=1:3");
    let ttl: i64 = redis::cmd("PTTL").arg(KEY).query(&mut client).expect("PTTL");
    assert_eq!(ttl, -1, "a fence never expires");

    let second = start_writer(&server.url(), &pipeline, settings(), StopSignal::default()).expect("a writer");
    for epoch in [0, 1] {
        assert_eq!(claim(&second, &new_claim(0, epoch, &[("latest", 1, 3)])), ClaimOutcome::Stale(1));
    }
    assert_eq!(fence(&mut client), "1 epoch=1 latest=1:3", "a stale claim changes nothing");
    let counts = [("new", 5, 0), ("latest", 1, 2)];
    assert_eq!(claim(&second, &new_claim(0, 5, &counts)), granted_rows(vec![0, 3]), "counts go on");
    assert_eq!(fence(&mut client), "1 epoch=5 new=5:0 latest=1:3");
    assert_eq!(claim(&second, &new_claim(0, 6, &[("latest", 6, 0)])), granted_rows(vec![0]), "and begin anew");
    assert_eq!(fence(&mut client), "1 epoch=6 latest=6:0", "what is not claimed is forgotten");
    assert_eq!(claim(&second, &new_claim(1, 1, &[("latest", 1, 8)])), granted_rows(vec![8]), "each on its own");
    assert_eq!(claim(&first, &new_claim(0, 6, &[("latest", 6, 0)])), ClaimOutcome::Stale(6), "equal is not larger");
}

#[test]
fn a_claim_that_counts_rows_which_redis_lacks_is_refused() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let mut client = server.connect();
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    feed.write_round(&mut sink, ["a", "b", "c"].map(|user| (user, only_count(1))));
    flush_and_wait(&mut sink);
    assert_eq!(fence(&mut client), "1 epoch=1 latest=1:3");
    let refusing = |epoch, rows| PartitionClaim {
        missing_rows: MissingRowsPolicy::RefuseClaim,
        ..new_claim(0, epoch, &[("latest", 1, rows)])
    };

    let row_counts = new_claim(0, 1, &[("latest", 1, 3)]).row_counts;
    let stored_rows = Some(StoredRows { row_counts, read_position: None });
    assert_eq!(claim(&writer, &refusing(2, 4)), ClaimOutcome::RowsMissing { stored_rows });
    assert_eq!(fence(&mut client), "1 epoch=1 latest=1:3", "a refused claim changes nothing");
    assert_eq!(claim(&writer, &refusing(1, 4)), ClaimOutcome::Stale(1), "the epoch decides first");
    assert_eq!(claim(&writer, &refusing(2, 3)), granted_rows(vec![3]));

    run_command(&mut client, "FLUSHALL");
    assert_eq!(claim(&writer, &refusing(3, 1)), ClaimOutcome::RowsMissing { stored_rows: None });
    assert_eq!(claim(&writer, &refusing(3, 0)), granted_rows(vec![0]));
}

#[test]
fn a_fence_nobody_can_read_halts_with_the_way_out() {
    for (spoil, shown) in [
        (vec!["SET", KEY, "2 epoch=1"], "2 epoch=1"),
        (vec!["SET", KEY, "1 epoch=1 latest=1"], "1 epoch=1 latest=1"),
        (vec!["SET", KEY, ""], "\"\""),
        (vec!["HSET", KEY, "a", "b"], "WRONGTYPE"),
    ] {
        let server = RedisServer::start(&[]);
        let claimed = start_writer(&server.url(), &pipeline(), settings(), StopSignal::default()).expect("a writer");
        let writing = start_owning_writer(&server.url(), &pipeline(), settings());
        let mut client = server.connect();
        run_command(&mut client, &format!("DEL {KEY}"));
        redis::cmd(spoil[0]).arg(&spoil[1..]).exec(&mut client).expect("spoilt");

        let claim = claimed
            .create_fence_claimer()
            .claim_partition(&new_claim(0, 2, &[("latest", 1, 0)]), &OpeningAbandonment::default());
        let mut sink = writing.create_worker_sink();
        RowFeed::new(&pipeline()).write_round(&mut sink, [("u", only_count(1))]);
        // The writer may have halted before the flush.
        let row = sink.start_flush().and_then(|ticket| sink.wait_for_ticket(ticket, Duration::from_secs(20)));
        for halt in [claim.err(), row.err()] {
            let Some(Halt::Refused(ServiceRefusal::RowStoreUnsuitable { source, .. })) = halt else {
                unreachable!("{spoil:?}: {halt:?}")
            };
            let message = source.to_string();
            for part in [KEY, shown, "delete that key", "no other Windrow"] {
                assert!(message.contains(part), "{part} is missing: {message}");
            }
        }
        assert!(read_hash(&mut client, "latest:u").is_empty());
    }
}

#[test]
fn rows_without_a_claim_are_a_bug() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    for epoch in [0, 2] {
        // Epoch 0 was overtaken; epoch 2 was never granted.
        let writer = start_writer(&server.url(), &pipeline, settings(), StopSignal::default()).expect("a writer");
        run_command(&mut server.connect(), "FLUSHALL");
        claim(&writer, &new_claim(0, 1, &[("latest", 1, 0)]));
        let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
        feed.fence_token.epoch = epoch;
        feed.write_round(&mut sink, [("u", only_count(1))]);
        // The writer may have halted before the flush.
        let waited = sink.start_flush().and_then(|ticket| sink.wait_for_ticket(ticket, Duration::from_secs(20)));
        match epoch {
            0 => assert!(waited.expect("no bug") && sink.take_lost_partitions().len() == 1),
            _ => assert!(matches!(&waited, Err(Halt::Output(OutputFault::WriterBug { .. }))), "{waited:?}"),
        }
        assert!(read_hash(&mut server.connect(), "latest:u").is_empty());
    }
}

#[test]
fn a_claim_follows_the_rows_handed_over_before_it() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    for epoch in 2..200 {
        feed.write_round(&mut sink, ["a", "b"].map(|user| (user, only_count(1))));
        sink.start_flush().expect("the sink works");
        // The clock's row comes one round later: 2, 5, 8 …
        let written = 3 * (epoch - 1) - 1;
        assert_eq!(claim(&writer, &new_claim(0, epoch, &[("latest", 1, 0)])), granted_rows(vec![written]));
        feed.fence_token.epoch = epoch;
    }
    assert_eq!(sink.take_lost_partitions(), []);
}

#[test]
fn a_claim_whose_answer_is_lost_is_still_ours() {
    for trouble in [NetworkFault::Held, NetworkFault::Unanswered] {
        let (server, pipeline) = (RedisServer::start(&[]), pipeline());
        let (network, port) = FaultyNetwork::forward_to(server.port);
        let url = format!("redis://127.0.0.1:{port}");
        let writer = start_writer(&url, &pipeline, settings(), StopSignal::default()).expect("a writer");
        network.inject(trouble);
        assert_eq!(claim(&writer, &new_claim(0, 3, &[("latest", 3, 7)])), granted_rows(vec![7]), "{trouble:?}");
        assert!(network.was_injected() && writer.status().reconnect_count == 1, "{trouble:?}");
        assert_eq!(fence(&mut server.connect()), "1 epoch=3 latest=3:7");
    }
}

#[test]
fn a_claim_waits_for_redis() {
    let (mut server, pipeline) = (RedisServer::start(&[]), pipeline());
    let writer = start_writer(&server.url(), &pipeline, settings(), StopSignal::default()).expect("a writer");
    thread::scope(|scope| {
        server.signal("STOP");
        let claiming = scope.spawn(|| claim(&writer, &new_claim(0, 1, &[("latest", 1, 0)])));
        eventually("the outage", || writer.status().ongoing_outage);
        assert!(!claiming.is_finished());
        server.signal("CONT");
        assert_eq!(claiming.join().expect("granted"), granted_rows(vec![0]));

        server.kill();
        let claiming = scope.spawn(|| claim(&writer, &new_claim(0, 2, &[("latest", 1, 4)])));
        eventually("the outage", || writer.status().ongoing_outage);
        server.start_process();
        assert_eq!(claiming.join().expect("granted"), granted_rows(vec![4]), "it has forgotten everything");
    });
    assert!(writer.status().ongoing_outage.is_none());
}

fn is_stopped_claim(ended: &Result<ClaimOutcome, Halt>) -> bool {
    let Err(Halt::Unreachable(fault)) = ended else { return false };
    matches!(fault, UnreachableService::UnansweredClaim { partition: 0, end: NoAnswerReason::Stopped })
}

/// The worker may then open the partition again, or leave the group, so nothing waits for the claim any more.
#[test]
fn an_abandoned_opening_ends_its_claim() {
    let (server, pipeline, abandonment) = (RedisServer::start(&[]), pipeline(), OpeningAbandonment::default());
    let settings = RedisWriterSettings { response_timeout: HANG_TIMEOUT, ..settings() };
    let writer = start_writer(&server.url(), &pipeline, settings, StopSignal::default()).expect("a writer");
    server.signal("STOP");
    let claim = |epoch| new_claim(0, epoch, &[("latest", 1, 0)]);
    thread::scope(|scope| {
        let claiming = scope.spawn(|| writer.create_fence_claimer().claim_partition(&claim(1), &abandonment));
        thread::sleep(Duration::from_millis(300));
        assert!(!claiming.is_finished());
        let began = Instant::now();
        abandonment.abandon();
        let ended = claiming.join().expect("no panic");
        assert!(is_stopped_claim(&ended), "{ended:?}");
        assert!(began.elapsed() < HANG_TIMEOUT / 2, "only after {:?}", began.elapsed());
        // A claim that is queued behind it is abandoned before it is sent, so it is never sent.
        let queued = writer.create_fence_claimer().claim_partition(&claim(50), &abandonment);
        assert!(is_stopped_claim(&queued), "{queued:?}");
    });
    server.signal("CONT");
    let granted = writer.create_fence_claimer().claim_partition(&claim(2), &OpeningAbandonment::default());
    assert!(matches!(granted, Ok(ClaimOutcome::Granted(_))), "epoch 50 was never claimed: {granted:?}");
}

#[test]
fn a_stop_ends_a_claim() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let stop = StopSignal::default();
    let settings = RedisWriterSettings { response_timeout: HANG_TIMEOUT, ..settings() };
    let writer = start_writer(&server.url(), &pipeline, settings, stop.clone()).expect("a writer");
    server.signal("STOP");
    thread::scope(|scope| {
        let claiming = scope.spawn(|| {
            writer
                .create_fence_claimer()
                .claim_partition(&new_claim(0, 1, &[("latest", 1, 0)]), &OpeningAbandonment::default())
        });
        thread::sleep(Duration::from_millis(300));
        assert!(!claiming.is_finished());
        let began = Instant::now();
        stop.request();
        let ended = claiming.join().expect("no panic");
        assert!(is_stopped_claim(&ended), "{ended:?}");
        assert!(began.elapsed() < HANG_TIMEOUT / 2, "only after {:?}", began.elapsed());
    });
    server.signal("CONT");
    // Closing does not wait for an abandoned claim.
    assert_eq!(writer.close(Duration::from_secs(20)), windrow_connectors::redis::WriterCloseOutcome::Drained);
    let ended = writer
        .create_fence_claimer()
        .claim_partition(&new_claim(0, 2, &[("latest", 1, 0)]), &OpeningAbandonment::default());
    assert!(matches!(ended, Err(Halt::Unreachable(UnreachableService::UnansweredClaim { .. }))), "{ended:?}");
}

/// If an owner writes the rows of one view again, the rows of the others are there up to a later position.
#[test]
fn the_position_of_a_fence_does_not_go_back_with_rows_that_are_written_again() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    for offset in [130, 104] {
        let next_position = LogPosition { offset, leader_epoch: None };
        sink.set_trigger_record(Some(TriggerRecord { next_position, ..trigger_record(0, None) }));
        feed.write_round(&mut sink, [("a", only_count(1))]);
        flush_and_wait(&mut sink);
    }
    let fence = fence(&mut server.connect());
    assert!(fence.contains(" read=130 "), "{fence}");
}

/// A checkpoint may depend on decisions of the wall clock with which no row was written.
#[test]
fn decisions_of_the_clock_reach_the_fence_with_a_check_of_it() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let (mut sink, feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    let effect = ClockEffect::AdvanceWatermark(EventTime::from_ms(17));
    let decisions = vec![ClockDecision { before_offset: 9, effect }];
    sink.verify_rows_at_next_flush(feed.fence_token);
    sink.set_clock_decisions(feed.fence_token, &ClockDecisions { known_from: 0, decisions: decisions.clone() });
    flush_and_wait(&mut sink);
    let fence = fence(&mut server.connect());
    assert!(fence.contains(" clock:0,w9=17 "), "{fence}");
    // The next owner gets them with its claim.
    let granted = claim(&writer, &new_claim(0, 2, &[("latest", 1, 0)]));
    let ClaimOutcome::Granted(granted) = granted else { panic!("{granted:?}") };
    assert_eq!(granted.clock_decisions.decisions, decisions);
}
