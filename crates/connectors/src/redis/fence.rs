//! Fences in Redis: one key for each partition. The value of the key names the owner's epoch and counts the partition's
//! rows.
//!
//! If the stored [`value::FenceValue`] permits a worker's [`claim::PendingClaim`], the fence is granted and kept in
//! [`granted::GrantedFences`]. For each in-flight batch the granted fences give a [`granted::BatchFenceVerdict`]. The
//! verdict holds a [`granted::PartitionFenceUpdate`] for each partition whose rows may be written.
//!
//! Owns: the spelling of keys and values, the effect of a claim on a value, and the decision whether a stored value
//! permits writes. Does not own: reading and writing Redis, epochs (the checkpoint store).

pub(crate) mod claim;
pub(crate) mod granted;
pub(crate) mod key;
pub(crate) mod value;
