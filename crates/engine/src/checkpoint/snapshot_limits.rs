//! The bounds within which a worker saves snapshots.

use super::state_object::STATE_PART_BYTES;

/// The approximate number of snapshot bytes that the worker saves between two polls. Saving this many bytes takes about
/// a millisecond.
const SAVE_BYTES_PER_LOOP: usize = 256 * 1024;
/// The worker pauses saving while it and the checkpoint thread hold at least this many saved bytes that are not yet
/// written.
const MAX_UNWRITTEN_BYTES: usize = 64 * 1024 * 1024;

/// The bounds within which a worker saves snapshots, in bytes. Tests use small bounds, so that a small state reaches
/// them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotLimits {
    /// The approximate number of bytes that the worker saves between two polls. One slot or block may come on top.
    pub save_bytes_per_poll: usize,
    /// The size of every part of a snapshot except the last. A part becomes one state object. A snapshot with larger
    /// parts than the default fails.
    pub state_part_bytes: usize,
    /// The worker pauses saving while at least this many saved bytes are not yet written. At least
    /// [`Self::state_part_bytes`].
    pub max_unwritten_bytes: usize,
}

impl Default for SnapshotLimits {
    fn default() -> Self {
        Self {
            save_bytes_per_poll: SAVE_BYTES_PER_LOOP,
            state_part_bytes: STATE_PART_BYTES,
            max_unwritten_bytes: MAX_UNWRITTEN_BYTES,
        }
    }
}
