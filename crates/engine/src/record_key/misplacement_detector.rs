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
//! of evidence. That holds only for different keys. So the detector works in windows of [`RECORDS_PER_WINDOW`] observed
//! records, and in each window it counts each key at most once. Of many entities, few occur again in a window. So the
//! detector counts entities over as many windows as it needs for [`MIN_RECURRENCES`], each entity at most once. Evidence
//! that this time lacks ends a finding.
//!
//! Of an entity, the detector remembers 12 bytes, and of a partition at most [`REMEMBERED_ENTITIES`] entities. It looks at
//! the first [`FULLY_OBSERVED_RECORDS`] records, and later at one in [`OBSERVED_RECORD_STRIDE`]. While there is a finding,
//! it looks at all records.

use std::hash::Hasher;

use fixedbitset::FixedBitSet;
use siphasher::sip::SipHasher13;
use windrow_core::{Partitioner, SipHashKey};

use super::key_form::KeyForm;
use super::key_partition::compute_key_partition;
use super::placement_rules::{Misplacement, MisplacementCause, RecordPlacementRules};
use crate::Partition;

/// The number of entities that a detector remembers. A newer entity replaces an older one in the same place.
const REMEMBERED_ENTITIES: usize = 4_096;
/// The number of places in which a window marks the keys that it has counted. Of two keys with the same place, it counts
/// one.
const COUNTED_KEY_PLACES: usize = 8_192;
/// The number of observed records after which a detector draws its conclusion and begins to count anew.
const RECORDS_PER_WINDOW: u32 = 2_048;
/// The number of records of a partition that a detector observes without an exception.
const FULLY_OBSERVED_RECORDS: u32 = 1_024;
/// Of the later records, a detector observes one in this many.
const OBSERVED_RECORD_STRIDE: u32 = 7;
/// The smallest number of record keys from which a detector concludes that a known partitioner places all of them.
/// Chance places nine in ten of 96 keys in one of two partitions with a probability of less than 2 to the power of −55.
const MIN_KEYS_OF_ONE_PARTITIONER: u32 = 96;
/// The smallest number of entities with several record keys that is evidence.
const MIN_VARYING_ENTITIES: u32 = 3;
/// The number of times that entities occur again before the detector counts entities anew.
const MIN_RECURRENCES: u32 = 16;
/// An entity counts as keeping its record key if it has the same one after this many observed records. The events of one
/// order, for example, come within a short time.
const MIN_RECORDS_OF_KEPT_KEY: u32 = 256;
/// Varying record keys are evidence if at least one in this many entities has several of them, among those that occurred
/// again. A few entities may change their record key, for example a user who moves to another household.
const MAX_ENTITIES_PER_VARYING: u32 = 40;
/// Two partitioners are evidence if chance would place the keys of the rarer one with a probability of at most 2 to the
/// power of minus this. In topics of two partitions, a window then has such evidence by chance with a probability of less
/// than 2 to the power of −39, and in larger ones more rarely.
const EVIDENCE_BITS: f64 = 48.0;
/// The smallest number of record keys of each of two partitioners that is evidence, in topics with many partitions.
const MIN_KEYS_OF_EACH_PARTITIONER: u32 = 3;
/// Two partitioners are evidence only if at most one in this many keys, compared with the rarer one, has neither.
const MAX_UNEXPLAINED_SHARE: u32 = 10;

/// Looks for evidence of misplaced records in one partition.
#[derive(Debug)]
pub(crate) struct MisplacementDetector {
    partition: Partition,
    record_count: u32,
    observations: Option<Box<KeyObservations>>,
    finding: Option<MisplacementFinding>,
    /// The record key that an entity should have, kept only to reuse its memory.
    expected_key: Vec<u8>,
}

/// What a detector has observed. The remembered entities and their form outlive the window.
#[derive(Debug)]
struct KeyObservations {
    partition_count: Partition,
    min_keys_of_each_partitioner: u32,
    remembered_entities: Box<[RememberedEntity]>,
    dominant_form: DominantForm,
    /// The number of all observed records. It wraps around.
    observed_record_count: u32,
    window: ObservationWindow,
    recurring_entities: RecurringEntities,
}

/// Counts over one window of observed records.
#[derive(Debug)]
struct ObservationWindow {
    observed_record_count: u32,
    /// The places of the record keys that are counted in `tallies`.
    counted_keys: FixedBitSet,
    tallies: KeyTallies,
}

