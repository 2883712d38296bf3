//! Fences in Redis: one key for each partition. The value of the key contains the owner's epoch and the number of the
//! partition's rows.
//!
//! If the stored [`value::FenceValue`] permits a worker's [`claim::PendingClaim`], the fence is granted and added to
//! [`granted::GrantedFences`]. For each in-flight batch, the writer compares the granted fences with the fences that
//! Redis holds. The result is a [`granted::BatchFenceVerdict`]. This verdict contains a
//! [`granted::PartitionFenceUpdate`] for each partition whose rows may be written.
//!
//! Owns: the spelling of a fence's key and value, the effect of a claim on a fence, and the decision whether a stored
//! fence permits writes. Does not own: reading and writing Redis, epochs (the checkpoint store).

pub(crate) mod claim;
pub(crate) mod granted;
pub(crate) mod key;
pub(crate) mod value;
