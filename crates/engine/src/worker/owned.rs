//! A partition that a worker owns: its shard, where it stands, and the snapshot that is being taken of it.

use std::sync::Arc;
use std::time::Duration;

use windrow_core::{EventTime, Scope, Shard, ShardFacts};

use crate::checkpoint::{Opened, Purpose, after};
use crate::metrics::now_ms;
use crate::{Offset, Origin, PartitionFacts, Ticket};

/// A partition and all that its worker knows of it.
#[derive(Debug)]
pub(super) struct Owned {
    pub(super) origin: Origin,
    pub(super) shard: Shard,
    /// The offset of the next record; `None` while it is not known.
    pub(super) position: Option<Offset>,
    /// Per view, where the counting of its rows began.
    pub(super) beginnings: Vec<u64>,
    /// Per view, the number of the last row that was in the store of rows when the partition was opened.
    pub(super) written: Vec<u64>,
    /// It is being given up, or everything ends: its records are left to whoever comes next.
    pub(super) frozen: bool,
    /// Bounded input has ended, and everything has fired.
    pub(super) finished: bool,
    pub(super) taking: Option<Taking>,
    /// What the next checkpoint must hold.
    pub(super) scope: Scope,
    /// The position of the last complete checkpoint, and when it was cut (or the partition opened).
    pub(super) kept: Option<Offset>,
    pub(super) kept_when: Duration,
    /// The same by the wall clock, in epoch milliseconds, where there is one; and the bytes of all its layers.
    pub(super) kept_at_ms: Option<i64>,
    pub(super) kept_bytes: u64,
    /// For people: when it was opened, and when a record came last, as far as that was published; records since then.
    pub(super) opened_at_ms: i64,
    pub(super) last_record_at_ms: Option<i64>,
    pub(super) records: u64,
    pub(super) records_published: u64,
    /// When the next checkpoint is due, and the next attempt at a savepoint.
    pub(super) due: Duration,
    pub(super) savepoint_due: Duration,
    /// The savepoint it is in already.
    pub(super) savepoint: Option<Arc<str>>,
    /// The last checkpoint before giving it up failed; there is no other attempt.
    pub(super) last_failed: bool,
}

/// A snapshot that is being taken.
#[derive(Debug)]
pub(super) struct Taking {
    pub(super) purpose: Purpose,
    pub(super) scope: Scope,
    /// Everything handed to the sink before the cut.
    pub(super) ticket: Ticket,
    pub(super) offset: Offset,
    pub(super) facts: ShardFacts,
    /// Wall clock, in epoch milliseconds.
    pub(super) taken_at_ms: i64,
    pub(super) began: Duration,
    /// Saved, and not handed to the keeper yet.
    pub(super) bytes: Vec<u8>,
    pub(super) stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Slots are being saved.
    Saving,
    /// All are saved; rows are waited for.
    Saved,
    /// The keeper is completing it.
    Completing,
}

impl Owned {
    /// What the keeper opened.
    pub(super) fn new(opened: Opened, now: Duration, every: Duration) -> Self {
        let Opened { shard, origin, position, checkpoint, beginnings, written, scope, restored, .. } = opened;
        // A partition without a checkpoint of its own gets one at once: it fixes where "latest" was, and that a
        // savepoint was begun from.
        let due = if checkpoint.is_some() && scope == Scope::Changes { now + every } else { now };
        let kept = checkpoint.filter(|_| scope == Scope::Changes);
        let restored = restored.filter(|_| kept.is_some());
        let kept_at_ms = restored.as_ref().map(|restored| restored.taken_at_ms);
        let kept_bytes = restored.map_or(0, |restored| restored.bytes);
        let state_ends = Self::without_checkpoints(shard, origin, position, now);
        Self { beginnings, written, scope, kept, kept_at_ms, kept_bytes, due, ..state_ends }
    }

    /// A shard whose state is not kept.
    pub(super) fn without_checkpoints(shard: Shard, origin: Origin, start: Option<Offset>, now: Duration) -> Self {
        Self {
            origin,
            shard,
            position: start,
            beginnings: Vec::new(),
            written: Vec::new(),
            frozen: false,
            finished: false,
            taking: None,
            scope: Scope::Everything,
            kept: None,
            kept_when: now,
            kept_at_ms: None,
            kept_bytes: 0,
            opened_at_ms: now_ms(),
            last_record_at_ms: None,
            records: 0,
            records_published: 0,
            due: Duration::MAX,
            savepoint_due: now,
            savepoint: None,
            last_failed: false,
        }
    }

    /// Something has happened, at its position, that another run over the same records may not meet: from here on its rows
    /// are like no others, and none of them is in the store of rows yet.
    pub(super) fn count_anew(&mut self, what: &str) {
        let position = self.position;
        self.beginnings.iter_mut().for_each(|beginning| *beginning = after(*beginning, what, position));
        self.written.fill(0);
    }

    /// Where it stands, for people. Event times are out of order by at most `out_of_orderness_ms`.
    pub(super) fn facts(&mut self, out_of_orderness_ms: i64) -> PartitionFacts {
        if self.records > self.records_published {
            self.records_published = self.records;
            self.last_record_at_ms = Some(now_ms());
        }
        let watermark = self.shard.watermark().filter(|_| !self.finished);
        let largest = |watermark: EventTime| EventTime::from_ms(watermark.ms() + out_of_orderness_ms + 1);
        PartitionFacts {
            partition: self.origin.partition,
            epoch: self.origin.epoch,
            offset: self.position,
            watermark,
            event_time: watermark.map(largest),
            opened_at_ms: self.opened_at_ms,
            last_record_at_ms: self.last_record_at_ms,
            records: self.records,
            entities: self.shard.entities() as u64,
            state_bytes: self.kept_bytes,
            checkpoint_offset: self.kept,
            checkpoint_at_ms: self.kept_at_ms,
        }
    }

    /// Whether something has come since its last complete checkpoint.
    pub(super) fn has_news(&self) -> bool {
        self.position.is_some() && self.position != self.kept
    }

    pub(super) fn is(&self, stage: Stage) -> bool {
        self.taking.as_ref().is_some_and(|taking| taking.stage == stage)
    }
}
