//! The messages between a worker and the thread that opens one partition. The worker sends commands, and the thread sends
//! answers.

use super::opened_partition::OpenedPartition;
use super::store_findings::StoreFaultExtent;
use crate::{Epoch, Halt, HeldOffsets, Offset, StartOffset};

/// A command from a worker to the thread that opens a partition. The thread has restored the partition's shard.
#[derive(Debug)]
pub(crate) enum OpeningCommand {
    /// The source has lost records that were already read. Restore the newest checkpoint that begins at one of the
    /// `held_offsets`, or begin with empty state.
    RestoreBehindTruncation { held_offsets: HeldOffsets },
    /// Claim the partition at the fence of the row store. The worker will read the partition from the offset in
    /// `start`, or from the checkpoint's offset if `start` is `None`.
    ClaimFence { start: Option<StartOffset> },
}

/// An answer from the thread that opens a partition. The thread answers once when it starts, and once to each command.
#[derive(Debug)]
pub(crate) enum OpeningAnswer {
    /// The shard of the partition is restored. `checkpoint_offset` is the offset of the checkpoint; `None` if the
    /// partition has no checkpoint. The thread also gives this answer to [`OpeningCommand::ClaimFence`] if the row store
    /// lacks rows that the checkpoint counts. It has then restored an older checkpoint, and the worker must ask for the
    /// claim again.
    Restored { checkpoint_offset: Option<Offset> },
    /// The partition is claimed in the checkpoint store and at the fence, so the worker may read the partition's
    /// records. The thread has ended.
    Opened(Box<OpenedPartition>),
    /// Another worker claimed the partition before the fence granted this worker's claim. The thread has ended.
    Overtaken {
        /// The epoch of the other worker's claim.
        newer_epoch: Epoch,
    },
    /// The partition cannot be opened. The thread has ended.
    Failed {
        fault: Halt,
        /// Which part of the store the fault concerns, as far as the opening has found out.
        extent: StoreFaultExtent,
    },
}
