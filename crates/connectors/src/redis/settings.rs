//! Timeouts and limits of the Redis writer.

use std::time::Duration;

/// The maximal number of rows in one batch and in one transaction. Redis serves no other client during a transaction. A
/// transaction with this many rows of five fields takes about 1.5 ms.
pub const MAX_BATCH_ROWS: usize = 512;

/// The size in bytes at which a batch or a transaction is full, even if it has fewer than [`MAX_BATCH_ROWS`] rows.
pub const FULL_BATCH_BYTES: usize = 128 * 1024;

/// The maximal number of bytes of written rows that [`RecentRows`](super::RecentRows) keeps.
pub const MAX_RECENT_ROWS_BYTES: usize = 1024 * 1024;

/// The timeouts and limits of a [`RedisWriter`](super::RedisWriter). The defaults are meant for production; tests use
/// shorter timeouts.
#[derive(Clone, Debug)]
pub struct RedisWriterSettings {
    /// The maximal time that the start of the writer waits for Redis. `None` means no limit.
    pub start_timeout: Option<Duration>,
    /// The maximal time of one attempt to connect and log in.
    pub connect_timeout: Duration,
    /// The maximal time to wait for one reply, or to send one chunk of commands. After this time the writer closes the
    /// connection.
    pub response_timeout: Duration,
    /// The first pause before a retry. The pause doubles with each retry up to [`Self::max_retry_pause`], and has a
    /// random jitter.
    pub min_retry_pause: Duration,
    /// The longest pause before a retry, without jitter.
    pub max_retry_pause: Duration,
    /// The maximal number of bytes of rows that are queued or in flight, summed over all workers. A worker that would
    /// exceed this limit waits. In addition, each worker fills a batch of about [`FULL_BATCH_BYTES`] bytes before the
    /// batch is queued.
    pub queue_bytes_max: usize,
    /// The time without rows after which the writer sends an empty transaction. The empty transaction detects an outage
    /// before the next rows arrive.
    pub idle_check_interval: Duration,
    /// After a stop request, a worker still waits for room in the queue. If Redis gives no answer during this time, the
    /// worker stops waiting and drops its rows. Until the first wait of [`Self::max_acknowledgement_wait`] has failed, a
    /// wait for replicas or disks does not count as silence.
    pub no_answer_timeout_at_stop: Duration,
    /// The time that the first `WAIT` or `WAITAOF` for unacknowledged rows waits. After each failed wait, the writer
    /// also writes the rows that entered the queue meanwhile, and the next wait is twice as long.
    pub min_acknowledgement_wait: Duration,
    /// The longest time that one `WAIT` or `WAITAOF` waits, at most half of [`Self::response_timeout`]. After such a
    /// wait has failed, the writer writes no further rows until the earlier ones are acknowledged.
    pub max_acknowledgement_wait: Duration,
    /// After this time, rows that replicas or disks lack count as an outage of Redis.
    pub acknowledgement_outage_delay: Duration,
}

impl Default for RedisWriterSettings {
    fn default() -> Self {
        Self {
            start_timeout: None,
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(10),
            min_retry_pause: Duration::from_millis(50),
            max_retry_pause: Duration::from_secs(5),
            queue_bytes_max: 8 * 1024 * 1024,
            idle_check_interval: Duration::from_secs(2),
            no_answer_timeout_at_stop: Duration::from_secs(2),
            min_acknowledgement_wait: Duration::from_millis(5),
            max_acknowledgement_wait: Duration::from_secs(2),
            acknowledgement_outage_delay: Duration::from_secs(5),
        }
    }
}