/// Counts of entities over one or more windows.
#[derive(Debug)]
struct RecurringEntities {
    /// How often an entity occurred again, with another record key or after a long time.
    recurrence_count: u32,
    /// The places of these entities.
    all: CountedPlaces,
    /// The places of those that occurred with another record key than before.
    varying: CountedPlaces,
}

/// A set of places, and their number.
#[derive(Debug)]
struct CountedPlaces {
    places: FixedBitSet,
    count: u32,
}

/// Hashes of an entity key and of its last record key. A hash of an entity key that is 0 marks an unused place.
#[derive(Clone, Copy, Default, Debug)]
struct RememberedEntity {
    entity_hash: u32,
    record_key_hash: u32,
    /// The number of records that were observed before the first one with this key.
    first_observed_at: u32,
}

/// How many different record keys were placed by which partitioner.
#[derive(Clone, Copy, Default, Debug)]
struct KeyTallies {
    by_murmur2_only: u32,
    by_crc32_only: u32,
    by_both: u32,
    by_neither: u32,
}

/// Which of the known partitioners gives a record key its partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum KeyPlacement {
    Murmur2Only,
    Crc32Only,
    Both,
    Neither,
}

/// The record key of an entity, compared with the one that the detector remembers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum RecordKeyChange {
    /// The detector does not remember the entity.
    Unknown,
    Unchanged,
    Changed,
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
    /// The partition of a record should follow from its entity key in `form`. If most record keys hold the entity key in
    /// no known form, only records are misplaced whose key differs from the last one of their entity: the others may be
    /// keyed by a function of the entity. Their partition should then follow from the text of the entity key.
    VaryingRecordKeys { partitioner: Partitioner, form: Option<KeyForm> },
    /// The partition of a record should follow from its record key by `partitioner`, which placed more keys.
    TwoPartitioners { partitioner: Partitioner },
}

impl MisplacementDetector {
    /// Creates a detector for a partition.
    pub(crate) fn new(partition: Partition) -> Self {
        Self { partition, record_count: 0, observations: None, finding: None, expected_key: Vec::new() }
    }

    /// Observes a record, and returns where it belongs if it is misplaced. Records before the evidence are not found,
    /// except those that a declared partitioner does not place here. The detector hashes keys with `hash_key`, so a sender
    /// cannot choose keys that collide.
    #[inline(never)] // so that profiles name it
    pub(crate) fn find_misplacement(
        &mut self,
        rules: &RecordPlacementRules,
        hash_key: &SipHashKey,
        record_key: &[u8],
        entity_key: &str,
    ) -> Option<Misplacement> {
        if let Some(partitioner) = rules.declared_partitioner {
            let expected_partition = compute_key_partition(partitioner, record_key, rules.partition_count);
            if expected_partition != self.partition {
                return Some(Misplacement { expected_partition, cause: MisplacementCause::OtherThanDeclared });
            }
        }
        self.record_count = self.record_count.wrapping_add(1);
        let is_observed = self.finding.is_some()
            || self.record_count <= FULLY_OBSERVED_RECORDS
            || self.record_count.is_multiple_of(OBSERVED_RECORD_STRIDE);
        let key_change = if is_observed {
            self.observe_keys(rules.partition_count, hash_key, record_key, entity_key)
        } else {
            RecordKeyChange::Unknown
        };
        self.apply_finding(rules.partition_count, record_key, entity_key, key_change)
    }

    /// Returns where a record belongs if it is misplaced by the finding.
    fn apply_finding(
        &mut self,
        partition_count: Partition,
        record_key: &[u8],
        entity_key: &str,
        key_change: RecordKeyChange,
    ) -> Option<Misplacement> {
        let (expected_partition, cause) = match self.finding? {
            MisplacementFinding::VaryingRecordKeys { partitioner, form } => {
                self.expected_key.clear();
                let is_known_form = form.is_some_and(|form| form.encode_entity_key(entity_key, &mut self.expected_key));
                let expected_key = match (is_known_form, key_change) {
                    (true, _) => self.expected_key.as_slice(),
                    (false, RecordKeyChange::Changed) => entity_key.as_bytes(),
                    (false, RecordKeyChange::Unchanged | RecordKeyChange::Unknown) => return None,
                };
                let partition = compute_key_partition(partitioner, expected_key, partition_count);
                (partition, MisplacementCause::VaryingRecordKeys)
            }
            MisplacementFinding::TwoPartitioners { partitioner } => {
                let partition = compute_key_partition(partitioner, record_key, partition_count);
                (partition, MisplacementCause::TwoPartitioners)
            }
        };
        (expected_partition != self.partition).then_some(Misplacement { expected_partition, cause })
    }

