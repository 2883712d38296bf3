//! Redis: every row a hash with a time to live, written by one thread over one connection per process.
//!
//! Owns: how a row becomes commands, the memory rows wait in, delivery, retries, what is refused; who may write the rows
//! of a partition, and how many of them there are; reading rows back ([`read_features`]). Does not own: when to flush or
//! commit (the engine's worker), epochs (the checkpoint store), what a row holds (core).
//!
//! Invariants:
//! 1. A row appears whole: a flight of rows is one `MULTI … EXEC`, so nobody sees some of its fields without the others
//!    or without its time to live. A feature that is NULL is an absent field, also where the row before it had one.
//! 2. Rows of all workers reach Redis in the order they were handed over. One flight is under way at a time and is
//!    repeated until it arrived, and a connection given up is killed on the server before its flight is sent again: a
//!    command that was still on its way cannot arrive afterwards. So no value goes back in event time.
//! 3. A ticket is acknowledged only when `EXEC` answered for every row before it. Rows are idempotent, so a flight whose
//!    outcome is unknown is simply sent again.
//! 4. What waits never exceeds [`RedisWriterSettings::queue_bytes`] (a single batch larger than that waits alone). What was written is
//!    remembered for people, up to [`RECENT_BYTES`] more.
//! 5. The rows of a partition are written only while its fence in Redis is the one that this writer wrote last. In the
//!    same transaction the fence takes their number: at no moment do the two disagree. Where it is somebody else's, or an
//!    earlier one, these rows are dropped and reported as [`windrow_engine::LostPartition`]; other partitions' go on.
//! 6. No message and no log line holds the URL's user or password.
//!
//! A key that holds something else than a hash is not touched: each flight first asks `HLEN` for its keys, leaves those
//! rows out and reports them as [`windrow_engine::RefusedRow`]. Measured, that is about 0.45 µs of Redis' 2.7 µs per row of five fields.
//! `MULTI` alone could not do it: after a refused `HSET` the `PEXPIRE` of that row would still put a time to live on
//! somebody else's key. One gap is left: a foreign key created between question and `EXEC`, less than a round trip, is
//! not overwritten but gets the row's time to live.
//!
//! Fences are strings at `windrow:fence:{pipeline}:{group}:{partition}`. They never expire; whoever deletes one makes the
//! owner of that partition go back to its last checkpoint. Invariant 5 takes no round trip of its own: `WATCH` and `GET`
//! go with the questions, `SET` with the rows. A row with such a key is refused.
//!
//! After a crash: rows and fence are as the last transaction left them, and the next owner's claim learns from the fence
//! which rows it need not write again.
//!
//! What the user of the URL may need to be allowed, besides the keys of the rows and `~windrow:fence:*`: `+hlen +hset +hdel
//! +pexpire +watch +get +set +multi +exec +discard`, and for the full strength of invariant 2 also `+client|info
//! +client|kill`. `+hgetall +pttl +type +scan` for [`read_features`].
//!
//! Why no script: measured, an `EVAL` per row costs Redis 1.6 to 1.8 times as much as the commands in it. Why not
//! Redis Cluster: a transaction cannot span its slots; it is refused at the start with that reason.

mod address;
mod batch;
mod claim;
mod encode;
mod fault;
mod features;
mod fence;
mod freshness;
mod holdings;
mod link;
mod queue;
mod recent;
mod report;
mod sink;
mod status;
mod watch;
mod writer;

use std::time::Duration;

pub use claim::RedisFence;
pub use features::{
    FeatureReader, ReadFeaturesError, RowKey, SCAN_STEP_KEYS, StoredRow, StoredRowContents, read_features,
};
pub use freshness::RowFreshness;
pub use recent::{RecentRows, WrittenRow};
pub use sink::RedisSink;
pub use status::{RedisOutage, RedisWriterStatus};
pub use watch::RedisWriterObserver;
pub use writer::{CloseOutcome, RedisWriter};

/// Rows in one batch, and in one transaction. A transaction stops Redis for everybody else while it runs: about 1.5 ms
/// with this many rows of five fields.
pub const BATCH_ROWS: usize = 512;

/// Bytes after which a batch, or a transaction, is full even with fewer rows.
pub const BATCH_BYTES: usize = 128 * 1024;

/// Bytes of rows that are remembered once they are written.
pub const RECENT_BYTES: usize = 1024 * 1024;

/// How the writer treats Redis. The defaults are meant for production; tests shorten them.
#[derive(Clone, Debug)]
pub struct RedisWriterSettings {
    /// How long the start waits for Redis; `None`: until it comes.
    pub start_timeout: Option<Duration>,
    /// How long one attempt to connect, log in and be answered may take.
    pub connect_timeout: Duration,
    /// How long one answer, or room to send, may take before the connection is given up.
    pub response_timeout: Duration,
    /// The first pause before a new attempt; doubled up to [`Self::max_retry_pause`], with some jitter.
    pub min_retry_pause: Duration,
    /// The longest pause before a new attempt.
    pub max_retry_pause: Duration,
    /// Bytes of rows that may wait or be under way, over all workers; more, and workers wait. Each worker fills one
    /// batch (about [`BATCH_BYTES`]) beyond that.
    pub queue_bytes: usize,
    /// Without rows for this long, Redis is asked whether it is there, so that an outage is seen before it matters.
    pub idle_check_interval: Duration,
    /// A stop was requested and no flight arrived for this long: a worker that waits for room gives up.
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
