//! A member of the group that answers an announcement seconds later, as after a restore or a last checkpoint. Meanwhile its
//! other partitions continue, and the group keeps the member.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use windrow_connectors::kafka::KafkaSource;
use windrow_engine::{CommitWait, Partition, PartitionOffsets, PollOutcome, Source};
use windrow_spec::{GroupProtocol, KafkaSourceSpec as Settings};
use windrow_test_support::{HANG_TIMEOUT, wait_until};

use crate::support::kafka::{TestKafka, kafka_or_skip};
use crate::support::member::{create_topic_guard, member_settings};
use crate::topic::user_events;

/// The shortest timeout that Kafka allows by default. The test broker uses it for `consumer` too.
const SESSION_TIMEOUT_MS: i64 = 6_000;
/// How long an answer is delayed: longer than the session timeout.
const ANSWER_DELAY: Duration = Duration::from_secs(9);

const PARTITIONS: i32 = 4;

fn protocols() -> [GroupProtocol; 2] {
    [GroupProtocol::Classic { session_timeout_ms: SESSION_TIMEOUT_MS }, GroupProtocol::Consumer]
}

/// A member of the group that the test polls and answers.
struct ManualMember {
    source: KafkaSource,
    positions: PartitionOffsets,
    /// Number of records by partition since the last reset.
    seen: BTreeMap<Partition, usize>,
}

impl ManualMember {
    fn join(kafka: &TestKafka, settings: &Settings) -> Self {
        let guard = create_topic_guard(kafka, &settings.topic);
        let source = KafkaSource::begin_group_join(settings, guard, None, None).expect("a member");
        Self { source, positions: PartitionOffsets::new(), seen: BTreeMap::new() }
    }

    fn poll(&mut self) -> PollOutcome {
        let Self { source, positions, seen } = self;
        let polled = source.poll(Duration::from_millis(20), &mut |record| {
            let next = positions.entry(record.partition).or_insert(0);
            assert_eq!(record.offset, *next, "partition {}", record.partition);
            *next = record.offset + 1;
            *seen.entry(record.partition).or_default() += 1;
            Ok(())
        });
        polled.expect("no halt")
    }

    /// Answers an announcement at once.
    fn answer_announcement(&mut self, polled: &PollOutcome) {
        match polled {
            PollOutcome::Assigned(partitions) => {
                self.source.start_partitions(partitions, &self.positions).expect("begun");
            }
            PollOutcome::Revoked(partitions) | PollOutcome::Lost(partitions) => {
                self.source.release_partitions(partitions).expect("released");
            }
            _ => {}
        }
    }

    /// Polls and answers until `wanted` accepts an outcome, which it returns without an answer.
    fn poll_until(&mut self, what: &str, mut wanted: impl FnMut(&PollOutcome) -> bool) -> PollOutcome {
        let until = Instant::now() + HANG_TIMEOUT;
        loop {
            let polled = self.poll();
            if wanted(&polled) {
                return polled;
            }
            self.answer_announcement(&polled);
            assert!(Instant::now() < until, "not told within {HANG_TIMEOUT:?}: {what}");
        }
    }

    /// Polls for `time` without an answer while records arrive. Returns the records of the second half, by partition.
    fn withhold_answer(&mut self, time: Duration, kafka: &TestKafka, topic: &str) -> BTreeMap<Partition, usize> {
        let (half, end) = (Instant::now() + time / 2, Instant::now() + time);
        // On a busy machine, the records of a partition may come later.
        let latest_end = end + Duration::from_secs(8);
        let mut fed = Instant::now();
        let mut cleared = false;
        while Instant::now() < end || (self.seen.len() < PARTITIONS as usize && Instant::now() < latest_end) {
            if !cleared && Instant::now() >= half {
                self.seen.clear();
                cleared = true;
            }
            if fed.elapsed() > Duration::from_millis(300) {
                fed = Instant::now();
                (0..PARTITIONS).for_each(|partition| kafka.produce(topic, &user_events(partition, 3)));
            }
            let polled = self.poll();
            assert!(
                matches!(polled, PollOutcome::Records | PollOutcome::Idle),
                "told {polled:?} before it had answered"
            );
        }
        std::mem::take(&mut self.seen)
    }
}

fn start_member(kafka: &TestKafka, group_protocol: GroupProtocol) -> (Settings, ManualMember) {
    let topic = kafka.create_unique_topic(PARTITIONS, &[]);
    let mut settings = member_settings(kafka, &topic);
    settings.group_protocol = group_protocol;
    let hand = ManualMember::join(kafka, &settings);
    (settings, hand)
}

/// Starts another member that answers at once and leaves when its thread ends.
fn spawn_other_member(
    kafka: &TestKafka,
    settings: &Settings,
    stay: Duration,
) -> std::thread::JoinHandle<Vec<PollOutcome>> {
    let mut hand = ManualMember::join(kafka, settings);
    std::thread::spawn(move || {
        let until = Instant::now() + stay;
        let mut told = Vec::new();
        while Instant::now() < until {
            let polled = hand.poll_ignoring_offsets();
            hand.answer_announcement(&polled);
            if matches!(polled, PollOutcome::Assigned(_) | PollOutcome::Revoked(_) | PollOutcome::Lost(_)) {
                told.push(polled);
            }
        }
        told
    })
}

impl ManualMember {
    /// Polls like `poll`, but accepts any offsets.
    fn poll_ignoring_offsets(&mut self) -> PollOutcome {
        self.source.poll(Duration::from_millis(20), &mut |_| Ok(())).expect("no halt")
    }
}

