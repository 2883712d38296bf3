//! Records that Kafka's retention deletes before the job reads them, and records that Kafka loses after the job has read
//! them.

use std::path::Path;
use std::time::Duration;

use windrow_connectors::kafka::KafkaSource;
use windrow_engine::{Halt, PartitionOffsets, PollOutcome, Source};
use windrow_spec::LostOffsetPolicy;
use windrow_test_support::wait_until;

use crate::folder_files::read_files;
use crate::support::expected::{closing_events, replay_expected_rows};
use crate::support::kafka::{OutgoingRecord, TestKafka, kafka_or_skip};
use crate::support::member::{await_test_topic, create_topic_guard, member_settings};
use crate::support::redis::{Redis, RowsByKey};
use crate::support::rows::assert_same_rows;
use crate::support::traffic::{generate_events, read_or_create_seed};
use crate::support::windrow::{TestJob, telling_pipeline};
use crate::topic::{read_log, user_events};

/// After a restart behind retention, records are skipped only if the pipeline file allows it.
#[test]
fn a_committed_offset_that_is_gone_halts_the_job() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    kafka.produce(&topic, &user_events(0, 10));
    let mut run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    run.run_bounded(&[]);
    kafka.produce(&topic, &user_events(0, 20));
    kafka.delete_records_before(&topic, 0, 25);
    let output = run.run_to_end(&["--bounded"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(10), "{log}");
    assert!(log.contains("no longer holds offset 10, at which reading continues"), "{log}");
    assert!(log.contains("the first offset kept is 25, so 15 records were deleted unread"), "{log}");
    assert!(log.contains("`source.kafka.on_lost_offset = \"earliest\"`"), "{log}");
    assert_eq!(kafka.committed_offsets(&run.group, &topic, 1), [10]);

    run.set_override("source.kafka.on_lost_offset=earliest");
    let log = run.run_bounded(&[]);
    assert!(log.contains("reading continues at offset 25"), "{log}");
    assert!(log.contains("all workers ended records=\"5\""), "{log}");
    assert_eq!(kafka.committed_offsets(&run.group, &topic, 1), [30]);
}

/// Reads a topic that loses records 0 to 74 of partition 0 before they are read. Returns what was read and how it ended.
/// The records are large, so that only the first ones fit into the read-ahead buffer.
fn read_while_records_are_deleted(
    kafka: &TestKafka,
    on_lost_offset: LostOffsetPolicy,
) -> (Vec<(i32, i64)>, Result<(), Halt>) {
    let topic = kafka.create_unique_topic(2, &[]);
    let large = OutgoingRecord {
        partition: Some(0),
        key: Some(b"111".to_vec()),
        payload: Some(vec![b'x'; 500_000]),
        ..OutgoingRecord::default()
    };
    kafka.produce(&topic, &vec![large; 80]);
    kafka.produce(&topic, &user_events(1, 5));
    let mut settings = member_settings(kafka, &topic);
    settings.lost_offset_policy = on_lost_offset;
    let ends = PartitionOffsets::from([(0, 80), (1, 5)]);
    let mut source = KafkaSource::new_bounded(&settings, create_topic_guard(kafka, &topic), ends).expect("a source");
    let mut read = Vec::new();
    let mut deleted = false;
    let outcome = loop {
        let polled = source.poll(Duration::from_millis(50), &mut |record| {
            read.push((record.partition, record.offset));
            if !deleted {
                std::thread::sleep(Duration::from_secs(2)); // by then the read-ahead buffer is full
                kafka.delete_records_before(&topic, 0, 75);
                deleted = true;
            }
            Ok(())
        });
        match polled {
            Ok(PollOutcome::Assigned(partitions)) => {
                let starts = source.resolve_start_offsets(&partitions, &PartitionOffsets::new()).expect("known");
                source.start_partitions(&partitions, &starts.known_offsets()).expect("begun");
            }
            Ok(PollOutcome::InputExhausted) => break Ok(()),
            Ok(PollOutcome::OffsetsLost(lost)) => break Err(lost[0].clone().into()),
            Ok(_) => {}
            Err(halt) => break Err(halt),
        }
    };
    (read, outcome)
}

#[test]
fn an_offset_that_goes_while_the_job_runs_halts_it() {
    let kafka = kafka_or_skip!();
    let (read, outcome) = read_while_records_are_deleted(&kafka, LostOffsetPolicy::Halt);
    let next = read.iter().filter(|(partition, _)| *partition == 0).count();
    assert!((1..75).contains(&next), "{read:?}");
    match outcome {
        Err(Halt::LostOffset(lost)) => {
            assert_eq!((lost.partition, lost.first_kept_offset), (0, 75), "{lost}");
            assert_eq!(usize::try_from(lost.lost_offset), Ok(next), "{lost}");
        }
        other => panic!("{other:?} after {read:?}"),
    }
}

