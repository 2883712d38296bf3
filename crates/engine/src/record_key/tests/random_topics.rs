//! The detector over thousands of random partitions: correct topics give no alarm, misplaced records are found in time.
//!
//! Each test prints its seed. With other random numbers, the shares that the tests demand hold too: they are smaller than
//! the measured ones, which stand beside them.

use fastrand::Rng;
use windrow_core::Partitioner;

use super::rules;
use crate::Partition;
use crate::record_key::key_partition::compute_key_partition;
use crate::record_key::{MisplacementDetector, RecordPlacementRules};

/// How often which user occurs.
#[derive(Clone, Copy, Debug)]
enum UserPopularity {
    Equal,
    /// Half of the records are of two users.
    TwoHotUsers,
    Zipf,
}

/// A partition of a random topic, and its detector.
struct RandomPartition {
    partition: Partition,
    rules: RecordPlacementRules,
    users: Vec<String>,
    popularity: UserPopularity,
    hash_key: [u8; 16],
    detector: MisplacementDetector,
}

impl RandomPartition {
    /// Chooses a partition of a topic with `partition_count` partitions.
    fn choose(random: &mut Rng, partition_count: Partition) -> Self {
        let partition = random.i32(0..partition_count);
        Self {
            partition,
            rules: rules(partition_count),
            users: Vec::new(),
            popularity: random
                .choice([UserPopularity::Equal, UserPopularity::TwoHotUsers, UserPopularity::Zipf])
                .expect("one"),
            hash_key: std::array::from_fn(|_| random.u8(..)),
            detector: MisplacementDetector::new(partition),
        }
    }

    /// Gives the partition `count` random users for whom `is_user` returns true.
    fn add_users(&mut self, random: &mut Rng, count: usize, mut is_user: impl FnMut(&str) -> bool) {
        let mut candidates = std::iter::repeat_with(|| random.u32(..2_000_000_000).to_string());
        self.users.extend(candidates.by_ref().filter(|user| is_user(user)).take(count));
    }

    fn choose_user(&self, random: &mut Rng) -> usize {
        let count = self.users.len();
        match self.popularity {
            UserPopularity::TwoHotUsers if random.bool() => random.usize(..2.min(count)),
            UserPopularity::Equal | UserPopularity::TwoHotUsers => random.usize(..count),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to count")]
            UserPopularity::Zipf => ((count as f64 + 1.0).powf(random.f64()) as usize - 1).min(count - 1),
        }
    }

    fn is_placed_here(&self, partitioner: Partitioner, record_key: &[u8]) -> bool {
        compute_key_partition(partitioner, record_key, self.rules.partition_count) == self.partition
    }

    /// Returns whether the detector reports a record.
    fn reports(&mut self, record_key: &[u8], user: &str) -> bool {
        self.detector.find_misplacement(&self.rules, &self.hash_key, record_key, user).is_some()
    }
}

/// Orders of a topic that is keyed by order: which user an order is of, and how many events are still to come.
struct OpenOrders {
    events_per_order: usize,
    next_order: u64,
    open_orders: Vec<OpenOrder>,
}

struct OpenOrder {
    record_key: Vec<u8>,
    user: usize,
    events_left: usize,
}

impl OpenOrders {
    fn new(random: &mut Rng, max_events_per_order: usize) -> Self {
        Self {
            events_per_order: random.usize(1..=max_events_per_order),
            next_order: random.u64(..1 << 40),
            open_orders: Vec::new(),
        }
    }

    /// Returns the record key and the user of the next event in `partition`. Up to ten orders are open.
    fn next_event(
        &mut self,
        random: &mut Rng,
        partition: &RandomPartition,
        placed_by: Partitioner,
    ) -> (Vec<u8>, usize) {
        while self.open_orders.len() < 10 {
            let record_key = loop {
                self.next_order += 1;
                let key = format!("order-{}", self.next_order).into_bytes();
                if partition.is_placed_here(placed_by, &key) {
                    break key;
                }
            };
            let user = partition.choose_user(random);
            self.open_orders.push(OpenOrder { record_key, user, events_left: self.events_per_order });
        }
        let index = random.usize(..self.open_orders.len());
        let order = &mut self.open_orders[index];
        order.events_left -= 1;
        let event = (order.record_key.clone(), order.user);
        if order.events_left == 0 {
            self.open_orders.swap_remove(index);
        }
        event
    }
}

