//! Looks in one partition for evidence that records of one entity are in several partitions.
//!
//! There are two kinds of evidence:
//! - *Varying record keys*: the partitions of nearly all record keys follow from the whole key by a known partitioner,
//!   and some entities occur with several record keys. Each of these keys has a partition of its own. Topics whose key
//!   is, for example, the order are such topics.
//! - *Two partitioners*: many record keys are placed by the one known partitioner only, many others by the other one
//!   only, and hardly any by neither.
//!
//! A partitioner that is unknown places about as many keys by chance as each known one would, so it gives neither kind
//! of evidence. Of an entity, the detector remembers 8 bytes, and of a partition at most [`REMEMBERED_ENTITIES`]
//! entities. It looks at the first [`FULLY_OBSERVED_RECORDS`] records, and later at one in [`OBSERVED_RECORD_STRIDE`].

use std::hash::Hasher;

use siphasher::sip::SipHasher13;
use windrow_core::{Partitioner, SipHashKey};

use super::key_form::KeyForm;
use super::key_partition::compute_key_partition;
use super::placement_rules::{Misplacement, MisplacementCause, RecordPlacementRules};
use crate::Partition;

/// The number of entities that a detector remembers. A newer entity replaces an older one in the same place.
const REMEMBERED_ENTITIES: usize = 1_024;
/// The number of records of a partition that a detector observes without an exception.
const FULLY_OBSERVED_RECORDS: u32 = 1_024;
/// Of the later records, a detector observes one in this many.
const OBSERVED_RECORD_STRIDE: u32 = 7;
/// The number of record keys after which older keys count half.
const MAX_TALLIED_KEYS: u32 = 1_024;
/// The smallest number of record keys from which a detector concludes that a known partitioner places all of them.
const MIN_KEYS_OF_ONE_PARTITIONER: u32 = 64;
/// The smallest number of entities with several record keys that is evidence. One could be a collision of hashes.
const MIN_VARYING_KEYS: u32 = 3;
/// Two partitioners are evidence if chance would give it with a probability of at most 2 to the power of minus this.
const EVIDENCE_BITS: u32 = 40;
/// The smallest number of record keys of each of two partitioners that is evidence, in topics with many partitions.
const MIN_KEYS_OF_EACH_PARTITIONER: u32 = 3;
/// Two partitioners are evidence only if at most one in this many keys, compared with the rarer one, has neither.
const MAX_UNEXPLAINED_SHARE: u32 = 10;

/// Looks for evidence of misplaced records in one partition.
#[derive(Debug)]
pub(crate) struct MisplacementDetector {
    partition: Partition,
    record_count: u32,
    remembered_entities: Box<[RememberedEntity]>,
    tallies: KeyTallies,
    dominant_form: DominantForm,
    finding: Option<MisplacementFinding>,
}

/// Hashes of an entity key and of its last record key. A hash of an entity key that is 0 marks an unused place.
#[derive(Clone, Copy, Default, Debug)]
struct RememberedEntity {
    entity_hash: u32,
    record_key_hash: u32,
}

/// How many record keys were placed by which partitioner. Each key counts about once.
#[derive(Clone, Copy, Default, Debug)]
struct KeyTallies {
    by_murmur2_only: u32,
    by_crc32_only: u32,
    by_both: u32,
    by_neither: u32,
    /// Record keys of entities whose previous record key was another one.
    varying_keys: u32,
}

/// The form in which most record keys hold their entity key: the majority vote of Boyer and Moore.
#[derive(Clone, Copy, Default, Debug)]
struct DominantForm {
    form: Option<KeyForm>,
    votes: u32,
}

/// How records are misplaced, and how to find the partition in which a record belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum MisplacementFinding {
    /// The partition of a record should follow from its entity key in `form`.
    VaryingRecordKeys { partitioner: Partitioner, form: KeyForm },
    /// The partition of a record should follow from its record key by `partitioner`, which placed more keys.
    TwoPartitioners { partitioner: Partitioner },
}

impl MisplacementDetector {
    /// Creates a detector for a partition.
    pub(crate) fn new(partition: Partition) -> Self {
        Self {
            partition,
            record_count: 0,
            remembered_entities: Box::default(),
            tallies: KeyTallies::default(),
            dominant_form: DominantForm::default(),
            finding: None,
        }
    }

    /// Observes a record, and returns where it belongs if it is misplaced. Without a declared partitioner, records
    /// before the evidence are not found. The detector hashes keys with `hash_key`, so a sender cannot choose keys that
    /// collide.
    #[inline(never)] // so that profiles name it
    pub(crate) fn find_misplacement(
        &mut self,
        rules: &RecordPlacementRules,
        hash_key: &SipHashKey,
        record_key: &[u8],
        entity_key: &str,
    ) -> Option<Misplacement> {
        if let Some(partitioner) = rules.declared_partitioner {
            return rules.find_declared_misplacement(partitioner, self.partition, record_key, entity_key);
        }
        self.record_count = self.record_count.wrapping_add(1);
        if self.record_count <= FULLY_OBSERVED_RECORDS || self.record_count.is_multiple_of(OBSERVED_RECORD_STRIDE) {
            self.observe_keys(rules.partition_count, hash_key, record_key, entity_key);
        }
        let (key_partition, cause) = match self.finding? {
            MisplacementFinding::VaryingRecordKeys { partitioner, form } => {
                let placed_key = form.encode_entity_key(entity_key);
                let placed_key = placed_key.as_deref().unwrap_or(entity_key.as_bytes());
                let partition = compute_key_partition(partitioner, placed_key, rules.partition_count);
                (partition, MisplacementCause::VaryingRecordKeys)
            }
            MisplacementFinding::TwoPartitioners { partitioner } => {
                let partition = compute_key_partition(partitioner, record_key, rules.partition_count);
                (partition, MisplacementCause::TwoPartitioners)
            }
        };
        (key_partition != self.partition).then_some(Misplacement { expected_partition: key_partition, cause })
    }