#[test]
fn an_offset_that_goes_while_the_job_runs_is_passed_over_where_that_is_written_down() {
    let kafka = kafka_or_skip!();
    let (read, outcome) = read_while_records_are_deleted(&kafka, LostOffsetPolicy::Earliest);
    outcome.expect("it goes on");
    let offsets = |of: i32| read.iter().filter(move |(partition, _)| *partition == of).map(|(_, offset)| *offset);
    let first: Vec<i64> = offsets(0).collect();
    assert_eq!(first[first.len() - 5..], [75, 76, 77, 78, 79], "{read:?}");
    assert!(first.windows(2).all(|pair| pair[0] < pair[1]), "each once and in order: {read:?}");
    assert_eq!(offsets(1).collect::<Vec<_>>(), [0, 1, 2, 3, 4], "the other partition lost nothing: {read:?}");
}

/// Writes `topic_id` into all manifests in `state`, with a new checksum.
fn replace_topic_id(state: &Path, topic_id: &str) {
    let files = read_files(state).into_iter();
    for (manifest, bytes) in files.filter(|(path, _)| path.to_string_lossy().contains("/checkpoint/")) {
        let text = String::from_utf8(bytes).expect("a manifest");
        let (_, body) = text.split_once('\n').expect("a title line");
        let mut members: serde_json::Value = serde_json::from_str(body).expect("JSON");
        members["topic_id"] = topic_id.into();
        let body = format!("1\n{members}");
        let text = format!("windrow-checkpoint 1 {:08x}{}", crc32fast::hash(body.as_bytes()), &body[1..]);
        std::fs::write(manifest, text).expect("written");
    }
}

/// After an unclean election, a partition ends before the position of the job, and other records follow. A topic that is
/// created again with the first records, and manifests with its id, stand for the partition.
#[test]
fn records_that_kafka_lost_after_they_were_read_count_once() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(1, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let mut run = TestJob::with_pipeline(telling_pipeline(), &kafka.brokers, &redis.url(), &topic);
    run.set_override("checkpoint.keep=20");
    let seed = read_or_create_seed();
    let events = generate_events(3_300, seed);

    // The only checkpoint after offset 2,000 is the one that the second stop takes at offset 3,000.
    for (part, every) in [(&events[..2_000], "300ms"), (&events[2_000..3_000], "1h")] {
        kafka.produce(&topic, part);
        let running = run.start(&["--set", &format!("checkpoint.every={every}")], &log);
        let status = if part.len() == 2_000 { "records=\"2,000\"" } else { "records=\"1,000\"" };
        wait_until("the status line says that all events are read", || read_log(&log).contains(status));
        running.stop(&log);
    }
    assert_eq!(kafka.committed_offsets(&run.group, &topic, 1), [3_000]);
    kafka.delete_topic(&topic);
    // Kafka deletes a topic asynchronously.
    std::thread::sleep(Duration::from_millis(500));
    kafka.create_named_topic(&topic, 1, &[]);
    kafka.produce(&topic, &events[..2_000]);
    kafka.produce(&topic, &events[3_000..]);
    replace_topic_id(run.state.path(), &await_test_topic(&kafka, &topic).id.expect("an id"));

    let output = run.run_to_end(&["--set", "source.kafka.on_partition_fault=halt"]);
    let refused = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(10), "{refused}");
    assert!(refused.contains("the partition holds only those before offset 2300"), "{refused}");

    run.set_override("source.kafka.on_lost_offset=earliest");
    let running = run.start(&[], &log);
    kafka.produce(&topic, &closing_events(1));
    // All events are in the window of the tally, which closes last.
    let tallies = |rows: RowsByKey| -> RowsByKey {
        rows.into_iter().filter(|(key, _)| key.starts_with("tally:") && !key.contains(":closing")).collect()
    };
    let expected = tallies(replay_expected_rows(&kafka, &topic, 1, &telling_pipeline()).contents);
    wait_until("all tallies are there", || expected.keys().all(|key| redis.read_rows().contains_key(key)));
    running.stop(&log);
    assert_same_rows(&expected, &tallies(redis.read_rows()), &read_log(&log));
    assert!(read_log(&log).contains("going back to an older checkpoint"), "{}", read_log(&log));
}