    fn observe_keys(
        &mut self,
        partition_count: Partition,
        hash_key: &SipHashKey,
        record_key: &[u8],
        entity_key: &str,
    ) -> RecordKeyChange {
        if self.observations.as_ref().is_some_and(|known| known.partition_count != partition_count) {
            // Keys belong elsewhere now, so what was counted before is no evidence.
            (self.observations, self.finding) = (None, None);
        }
        let observations = self.observations.get_or_insert_with(|| Box::new(KeyObservations::new(partition_count)));
        let observed = observations.observe_keys(self.partition, hash_key, record_key, entity_key);
        let window_has_ended = observations.window.observed_record_count >= RECORDS_PER_WINDOW;
        if window_has_ended || observed.may_be_evidence {
            let conclusion = observations.draw_conclusion();
            let lacks_evidence = window_has_ended && !observations.awaits_recurring_entities(self.finding);
            if conclusion.is_some() || lacks_evidence {
                self.finding = conclusion.map(|found| found.keep_known_form(self.finding));
            }
        }
        if window_has_ended {
            observations.end_window();
        }
        observed.change
    }
}

/// What one record adds to the observations.
struct ObservedKeyChange {
    change: RecordKeyChange,
    /// Whether a count has changed.
    may_be_evidence: bool,
}

impl KeyObservations {
    fn new(partition_count: Partition) -> Self {
        Self {
            partition_count,
            min_keys_of_each_partitioner: min_keys_of_each_partitioner(partition_count),
            remembered_entities: vec![RememberedEntity::default(); REMEMBERED_ENTITIES].into(),
            dominant_form: DominantForm::default(),
            window: ObservationWindow {
                observed_record_count: 0,
                counted_keys: FixedBitSet::with_capacity(COUNTED_KEY_PLACES),
                tallies: KeyTallies::default(),
            },
            observed_record_count: 0,
            recurring_entities: RecurringEntities {
                recurrence_count: 0,
                all: CountedPlaces::new(),
                varying: CountedPlaces::new(),
            },
        }
    }

    /// Returns whether `finding` follows from varying record keys, and too few entities have occurred again to end it.
    const fn awaits_recurring_entities(&self, finding: Option<MisplacementFinding>) -> bool {
        matches!(finding, Some(MisplacementFinding::VaryingRecordKeys { .. }))
            && self.recurring_entities.recurrence_count < MIN_RECURRENCES
    }

    fn end_window(&mut self) {
        self.window.clear();
        if self.recurring_entities.recurrence_count >= MIN_RECURRENCES {
            self.recurring_entities.clear();
        }
    }

    fn observe_keys(
        &mut self,
        partition: Partition,
        hash_key: &SipHashKey,
        record_key: &[u8],
        entity_key: &str,
    ) -> ObservedKeyChange {
        let entity_hash = hash_bytes(hash_key, entity_key.as_bytes());
        let is_entity_key = record_key == entity_key.as_bytes();
        let record_key_hash = if is_entity_key { entity_hash } else { hash_bytes(hash_key, record_key) };
        #[expect(clippy::cast_possible_truncation, reason = "parts of a hash")]
        let (entity_place, key_place, observed) = (
            entity_hash as usize % REMEMBERED_ENTITIES,
            record_key_hash as usize % COUNTED_KEY_PLACES,
            RememberedEntity {
                entity_hash: ((entity_hash >> 32) as u32).max(1),
                record_key_hash: (record_key_hash >> 32) as u32,
                first_observed_at: self.observed_record_count,
            },
        );
        self.observed_record_count = self.observed_record_count.wrapping_add(1);
        self.dominant_form.vote_for(if is_entity_key {
            Some(KeyForm::TEXT)
        } else {
            KeyForm::find_form(record_key, entity_key)
        });
        let window = &mut self.window;
        window.observed_record_count += 1;
        let is_new_key = !window.counted_keys.put(key_place);
        if is_new_key {
            window.tallies.count_key(KeyPlacement::find_placement(record_key, partition, self.partition_count));
        }
        let remembered = &mut self.remembered_entities[entity_place];
        if remembered.entity_hash != observed.entity_hash {
            *remembered = observed;
            return ObservedKeyChange { change: RecordKeyChange::Unknown, may_be_evidence: is_new_key };
        }
        if remembered.record_key_hash == observed.record_key_hash {
            let key_age = observed.first_observed_at.wrapping_sub(remembered.first_observed_at);
            if key_age >= MIN_RECORDS_OF_KEPT_KEY {
                self.recurring_entities.count_recurrence(entity_place);
            }
            return ObservedKeyChange { change: RecordKeyChange::Unchanged, may_be_evidence: is_new_key };
        }
        *remembered = observed;
        self.recurring_entities.count_changed_key(entity_place);
        ObservedKeyChange { change: RecordKeyChange::Changed, may_be_evidence: true }
    }