    fn observe_keys(&mut self, partition_count: Partition, hash_key: &SipHashKey, record_key: &[u8], entity_key: &str) {
        if self.remembered_entities.is_empty() {
            self.remembered_entities = vec![RememberedEntity::default(); REMEMBERED_ENTITIES].into();
        }
        let entity_hash = hash_bytes(hash_key, entity_key.as_bytes());
        let is_entity_key = record_key == entity_key.as_bytes();
        let record_key_hash = if is_entity_key { entity_hash } else { hash_bytes(hash_key, record_key) };
        #[expect(clippy::cast_possible_truncation, reason = "parts of a hash")]
        let (index, observed) = (
            entity_hash as usize % REMEMBERED_ENTITIES,
            RememberedEntity {
                entity_hash: ((entity_hash >> 32) as u32).max(1),
                record_key_hash: record_key_hash as u32,
            },
        );
        let remembered = std::mem::replace(&mut self.remembered_entities[index], observed);
        self.dominant_form.vote_for(if is_entity_key {
            Some(KeyForm::TEXT)
        } else {
            KeyForm::find_form(record_key, entity_key)
        });
        let is_same_entity = remembered.entity_hash == observed.entity_hash;
        if is_same_entity && remembered.record_key_hash == observed.record_key_hash {
            return;
        }
        self.tallies.varying_keys += u32::from(is_same_entity);
        let is_placed_by =
            |partitioner| compute_key_partition(partitioner, record_key, partition_count) == self.partition;
        self.tallies.count_key(is_placed_by(Partitioner::Murmur2), is_placed_by(Partitioner::Crc32));
        let found = self.tallies.draw_conclusion(partition_count, self.dominant_form.form.unwrap_or(KeyForm::TEXT));
        if self.tallies.key_count() >= MAX_TALLIED_KEYS {
            self.tallies.halve();
            // Producers that were mended give no more evidence.
            self.finding = found;
        } else if found.is_some() {
            self.finding = found;
        }
    }
}

impl KeyTallies {
    fn count_key(&mut self, is_placed_by_murmur2: bool, is_placed_by_crc32: bool) {
        *match (is_placed_by_murmur2, is_placed_by_crc32) {
            (true, false) => &mut self.by_murmur2_only,
            (false, true) => &mut self.by_crc32_only,
            (true, true) => &mut self.by_both,
            (false, false) => &mut self.by_neither,
        } += 1;
    }

    const fn key_count(&self) -> u32 {
        self.by_murmur2_only + self.by_crc32_only + self.by_both + self.by_neither
    }

    fn halve(&mut self) {
        let Self { by_murmur2_only, by_crc32_only, by_both, by_neither, varying_keys } = self;
        for tally in [by_murmur2_only, by_crc32_only, by_both, by_neither, varying_keys] {
            *tally /= 2;
        }
    }

    fn draw_conclusion(&self, partition_count: Partition, form: KeyForm) -> Option<MisplacementFinding> {
        let (murmur2, crc32) = (self.by_murmur2_only, self.by_crc32_only);
        let partitioner = if murmur2 >= crc32 { Partitioner::Murmur2 } else { Partitioner::Crc32 };
        let (most, fewest) = (murmur2.max(crc32), murmur2.min(crc32));
        let key_count = self.key_count();
        // Nine in ten, because a few records may have been sent to a chosen partition.
        let has_one_partitioner =
            key_count >= MIN_KEYS_OF_ONE_PARTITIONER && (most + self.by_both) * 10 >= key_count * 9;
        if has_one_partitioner && self.varying_keys >= MIN_VARYING_KEYS {
            return Some(MisplacementFinding::VaryingRecordKeys { partitioner, form });
        }
        let has_two_partitioners = fewest >= min_keys_of_each_partitioner(partition_count)
            && self.by_neither * MAX_UNEXPLAINED_SHARE <= fewest;
        has_two_partitioners.then_some(MisplacementFinding::TwoPartitioners { partitioner })
    }
}

impl DominantForm {
    fn vote_for(&mut self, form: Option<KeyForm>) {
        if self.form == form {
            self.votes = self.votes.saturating_add(1);
        } else if self.votes == 0 {
            *self = Self { form, votes: 1 };
        } else {
            self.votes -= 1;
        }
    }
}

/// Returns the smallest number of keys that a partitioner hardly ever places by chance in one of `partition_count`
/// partitions.
fn min_keys_of_each_partitioner(partition_count: Partition) -> u32 {
    // The logarithm, rounded down: three partitions need as many keys as two.
    let bits_per_key = partition_count.max(2).ilog2();
    EVIDENCE_BITS.div_ceil(bits_per_key).max(MIN_KEYS_OF_EACH_PARTITIONER)
}

fn hash_bytes(hash_key: &SipHashKey, bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_key(hash_key);
    hasher.write(bytes);
    hasher.finish()
}
