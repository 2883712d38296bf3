mod random_topics;

use std::collections::BTreeMap;

use windrow_core::{MisplacedRecordPolicy, Partitioner};

use super::key_form::KeyForm;
use super::key_partition::compute_key_partition;
use super::placement_rules::MisplacementCause;
use super::{Misplacement, MisplacementDetector, RecordPlacementRules};
use crate::Partition;

const HASH_KEY: [u8; 16] = [7; 16];

/// What a producer sends: an entity key, its record key, and the partition that the producer chooses.
struct SentRecord {
    entity_key: String,
    record_key: Vec<u8>,
    partition: Partition,
}

/// A sequence of pseudo-random numbers (xorshift).
struct RandomNumbers(u64);

impl RandomNumbers {
    fn next_below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// The misplaced records that the detectors of all partitions found.
#[derive(Default, Debug)]
struct DetectorFindings {
    records_by_partition: BTreeMap<Partition, usize>,
    /// For each partition, the number of its records before the first finding.
    records_before_finding: BTreeMap<Partition, usize>,
    misplacements: Vec<(Partition, Misplacement, String)>,
}

fn rules(partition_count: Partition) -> RecordPlacementRules {
    RecordPlacementRules { partition_count, ..RecordPlacementRules::SINGLE_PARTITION }
}

fn find_misplaced(rules: &RecordPlacementRules, sent: impl IntoIterator<Item = SentRecord>) -> DetectorFindings {
    let mut detectors: BTreeMap<Partition, MisplacementDetector> = BTreeMap::new();
    let mut findings = DetectorFindings::default();
    for SentRecord { entity_key, record_key, partition } in sent {
        let detector = detectors.entry(partition).or_insert_with(|| MisplacementDetector::new(partition));
        let count = findings.records_by_partition.entry(partition).or_default();
        if let Some(misplacement) = detector.find_misplacement(rules, &HASH_KEY, &record_key, &entity_key) {
            findings.records_before_finding.entry(partition).or_insert(*count);
            findings.misplacements.push((partition, misplacement, entity_key));
        }
        *count += 1;
    }
    findings
}

/// Returns `count` records of users whose record keys and partitions `place` chooses. A fifth of the records is of ten
/// users.
fn send(count: u64, users: u64, mut place: impl FnMut(u64, &str) -> (Vec<u8>, Partition)) -> Vec<SentRecord> {
    let mut numbers = RandomNumbers(0x9e37_79b9_7f4a_7c15);
    let mut sent = Vec::new();
    for record in 0..count {
        let bound = if numbers.next_below(5) == 0 { 10.min(users) } else { users };
        let entity_key = (1_000 + numbers.next_below(bound)).to_string();
        let (record_key, partition) = place(record, &entity_key);
        sent.push(SentRecord { entity_key, record_key, partition });
    }
    sent
}

#[test]
fn partitions_are_those_of_kafkas_clients() {
    // The values of Kafka's own test of `Utils.murmur2`, without their sign bit.
    for (key, hash) in [
        ("21", -973_932_308_i32),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ] {
        let partition = compute_key_partition(Partitioner::Murmur2, key.as_bytes(), Partition::MAX);
        assert_eq!(partition, (hash & 0x7fff_ffff) % Partition::MAX, "{key}");
    }
    // The check value of CRC-32.
    let partition = compute_key_partition(Partitioner::Crc32, b"123456789", 1_000_000);
    assert_eq!(partition, i32::try_from(0xcbf4_3926_u32 % 1_000_000).expect("below a million"));
}

#[test]
fn known_forms_of_an_entity_key_are_found_and_encoded() {
    for (record_key, entity_key) in [
        (&b"u1"[..], "u1"),
        (b"\"u1\"", "u1"),
        (b"\0\0\0\x2a", "42"),
        (b"\0\0\0\0\0\0\0\x2a", "42"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff", "-1"),
        (b"\x04u1", "u1"),
        (b"\x54", "42"),
        (b"\xd4\x01", "106"),
        (b"\0\0\0\0\x09\x04u1", "u1"),
        (b"\0\0\0\0\x09\"u1\"", "u1"),
    ] {
        let form = KeyForm::find_form(record_key, entity_key);
        let form = form.unwrap_or_else(|| panic!("{record_key:?} holds {entity_key}"));
        let mut encoded = Vec::new();
        assert!(form.encode_entity_key(entity_key, &mut encoded), "{form:?}");
        assert_eq!(encoded, record_key, "{form:?}");
    }
    assert!(KeyForm::find_form(br#""\u00e9""#, "é").is_some(), "an escape of JSON");
    for (record_key, entity_key) in [(&b"u2"[..], "u1"), (b"order-u1", "u1"), (b"", "u1"), (b"\0\0\0\x2a", "042")] {
        assert_eq!(KeyForm::find_form(record_key, entity_key), None, "{record_key:?} of {entity_key}");
    }
}

/// In a topic of several partitions that is keyed by order, a user's events reach several partitions.
#[test]
fn record_keys_that_are_not_the_entity_key_are_found_within_a_thousand_records() {
    for partitioner in Partitioner::ALL {
        for partition_count in [2_i32, 3, 8, 50] {
            let by_order = |record: u64, _: &str| {
                let key = format!("order-{record}").into_bytes();
                let partition = compute_key_partition(partitioner, &key, partition_count);
                (key, partition)
            };
            let records = u64::from(partition_count.unsigned_abs()) * 1_000;
            let found = find_misplaced(&rules(partition_count), send(records, 2_000, by_order));
            let case = format!("{partitioner:?}, {partition_count} partitions");
            assert_eq!(
                found.records_before_finding.len(),
                partition_count.unsigned_abs() as usize,
                "all partitions: {case}"
            );
            let latest = found.records_before_finding.values().max().expect("found");
            assert!(*latest < 1_000, "{latest} records before the first finding: {case}");
            for (partition, misplacement, entity_key) in &found.misplacements {
                let expected = compute_key_partition(partitioner, entity_key.as_bytes(), partition_count);
                assert_eq!(misplacement.expected_partition, expected, "{case}");
                assert_ne!(misplacement.expected_partition, *partition, "{case}");
                assert_eq!(misplacement.cause, MisplacementCause::VaryingRecordKeys, "{case}");
            }
        }
    }
}

/// Two producers send the same users, one with the partitioner of Java, one with that of librdkafka.
#[test]
fn two_partitioners_are_found_within_a_thousand_records() {
    for partition_count in [2_i32, 3, 8, 50] {
        for (share_of_crc32, majority) in [(50, None), (15, Some(Partitioner::Murmur2)), (85, Some(Partitioner::Crc32))]
        {
            let mut numbers = RandomNumbers(partition_count.unsigned_abs().into());
            let by_both = |_: u64, user: &str| {
                let partitioner =
                    if numbers.next_below(100) < share_of_crc32 { Partitioner::Crc32 } else { Partitioner::Murmur2 };
                (user.as_bytes().to_vec(), compute_key_partition(partitioner, user.as_bytes(), partition_count))
            };
            let records = u64::from(partition_count.unsigned_abs()) * 1_000;
            let found = find_misplaced(&rules(partition_count), send(records, 2_000 * records, by_both));
            let case = format!("{share_of_crc32} % by CRC-32 in {partition_count} partitions");
            assert_eq!(
                found.records_before_finding.len(),
                partition_count.unsigned_abs() as usize,
                "all partitions: {case}"
            );
            let latest = found.records_before_finding.values().max().expect("found");
            assert!(*latest < 1_000, "{latest} records before the first finding: {case}");
            for (_, misplacement, entity_key) in &found.misplacements {
                assert_eq!(misplacement.cause, MisplacementCause::TwoPartitioners, "{case}");
                if let Some(majority) = majority {
                    let expected = compute_key_partition(majority, entity_key.as_bytes(), partition_count);
                    assert_eq!(misplacement.expected_partition, expected, "{case}");
                }
            }
        }
    }
}

/// One producer sends users as text, the other as JSON strings. The keys of a user differ, and so do their partitions.
#[test]
fn two_forms_of_the_entity_key_are_found() {
    let mut numbers = RandomNumbers(11);
    let two_forms = |_: u64, user: &str| {
        let key = if numbers.next_below(3) == 0 { format!("\"{user}\"") } else { user.to_owned() }.into_bytes();
        let partition = compute_key_partition(Partitioner::Murmur2, &key, 4);
        (key, partition)
    };
    let found = find_misplaced(&rules(4), send(4_000, 400, two_forms));
    assert_eq!(found.records_before_finding.len(), 4);
    for (_, misplacement, entity_key) in &found.misplacements {
        let expected = compute_key_partition(Partitioner::Murmur2, entity_key.as_bytes(), 4);
        assert_eq!(misplacement.expected_partition, expected, "the form of most records counts");
    }
}

#[test]
fn a_fault_that_begins_late_is_found_and_its_end_too() {
    let place = |record: u64, user: &str| {
        let is_faulty = (200_000..260_000).contains(&record);
        let key = if is_faulty { format!("order-{record}") } else { user.to_owned() }.into_bytes();
        let partition = compute_key_partition(Partitioner::Murmur2, &key, 4);
        (key, partition)
    };
    let detector = &mut MisplacementDetector::new(2);
    let mut found = Vec::new();
    for (record, sent) in send(600_000, 5_000, place).into_iter().enumerate().filter(|(_, sent)| sent.partition == 2) {
        if detector.find_misplacement(&rules(4), &HASH_KEY, &sent.record_key, &sent.entity_key).is_some() {
            found.push(record);
        }
    }
    let (first, last) = (found.first().expect("found"), found.last().expect("found"));
    assert!((200_000..210_000).contains(first), "{first}");
    assert!(*last < 260_000, "{last}");
    assert!(found.len() > 60_000 / 4 / 2, "{}", found.len());
}

/// Whatever the form of a key and the partitioner are: as long as the partition is a function of the user, nothing is
/// reported.
#[test]
fn topics_that_are_keyed_correctly_give_no_alarm() {
    type NamedKeyForm = (&'static str, fn(&str) -> Vec<u8>);
    type NamedPlacement = (&'static str, fn(&[u8], &str, Partition) -> Partition);
    let forms: [NamedKeyForm; 8] = [
        ("text", |user| user.as_bytes().to_vec()),
        ("a JSON string", |user| format!("\"{user}\"").into_bytes()),
        ("a JSON object", |user| format!("{{\"id\":{user}}}").into_bytes()),
        ("a long", |user| user.parse::<i64>().expect("a number").to_be_bytes().to_vec()),
        ("an integer", |user| user.parse::<i32>().expect("a number").to_be_bytes().to_vec()),
        ("Avro", |user| [&b"\0\0\0\0\x07\x08"[..], user.as_bytes()].concat()),
        ("an unknown form", |user| user.bytes().rev().map(|byte| byte ^ 0x55).collect()),
        ("a group of users", |user| format!("household {}", user.parse::<u32>().expect("a number") / 3).into_bytes()),
    ];
    let placements: [NamedPlacement; 6] = [
        ("murmur2", |key, _, count| compute_key_partition(Partitioner::Murmur2, key, count)),
        ("crc32", |key, _, count| compute_key_partition(Partitioner::Crc32, key, count)),
        ("a custom partitioner", |key, _, count| {
            let sum = key.iter().fold(7_u32, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
            i32::try_from(sum % count.unsigned_abs()).expect("small")
        }),
        ("a custom partitioner for some keys", |key, _, count| {
            if key.last().is_some_and(|&last| last % 10 < 2) {
                0
            } else {
                compute_key_partition(Partitioner::Murmur2, key, count)
            }
        }),
        ("ranges of users", |_, user, count| {
            i32::try_from(number_of(user) % u64::from(count.unsigned_abs())).expect("small")
        }),
        ("before partitions were added", |key, _, count| compute_key_partition(Partitioner::Murmur2, key, count / 2)),
    ];
    for (form, key_of) in forms {
        for (placement, partition_of) in placements {
            for partition_count in [2, 3, 6, 50] {
                let place = |_: u64, user: &str| {
                    let key = key_of(user);
                    let partition = partition_of(&key, user, partition_count);
                    (key, partition)
                };
                let found = find_misplaced(&rules(partition_count), send(20_000, 4_000, place));
                let first = found.misplacements.first();
                assert!(first.is_none(), "{form}, {placement}, {partition_count} partitions: {first:?}");
            }
        }
    }
}

fn number_of(user: &str) -> u64 {
    user.parse().expect("a number")
}

/// A record key may hold more than the user, if the partitioner looks only at the user.
#[test]
fn a_partitioner_that_uses_a_part_of_the_key_gives_no_alarm() {
    for partition_count in [2, 8] {
        let place = |record: u64, user: &str| {
            let partition = compute_key_partition(Partitioner::Murmur2, user.as_bytes(), partition_count);
            (format!("{user}/{record}").into_bytes(), partition)
        };
        let found = find_misplaced(&rules(partition_count), send(200_000, 5_000, place));
        assert!(found.misplacements.is_empty(), "{:?}", found.misplacements.first());
    }
}

/// Partitions are added while the job runs: old records are placed by the old number, new ones by the new number.
#[test]
fn added_partitions_give_no_alarm() {
    for known_partition_count in [4, 6, 8] {
        for (before, after) in [(4, 6), (4, 8), (6, 8)] {
            let place = |record: u64, user: &str| {
                let count = if record < 50_000 { before } else { after };
                (user.as_bytes().to_vec(), compute_key_partition(Partitioner::Murmur2, user.as_bytes(), count))
            };
            let found = find_misplaced(&rules(known_partition_count), send(100_000, 20_000, place));
            assert!(found.misplacements.is_empty(), "{before} to {after}: {:?}", found.misplacements.first());
        }
    }
}

/// `bench/record_keys.sh` counts the instructions of this test.
#[test]
fn a_hundred_thousand_records_of_a_topic_that_is_keyed_by_user() {
    let is_home = |user: &String| compute_key_partition(Partitioner::Murmur2, user.as_bytes(), 8) == 3;
    let users: Vec<String> = (0..200_000).map(|user| user.to_string()).filter(is_home).collect();
    let (mut detector, mut numbers) = (MisplacementDetector::new(3), RandomNumbers(7));
    for _ in 0..100_000 {
        let user = &users[usize::try_from(numbers.next_below(users.len() as u64)).expect("an index")];
        assert_eq!(detector.find_misplacement(&rules(8), &HASH_KEY, user.as_bytes(), user), None);
    }
}

fn declared(partitioner: Partitioner) -> RecordPlacementRules {
    RecordPlacementRules {
        partition_count: 8,
        declared_partitioner: Some(partitioner),
        misplaced_policy: MisplacedRecordPolicy::DeadLetter,
    }
}

/// The record key decides, whatever its form is: a key in an unknown form may hold the user too.
#[test]
fn a_declared_partitioner_needs_no_evidence() {
    for (partition, key) in (0..8).flat_map(|partition| {
        [&b"u1"[..], b"\"u1\"", b"household 1", b"{\"user_id\":\"u1\"}"].map(|key| (partition, key))
    }) {
        let mut detector = MisplacementDetector::new(partition);
        let found = detector.find_misplacement(&declared(Partitioner::Murmur2), &HASH_KEY, key, "u1");
        let expected_partition = compute_key_partition(Partitioner::Murmur2, key, 8);
        let misplacement = Misplacement { expected_partition, cause: MisplacementCause::OtherThanDeclared };
        assert_eq!(found, (expected_partition != partition).then_some(misplacement), "{key:?} in {partition}");
    }
}

/// The declared partitioner places every record, and the records of a user are still in several partitions.
#[test]
fn two_forms_of_the_entity_key_and_other_keys_are_found_with_a_declared_partitioner() {
    let two_forms =
        |record: u64, user: &str| if record.is_multiple_of(3) { format!("\"{user}\"") } else { user.to_owned() };
    let orders = |record: u64, _: &str| format!("order-{record}");
    let keys: [fn(u64, &str) -> String; 2] = [two_forms, orders];
    for key_of in keys {
        let place = |record: u64, user: &str| {
            let key = key_of(record, user).into_bytes();
            let partition = compute_key_partition(Partitioner::Crc32, &key, 8);
            (key, partition)
        };
        let found = find_misplaced(&declared(Partitioner::Crc32), send(16_000, 1_500, place));
        assert_eq!(found.records_before_finding.len(), 8);
        assert!(found.records_before_finding.values().all(|records| *records < 1_500), "{found:?}");
        for (_, misplacement, entity_key) in &found.misplacements {
            assert_eq!(misplacement.cause, MisplacementCause::VaryingRecordKeys);
            let expected = compute_key_partition(Partitioner::Crc32, entity_key.as_bytes(), 8);
            assert_eq!(misplacement.expected_partition, expected);
        }
    }
}

/// A topic may be keyed by a function of the user, as the household. A few users who move are no evidence.
#[test]
fn a_few_users_with_another_key_are_no_evidence() {
    let place = |record: u64, user: &str| {
        let number: u64 = number_of(user);
        let household = if number.is_multiple_of(100) && record > 60_000 { number + 1_000_000 } else { number / 3 };
        let key = format!("household {household}").into_bytes();
        let partition = compute_key_partition(Partitioner::Murmur2, &key, 2);
        (key, partition)
    };
    let found = find_misplaced(&rules(2), send(120_000, 2_000, place));
    assert!(found.misplacements.is_empty(), "{:?}", found.misplacements.first());
}

/// If no key holds the user in a known form, the others may be keyed by a function of the user.
#[test]
fn only_keys_that_changed_are_reported_if_the_form_is_unknown() {
    let place = |record: u64, user: &str| {
        let number: u64 = number_of(user);
        // One household in ten is replaced by the order.
        let key =
            if number.is_multiple_of(10) { format!("order {record}") } else { format!("household {}", number / 3) };
        let partition = compute_key_partition(Partitioner::Murmur2, key.as_bytes(), 4);
        (key.into_bytes(), partition)
    };
    let found = find_misplaced(&rules(4), send(40_000, 400, place));
    assert_eq!(found.records_before_finding.len(), 4, "it is evidence");
    for (_, _, user) in &found.misplacements {
        assert_eq!(number_of(user) % 10, 0, "{user} has the same key always");
    }
}

#[test]
fn what_becomes_a_dead_letter_is_described() {
    assert_eq!(RecordPlacementRules::SINGLE_PARTITION.describe_refused_records(), "");
    assert_eq!(rules(3).describe_refused_records(), ", no records without a key");
    let declared = RecordPlacementRules {
        declared_partitioner: Some(Partitioner::Crc32),
        misplaced_policy: MisplacedRecordPolicy::DeadLetter,
        ..rules(3)
    };
    assert_eq!(declared.describe_refused_records(), ", no records without a key, placed by crc32 in 3 partitions");
}
