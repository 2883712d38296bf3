//! A member of the group that takes its time: what it is told is answered seconds later, once state was restored or a
//! last checkpoint was taken. Meanwhile its other partitions go on, and the group keeps it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use windrow_connectors::kafka::KafkaSource;
use windrow_engine::{Partition, Polled, Positions, Source};
use windrow_spec::{GroupProtocol, KafkaSource as Settings};

use crate::support::eventually;
use crate::support::kafka::{Kafka, kafka_or_skip};
use crate::support::member::{guard, settings};
use crate::topic::events;

/// The shortest that Kafka allows unless told otherwise; the test broker's own for `consumer`.
const SESSION_TIMEOUT_MS: i64 = 6_000;
/// How long an answer is withheld: longer than the group waits for a sign of life.
const THINKING: Duration = Duration::from_secs(9);

const PARTITIONS: i32 = 4;

fn protocols() -> [GroupProtocol; 2] {
    [GroupProtocol::Classic { session_timeout_ms: SESSION_TIMEOUT_MS }, GroupProtocol::Consumer]
}

/// One member, driven by hand.
struct Hand {
    source: KafkaSource,
    positions: Positions,
    /// Records seen since the last look.
    seen: BTreeMap<Partition, usize>,
}

impl Hand {
    fn join(kafka: &Kafka, settings: &Settings) -> Self {
        let guard = guard(kafka, &settings.topic);
        let source = KafkaSource::join(settings, guard, None, None).expect("a member");
        Self { source, positions: Positions::new(), seen: BTreeMap::new() }
    }

    fn poll(&mut self) -> Polled {
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

    /// Answers at once.
    fn answer(&mut self, polled: &Polled) {
        match polled {
            Polled::Assigned(partitions) => {
                self.source.begin(partitions, &self.positions).expect("begun");
            }
            Polled::Revoked { partitions, .. } => self.source.release(partitions).expect("released"),
            _ => {}
        }
    }

    /// Polls and answers until it is told something that `wanted` accepts, which is left without an answer.
    fn until(&mut self, what: &str, mut wanted: impl FnMut(&Polled) -> bool) -> Polled {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let polled = self.poll();
            if wanted(&polled) {
                return polled;
            }
            self.answer(&polled);
            assert!(Instant::now() < until, "not told within 30 s: {what}");
        }
    }

    /// Polls for `time` without answering anything, while records keep coming: those that were seen in its second half.
    fn think(&mut self, time: Duration, kafka: &Kafka, topic: &str) -> BTreeMap<Partition, usize> {
        let (half, end) = (Instant::now() + time / 2, Instant::now() + time);
        let mut fed = Instant::now();
        let mut cleared = false;
        while Instant::now() < end {
            if !cleared && Instant::now() >= half {
                self.seen.clear();
                cleared = true;
            }
            if fed.elapsed() > Duration::from_millis(300) {
                fed = Instant::now();
                (0..PARTITIONS).for_each(|partition| kafka.produce(topic, &events(partition, 3)));
            }
            let polled = self.poll();
            assert!(matches!(polled, Polled::Records | Polled::Idle), "told {polled:?} before it had answered");
        }
        std::mem::take(&mut self.seen)
    }
}

fn start(kafka: &Kafka, group_protocol: GroupProtocol) -> (Settings, Hand) {
    let topic = kafka.create_topic(PARTITIONS, &[]);
    let mut settings = settings(kafka, &topic);
    settings.group_protocol = group_protocol;
    let hand = Hand::join(kafka, &settings);
    (settings, hand)
}

/// The rest of the group: joins, answers at once, and leaves with its thread.
fn visitor(kafka: &Kafka, settings: &Settings, stay: Duration) -> std::thread::JoinHandle<Vec<Polled>> {
    let mut hand = Hand::join(kafka, settings);
    std::thread::spawn(move || {
        let until = Instant::now() + stay;
        let mut told = Vec::new();
        while Instant::now() < until {
            let polled = hand.poll_anywhere();
            hand.answer(&polled);
            if matches!(polled, Polled::Assigned(_) | Polled::Revoked { .. }) {
                told.push(polled);
            }
        }
        told
    })
}

impl Hand {
    /// As `poll`, wherever partitions begin.
    fn poll_anywhere(&mut self) -> Polled {
        self.source.poll(Duration::from_millis(20), &mut |_| Ok(())).expect("no halt")
    }
}

/// Told to give partitions up, and then to take them back, it thinks for longer than the session timeout each time.
#[test]
fn other_partitions_go_on_while_an_announcement_waits_for_its_answer() {
    let kafka = kafka_or_skip!();
    for protocol in protocols() {
        let (settings, mut hand) = start(&kafka, protocol);
        let topic = settings.topic.clone();
        let mut owned = 0;
        let assigned = hand.until("all partitions are its own", |polled| {
            owned += if let Polled::Assigned(partitions) = polled { partitions.len() } else { 0 };
            owned == PARTITIONS as usize
        });
        hand.answer(&assigned);

        let visitor = visitor(&kafka, &settings, THINKING * 2 + Duration::from_secs(8));
        let revoked = hand.until(
            "to give some up",
            |polled| matches!(polled, Polled::Revoked { partitions, .. } if !partitions.is_empty()),
        );
        let Polled::Revoked { partitions: given_up, lost } = &revoked else { panic!("{revoked:?}") };
        assert!(!lost);
        println!("{protocol:?}: thinking about {revoked:?}");
        let seen = hand.think(THINKING, &kafka, &topic);
        println!("{protocol:?}: seen meanwhile: {seen:?}");
        for partition in 0..PARTITIONS {
            assert!(seen.contains_key(&partition), "{protocol:?}: partition {partition} stood still: {seen:?}");
        }
        // What it commits now counts: the group still has it.
        hand.source.commit(&hand.positions, true).expect("committed");
        let committed = kafka.committed(&settings.group, &topic, PARTITIONS);
        for partition in given_up {
            let index = usize::try_from(*partition).expect("small");
            assert_eq!(committed[index], hand.positions[partition], "{protocol:?}");
        }
        hand.answer(&revoked);

        // The visitor leaves, and they come back.
        let back = hand.until(
            "to take them back",
            |polled| matches!(polled, Polled::Assigned(partitions) if !partitions.is_empty()),
        );
        let Polled::Assigned(taken_back) = &back else { panic!("{back:?}") };
        println!("{protocol:?}: thinking about {back:?}");
        let seen = hand.think(THINKING, &kafka, &topic);
        println!("{protocol:?}: seen meanwhile: {seen:?}");
        for partition in 0..PARTITIONS {
            let expected = !taken_back.contains(&partition);
            assert_eq!(seen.contains_key(&partition), expected, "{protocol:?}: partition {partition}: {seen:?}");
        }
        hand.answer(&back);
        eventually(30, "records of what came back", || {
            let polled = hand.poll();
            hand.answer(&polled);
            taken_back.iter().all(|partition| hand.seen.contains_key(partition))
        });
        drop(visitor.join().expect("the visitor ends"));
    }
}