    fn draw_conclusion(&self) -> Option<MisplacementFinding> {
        let KeyTallies { by_murmur2_only: murmur2, by_crc32_only: crc32, by_both, by_neither } = self.window.tallies;
        let partitioner = if murmur2 >= crc32 { Partitioner::Murmur2 } else { Partitioner::Crc32 };
        let (most, fewest) = (murmur2.max(crc32), murmur2.min(crc32));
        let key_count = self.window.tallies.key_count();
        // Nine in ten, because a few records may have been sent to a chosen partition.
        let has_one_partitioner = key_count >= MIN_KEYS_OF_ONE_PARTITIONER && (most + by_both) * 10 >= key_count * 9;
        if has_one_partitioner && self.recurring_entities.are_varying() {
            return Some(MisplacementFinding::VaryingRecordKeys { partitioner, form: self.dominant_form.form });
        }
        let has_two_partitioners =
            fewest >= self.min_keys_of_each_partitioner && by_neither * MAX_UNEXPLAINED_SHARE <= fewest;
        has_two_partitioners.then_some(MisplacementFinding::TwoPartitioners { partitioner })
    }
}

impl RecurringEntities {
    fn count_recurrence(&mut self, entity_place: usize) {
        self.recurrence_count = self.recurrence_count.saturating_add(1);
        self.all.add(entity_place);
    }

    fn count_changed_key(&mut self, entity_place: usize) {
        self.count_recurrence(entity_place);
        self.varying.add(entity_place);
    }

    fn clear(&mut self) {
        self.recurrence_count = 0;
        self.all.clear();
        self.varying.clear();
    }

    const fn are_varying(&self) -> bool {
        let varying = self.varying.count;
        varying >= MIN_VARYING_ENTITIES && varying * MAX_ENTITIES_PER_VARYING >= self.all.count
    }
}

impl ObservationWindow {
    fn clear(&mut self) {
        self.observed_record_count = 0;
        self.counted_keys.clear();
        self.tallies = KeyTallies::default();
    }
}

impl CountedPlaces {
    fn new() -> Self {
        Self { places: FixedBitSet::with_capacity(REMEMBERED_ENTITIES), count: 0 }
    }

    fn add(&mut self, place: usize) {
        self.count += u32::from(!self.places.put(place));
    }

    fn clear(&mut self) {
        self.places.clear();
        self.count = 0;
    }
}

impl MisplacementFinding {
    /// Returns this finding with the form of an earlier one if it has none of its own. While most records are wrong, most
    /// keys say nothing about the right form.
    fn keep_known_form(self, earlier: Option<Self>) -> Self {
        match (self, earlier) {
            (
                Self::VaryingRecordKeys { partitioner, form: None },
                Some(Self::VaryingRecordKeys { form: form @ Some(_), .. }),
            ) => Self::VaryingRecordKeys { partitioner, form },
            _ => self,
        }
    }
}

impl KeyPlacement {
    fn find_placement(record_key: &[u8], partition: Partition, partition_count: Partition) -> Self {
        let is_placed_by = |partitioner| compute_key_partition(partitioner, record_key, partition_count) == partition;
        match (is_placed_by(Partitioner::Murmur2), is_placed_by(Partitioner::Crc32)) {
            (true, false) => Self::Murmur2Only,
            (false, true) => Self::Crc32Only,
            (true, true) => Self::Both,
            (false, false) => Self::Neither,
        }
    }
}

impl KeyTallies {
    const fn count_key(&mut self, placement: KeyPlacement) {
        *match placement {
            KeyPlacement::Murmur2Only => &mut self.by_murmur2_only,
            KeyPlacement::Crc32Only => &mut self.by_crc32_only,
            KeyPlacement::Both => &mut self.by_both,
            KeyPlacement::Neither => &mut self.by_neither,
        } += 1;
    }

    const fn key_count(&self) -> u32 {
        self.by_murmur2_only + self.by_crc32_only + self.by_both + self.by_neither
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
    let bits_per_key = f64::from(partition_count.max(2)).log2();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 2 to 48")]
    let keys = (EVIDENCE_BITS / bits_per_key).ceil() as u32;
    keys.max(MIN_KEYS_OF_EACH_PARTITIONER)
}

fn hash_bytes(hash_key: &SipHashKey, bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_key(hash_key);
    hasher.write(bytes);
    hasher.finish()
}