/// The member delays its answers to a revocation and an assignment, each longer than the session timeout.
#[test]
fn other_partitions_go_on_while_an_announcement_waits_for_its_answer() {
    let kafka = kafka_or_skip!();
    for protocol in protocols() {
        let (settings, mut hand) = start_member(&kafka, protocol);
        let topic = settings.topic.clone();
        let mut owned = 0;
        let assigned = hand.poll_until("all partitions are its own", |polled| {
            owned += if let PollOutcome::Assigned(partitions) = polled { partitions.len() } else { 0 };
            owned == PARTITIONS as usize
        });
        hand.answer_announcement(&assigned);

        let visitor = spawn_other_member(&kafka, &settings, ANSWER_DELAY * 2 + Duration::from_secs(8));
        let revoked = hand.poll_until(
            "to give some up",
            |polled| matches!(polled, PollOutcome::Revoked(partitions) if !partitions.is_empty()),
        );
        let PollOutcome::Revoked(given_up) = &revoked else { panic!("{revoked:?}") };
        println!("{protocol:?}: thinking about {revoked:?}");
        let seen = hand.withhold_answer(ANSWER_DELAY, &kafka, &topic);
        println!("{protocol:?}: seen meanwhile: {seen:?}");
        for partition in 0..PARTITIONS {
            assert!(seen.contains_key(&partition), "{protocol:?}: partition {partition} stood still: {seen:?}");
        }
        // Its commit succeeds, since it is still in the group.
        hand.source.commit_offsets(&hand.positions, CommitWait::AwaitAnswer).expect("committed");
        let committed = kafka.committed_offsets(&settings.consumer_group, &topic, PARTITIONS);
        for partition in given_up {
            let index = usize::try_from(*partition).expect("small");
            assert_eq!(committed[index], hand.positions[partition], "{protocol:?}");
        }
        hand.answer_announcement(&revoked);

        // The other member leaves, and its partitions come back.
        let back = hand.poll_until(
            "to take them back",
            |polled| matches!(polled, PollOutcome::Assigned(partitions) if !partitions.is_empty()),
        );
        let PollOutcome::Assigned(taken_back) = &back else { panic!("{back:?}") };
        println!("{protocol:?}: thinking about {back:?}");
        let seen = hand.withhold_answer(ANSWER_DELAY, &kafka, &topic);
        println!("{protocol:?}: seen meanwhile: {seen:?}");
        for partition in 0..PARTITIONS {
            let expected = !taken_back.contains(&partition);
            assert_eq!(seen.contains_key(&partition), expected, "{protocol:?}: partition {partition}: {seen:?}");
        }
        hand.answer_announcement(&back);
        wait_until("records of what came back", || {
            let polled = hand.poll();
            hand.answer_announcement(&polled);
            taken_back.iter().all(|partition| hand.seen.contains_key(partition))
        });
        drop(visitor.join().expect("the visitor ends"));
    }
}

/// Two members leave at the same time, and the second has not finished joining. Neither stays behind in the group, where
/// the next members would wait for it until the session timeout. The rounds meet different states of the second member.
#[test]
fn a_member_that_is_still_joining_leaves_the_group() {
    let kafka = kafka_or_skip!();
    let session_timeout_ms = SESSION_TIMEOUT_MS;
    for round in 0..24 {
        let (settings, mut first) = start_member(&kafka, GroupProtocol::Classic { session_timeout_ms });
        let assigned = first.poll_until("its partitions", |polled| matches!(polled, PollOutcome::Assigned(_)));
        first.answer_announcement(&assigned);
        let second = ManualMember::join(&kafka, &settings);
        wait_until("the second member joins", || kafka.group_member_count(&settings.consumer_group) == 2);
        std::thread::scope(|scope| {
            scope.spawn(move || drop(first));
            std::thread::sleep(Duration::from_micros(250 * (round % 8)));
            drop(second);
        });
        assert_eq!(kafka.group_member_count(&settings.consumer_group), 0, "round {round}");
    }
}

/// A worker may wait for Redis, or fire many windows, and not poll its source for minutes. The group must not wait for it.
#[test]
fn a_member_that_never_answers_delays_the_group_for_seconds_only() {
    let kafka = kafka_or_skip!();
    for protocol in protocols() {
        let (settings, mut blocked) = start_member(&kafka, protocol);
        let mut owned = 0;
        let assigned = blocked.poll_until("all partitions are its own", |polled| {
            owned += if let PollOutcome::Assigned(partitions) = polled { partitions.len() } else { 0 };
            owned == PARTITIONS as usize
        });
        blocked.answer_announcement(&assigned);

        let joined_at = Instant::now();
        let mut other = ManualMember::join(&kafka, &settings);
        let share = other.poll_until(
            "a share of the partitions",
            |polled| matches!(polled, PollOutcome::Assigned(partitions) if !partitions.is_empty()),
        );
        println!("{protocol:?}: {share:?} after {:.1} s without an answer", joined_at.elapsed().as_secs_f64());
        let lost = blocked.poll_until("what it has lost", |polled| matches!(polled, PollOutcome::Lost(_)));
        let (PollOutcome::Assigned(share), PollOutcome::Lost(lost)) = (share, lost) else { panic!("other outcomes") };
        assert!(share.iter().all(|partition| lost.contains(partition)), "{share:?} of {lost:?}");
    }
}
