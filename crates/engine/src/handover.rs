//! Shards between two workers of one process.
//!
//! When the consumer group moves a partition from one worker of this process to another, its shard is put here by the
//! one that gives it up and taken by the one that receives it.
//! Invariant: a shard is taken only where the group's committed offset is the one it was put down at; otherwise somebody
//! else has worked on the partition in between and the shard is out of date.
//! After a crash: nothing is here; the shards' state is gone with the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use windrow_core::Shard;

use crate::{Offset, Partition};

/// A shard and the offset of the next record it is to see.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) shard: Shard,
    pub(crate) position: Offset,
}

/// Shards that no worker of this process holds at the moment.
#[derive(Clone, Debug, Default)]
pub struct Handover(Arc<Mutex<BTreeMap<Partition, Parked>>>);

impl Handover {
    pub(crate) fn put(&self, partition: Partition, parked: Parked) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, parked);
    }

    /// The shard of `partition`, where it is here and `committed` says it is up to date. One that is not is dropped.
    pub(crate) fn take(&self, partition: Partition, committed: Option<Offset>) -> Option<Parked> {
        let parked = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&partition)?;
        (committed == Some(parked.position)).then_some(parked)
    }
}
