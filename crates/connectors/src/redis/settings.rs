//! How the writer treats Redis, and the bounds of what it sends and keeps.

use std::time::Duration;

/// Rows in one batch, and in one transaction. Redis serves no other client while a transaction runs: about 1.5 ms with
/// this many rows of five fields.
pub const BATCH_ROWS: usize = 512;

/// Bytes after which a batch, or a transaction, is full even with fewer rows.
pub const BATCH_BYTES: usize = 128 * 1024;

/// Bytes of written rows that [`RecentRows`](super::RecentRows) keeps.
pub const RECENT_BYTES: usize = 1024 * 1024;

/// Timeouts and bounds of a [`RedisWriter`](super::RedisWriter). The defaults are meant for production; tests shorten
/// them.
#[derive(Clone, Debug)]
pub struct RedisWriterSettings {
    /// How long the start waits for Redis; `None`: without a limit.
    pub start_timeout: Option<Duration>,
    /// How long one attempt to connect and log in may take.
    pub connect_timeout: Duration,
    /// How long one reply, or room to send, may take before the connection is closed.
    pub response_timeout: Duration,
    /// The first pause before a retry; doubled up to [`Self::max_retry_pause`], with some jitter.
    pub min_retry_pause: Duration,
    /// The longest pause before a retry.
    pub max_retry_pause: Duration,
    /// Bytes of rows that may be queued or in flight, over all workers. A worker with more rows waits. Each worker fills
    /// one batch (about [`BATCH_BYTES`]) beyond that.
    pub queue_bytes: usize,
    /// Without rows for this long, the writer sends an empty transaction, so that an outage is seen before it matters.
    pub idle_check_interval: Duration,
    /// After a stop request, a worker that waits for room gives up when Redis has not answered for this long.
    pub stop_timeout: Duration,
}

impl Default for RedisWriterSettings {
    fn default() -> Self {
        Self {
            start_timeout: None,
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(10),
            min_retry_pause: Duration::from_millis(50),
            max_retry_pause: Duration::from_secs(5),
            queue_bytes: 8 * 1024 * 1024,
            idle_check_interval: Duration::from_secs(2),
            stop_timeout: Duration::from_secs(2),
        }
    }
}