/// Starts random numbers and prints their seed, so that a failure can be repeated.
fn start_random_numbers() -> Rng {
    let seed = std::env::var("WINDROW_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    Rng::with_seed(seed)
}

fn choose_partition_count(random: &mut Rng) -> Partition {
    random.choice([2, 3, 4, 5, 6, 8, 12, 16, 50, 200]).expect("one")
}

/// Asserts that at least `demanded` of 10,000 partitions were found, and prints how many.
fn assert_found_share(what: &str, found: usize, partitions: usize, demanded: usize) {
    println!("{what}: found in {found} of {partitions} partitions");
    assert!(found * 10_000 >= partitions * demanded, "{what}: found in {found} of {partitions} partitions");
}

/// A custom partitioner gives a partition few users. Whichever keys they have, and wherever the detector remembers them,
/// chance places some by one known partitioner and some by the other.
#[test]
fn few_users_of_a_custom_partitioner_give_no_alarm() {
    let mut random = start_random_numbers();
    let mut alarms = Vec::new();
    for _ in 0..2_000 {
        let count = choose_partition_count(&mut random);
        let mut partition = RandomPartition::choose(&mut random, count);
        let user_count = random.usize(10..=60);
        partition.add_users(&mut random, user_count, |_| true);
        for record in 0..5_000 {
            let user = partition.users[partition.choose_user(&mut random)].clone();
            if partition.reports(user.as_bytes(), &user) {
                alarms.push(format!("{user_count} users, {count} partitions, {:?}: {record}", partition.popularity));
                break;
            }
        }
    }
    assert!(alarms.is_empty(), "{} of 2,000, such as {:?}", alarms.len(), alarms.first());
}

/// Whatever the form of a key and the partitioner are: if the partition is a function of the user, nothing is reported.
#[test]
fn random_topics_that_are_keyed_correctly_give_no_alarm() {
    type NamedKeyForm = (&'static str, fn(&str) -> Vec<u8>);
    let number = |user: &str| user.parse::<u32>().expect("a number");
    let forms: [NamedKeyForm; 9] = [
        ("text", |user| user.as_bytes().to_vec()),
        ("a JSON string", |user| format!("\"{user}\"").into_bytes()),
        ("a JSON object", |user| format!("{{\"id\":{user}}}").into_bytes()),
        ("a long", |user| user.parse::<i64>().expect("a number").to_be_bytes().to_vec()),
        ("an integer", |user| user.parse::<i32>().expect("a number").to_be_bytes().to_vec()),
        ("Avro", |user| {
            [&b"\0\0\0\0\x07"[..], &[u8::try_from(user.len() * 2).expect("short")], user.as_bytes()].concat()
        }),
        ("an unknown form", |user| user.bytes().rev().map(|byte| byte ^ 0x55).collect()),
        ("a household", |user| format!("household {}", user.parse::<u32>().expect("a number") / 3).into_bytes()),
        ("a part of the user", |user| user.as_bytes()[..user.len().div_ceil(2)].to_vec()),
    ];
    type NamedPlacement = (&'static str, fn(&[u8], &str, Partition) -> Partition);
    let placements: [NamedPlacement; 7] = [
        ("murmur2", |key, _, count| compute_key_partition(Partitioner::Murmur2, key, count)),
        ("crc32", |key, _, count| compute_key_partition(Partitioner::Crc32, key, count)),
        ("a custom partitioner", |key, _, count| {
            let sum = key.iter().fold(7_u32, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
            (sum % count.unsigned_abs()).cast_signed()
        }),
        ("a custom partitioner for some keys", |key, _, count| {
            if key.last().is_some_and(|&last| last % 10 < 2) {
                0
            } else {
                compute_key_partition(Partitioner::Murmur2, key, count)
            }
        }),
        ("ranges of users", |_, user, count| {
            (user.parse::<u32>().expect("a number") / 1_000 % count.unsigned_abs()).cast_signed()
        }),
        ("the user, in a topic with half the partitions", |_, user, count| {
            compute_key_partition(Partitioner::Murmur2, user.as_bytes(), count / 2)
        }),
        ("before partitions were added", |key, _, count| compute_key_partition(Partitioner::Crc32, key, count / 2)),
    ];
    let mut random = start_random_numbers();
    for (form, key_of) in forms {
        for (placement, partition_of) in placements {
            for _ in 0..30 {
                let count = choose_partition_count(&mut random);
                let mut partition = RandomPartition::choose(&mut random, count);
                if placement.contains("partitions") {
                    partition.partition %= count / 2;
                    partition.detector = MisplacementDetector::new(partition.partition);
                }
                let here = partition.partition;
                let user_count = random.usize(10..=60) * random.choice([1, 10]).expect("one");
                partition.add_users(&mut random, user_count, |user| partition_of(&key_of(user), user, count) == here);
                for record in 0..2_500 {
                    let user = partition.users[partition.choose_user(&mut random)].clone();
                    assert!(
                        !partition.reports(&key_of(&user), &user),
                        "{form}, {placement}, {user_count} users such as {}, {count} partitions, record {record}",
                        number(&user)
                    );
                }
            }
        }
    }
}

/// A key that the partitioner uses only in part: each record of a user has another key.
#[test]
fn random_topics_whose_partitioner_uses_a_part_of_the_key_give_no_alarm() {
    let mut random = start_random_numbers();
    for _ in 0..2_000 {
        let count = choose_partition_count(&mut random);
        let mut partition = RandomPartition::choose(&mut random, count);
        let user_count = random.usize(2..=500);
        partition.add_users(&mut random, user_count, |_| true);
        for record in 0..2_500 {
            let user = partition.users[partition.choose_user(&mut random)].clone();
            let key = format!("{user}/{}", random.u32(..));
            assert!(!partition.reports(key.as_bytes(), &user), "{user_count} users, {count} partitions, {record}");
        }
    }
}

/// After `--accept-partitions`: older records are where a smaller number of partitions put them.
#[test]
fn random_topics_with_added_partitions_give_no_alarm() {
    let mut random = start_random_numbers();
    for _ in 0..2_000 {
        let after = choose_partition_count(&mut random).max(3);
        let before = random.i32(1..after);
        let known_count = if random.bool() { before.max(2) } else { after };
        let mut partition = RandomPartition::choose(&mut random, known_count);
        let here = partition.partition;
        let partitioner = random.choice(Partitioner::ALL).expect("one");
        let user_count = random.usize(10..=600);
        let mut users_of = |count: Partition| {
            partition.users.clear();
            let is_here = |user: &str| compute_key_partition(partitioner, user.as_bytes(), count) == here;
            if here < count {
                partition.add_users(&mut random, user_count, is_here);
            }
            partition.users.clone()
        };
        let (users_before, users_after) = (users_of(before), users_of(after));
        let switch_at = random.usize(..2_500);
        for record in 0..2_500 {
            partition.users.clone_from(if record < switch_at { &users_before } else { &users_after });
            if partition.users.is_empty() {
                continue;
            }
            let user = partition.users[partition.choose_user(&mut random)].clone();
            assert!(!partition.reports(user.as_bytes(), &user), "{before} to {after}, {user_count} users, {record}");
        }
    }
}

/// Topics of up to 2,000 users and up to three events per order.
#[test]
fn random_topics_that_are_keyed_by_order_are_found_within_a_thousand_records() {
    let mut random = start_random_numbers();
    let (partitions, mut found) = (2_000, 0);
    for _ in 0..partitions {
        let count = choose_partition_count(&mut random);
        let mut partition = RandomPartition::choose(&mut random, count);
        let user_count = random.usize(5..=2_000);
        partition.add_users(&mut random, user_count, |_| true);
        let placed_by = random.choice(Partitioner::ALL).expect("one");
        let mut orders = OpenOrders::new(&mut random, 3);
        found += usize::from((0..1_000).any(|_| {
            let (key, user) = orders.next_event(&mut random, &partition, placed_by);
            let user = partition.users[user].clone();
            partition.reports(&key, &user)
        }));
    }
    assert_found_share("keyed by order", found, partitions, 9_950);
}

/// Of many users, few return soon. Topics of eight partitions with three events per order.
#[test]
fn topics_of_many_users_that_are_keyed_by_order_are_found_later_and_stay_found() {
    let mut random = start_random_numbers();
    for (user_count, max_records) in [(100_000, 12_000), (300_000, 30_000), (1_000_000, 60_000)] {
        let mut users: Vec<String> = (0..user_count).map(|user| user.to_string()).collect();
        let (partitions, mut found_after, mut has_pause) = (12, Vec::new(), 0);
        for _ in 0..partitions {
            let mut partition = RandomPartition::choose(&mut random, 8);
            partition.popularity = UserPopularity::Equal;
            partition.users = users;
            let mut orders = OpenOrders::new(&mut random, 1);
            orders.events_per_order = 3;
            let mut send = |records: u32| {
                (0..records).find(|_| {
                    let (key, user) = orders.next_event(&mut random, &partition, Partitioner::Murmur2);
                    let user = partition.users[user].clone();
                    partition.reports(&key, &user)
                })
            };
            if let Some(records) = send(max_records) {
                found_after.push(records);
                // If the finding ended, the pages would no longer show it.
                has_pause += usize::from((0..4).any(|_| send(10_000).is_none()));
            }
            users = partition.users;
        }
        println!("{user_count} users: found after {found_after:?} records");
        assert_found_share("keyed by order", found_after.len(), partitions, 9_000);
        assert_eq!(has_pause, 0, "{user_count} users: the finding comes and goes");
    }
}

/// Each user is sent by one of two producers or by both, and each producer places at least 200 users in the partition.
#[test]
fn random_topics_of_two_partitioners_are_found_within_a_thousand_records() {
    let mut random = start_random_numbers();
    let (partitions, mut found) = (2_000, 0);
    for _ in 0..partitions {
        let count = choose_partition_count(&mut random);
        let mut partition = RandomPartition::choose(&mut random, count);
        let user_count = random.usize(200..=2_000);
        let users = Partitioner::ALL.map(|partitioner| {
            let (here, mut users) = (partition.partition, Vec::new());
            std::mem::swap(&mut users, &mut partition.users);
            partition.add_users(&mut random, user_count, |user| {
                compute_key_partition(partitioner, user.as_bytes(), count) == here
            });
            std::mem::replace(&mut partition.users, users)
        });
        partition.popularity = UserPopularity::Equal;
        partition.users.clone_from(&users[0]);
        let share_of_second = random.u32(20..=80);
        found += usize::from((0..1_000).any(|_| {
            let producer = usize::from(random.u32(..100) < share_of_second);
            let user = users[producer][partition.choose_user(&mut random)].clone();
            partition.reports(user.as_bytes(), &user)
        }));
    }
    assert_found_share("two partitioners", found, partitions, 9_950);
}

/// A fault that begins after some ten thousand correct records is found, and its reports end after the producer was
/// mended. Each of two partitioners places at least 200 users.
#[test]
fn faults_that_begin_later_are_found_and_end_when_the_producer_is_mended() {
    let mut random = start_random_numbers();
    let (partitions, mut found, mut ended) = (400, 0, 0);
    for _ in 0..partitions {
        let count = choose_partition_count(&mut random);
        let mut partition = RandomPartition::choose(&mut random, count);
        let here = partition.partition;
        let is_keyed_by_order = random.bool();
        let user_count = random.usize(if is_keyed_by_order { 20 } else { 200 }..=1_000);
        partition.add_users(&mut random, user_count, |user| {
            compute_key_partition(Partitioner::Murmur2, user.as_bytes(), count) == here
        });
        for _ in 0..random.usize(1_000..20_000) {
            let user = partition.users[partition.choose_user(&mut random)].clone();
            assert!(!partition.reports(user.as_bytes(), &user), "correct so far");
        }
        // The second producer uses another key, or another partitioner.
        let mut orders = OpenOrders::new(&mut random, 3);
        let mut others = RandomPartition::choose(&mut random, count);
        others.add_users(&mut random, user_count.max(200), |user| {
            is_keyed_by_order || compute_key_partition(Partitioner::Crc32, user.as_bytes(), count) == here
        });
        others.partition = here;
        let mut records_after_finding = None;
        for _ in 0..30_000 {
            let (key, user) = if random.bool() {
                let user = partition.users[partition.choose_user(&mut random)].clone();
                (user.clone().into_bytes(), user)
            } else if is_keyed_by_order {
                let (key, user) = orders.next_event(&mut random, &others, Partitioner::Murmur2);
                (key, others.users[user].clone())
            } else {
                let user = others.users[others.choose_user(&mut random)].clone();
                (user.clone().into_bytes(), user)
            };
            let is_reported = partition.reports(&key, &user);
            if is_reported || records_after_finding.is_some() {
                let records = records_after_finding.get_or_insert(0);
                *records += 1;
                if *records == 3_000 {
                    break;
                }
            }
        }
        if records_after_finding.is_none() {
            let (first, second) = (partition.popularity, others.popularity);
            println!(
                "not found: by order {is_keyed_by_order}, {user_count} users, {count} partitions, {first:?}, {second:?}"
            );
        }
        found += usize::from(records_after_finding.is_some());
        // The second producer was right, and the first one uses its key and its partitioner now.
        let mut reports_of_last_records = 0;
        for record in 0..8_000 {
            let (key, user) = if is_keyed_by_order {
                let user = partition.users[partition.choose_user(&mut random)].clone();
                (user.clone().into_bytes(), user)
            } else {
                let user = others.users[others.choose_user(&mut random)].clone();
                (user.clone().into_bytes(), user)
            };
            let is_reported = partition.reports(&key, &user);
            reports_of_last_records += usize::from(is_reported && record >= 2 * 2_048);
        }
        ended += usize::from(reports_of_last_records == 0);
    }
    assert_found_share("found later", found, partitions, 9_800);
    assert_found_share("ended", ended, partitions, 10_000);
}
