//! Fences in Redis: for each partition one key whose value names the owner's epoch and counts the partition's rows.
//!
//! From a claim to written rows: a worker's [`claim::PendingClaim`] is applied to the stored [`value::FenceValue`] and
//! becomes a granted fence ([`granted::GrantedFences`]). For each in-flight batch the granted fences give a
//! [`granted::FenceCheck`], which holds a [`granted::FencedBatch`] for each partition whose rows may be written.
//!
//! Owns: how keys and values are spelled, what a claim does to a value, which rows a stored value lets through. Does not
//! own: reading and writing Redis, epochs (the checkpoint store).

pub(crate) mod claim;
pub(crate) mod granted;
pub(crate) mod key;
pub(crate) mod value;
