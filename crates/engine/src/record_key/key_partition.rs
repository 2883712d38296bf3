//! The partition of a record key, as Kafka's clients compute it.

use windrow_core::Partitioner;

use crate::Partition;

/// The seed of Kafka's murmur2.
const SEED: u32 = 0x9747_b28c;
/// The multiplier of murmur2.
const MULTIPLIER: u32 = 0x5bd1_e995;

/// Returns the partition that `partitioner` gives to `record_key` in a topic with `partition_count` partitions.
pub(super) fn compute_key_partition(
    partitioner: Partitioner,
    record_key: &[u8],
    partition_count: Partition,
) -> Partition {
    let hash = match partitioner {
        Partitioner::Murmur2 => compute_murmur2(record_key) & 0x7fff_ffff,
        Partitioner::Crc32 => crc32fast::hash(record_key),
    };
    let count = partition_count.max(1).unsigned_abs();
    (hash % count).cast_signed()
}

/// Computes murmur2 over 32-bit words as Kafka's Java client does.
fn compute_murmur2(bytes: &[u8]) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "a record key is far smaller than 4 GiB")]
    let mut hash = SEED ^ bytes.len() as u32;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed.wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        for (index, &byte) in rest.iter().enumerate() {
            hash ^= u32::from(byte) << (8 * index);
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}
