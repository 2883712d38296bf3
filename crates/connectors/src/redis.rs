//! Redis: every row is a hash with a time to live, written by one thread over one connection per process.
//!
//! The way of a row, in one direction:
//!
//! ```text
//!   worker (sink.rs)                                     writer thread (delivery/thread.rs)
//!   rows/encode.rs ─► rows/batch.rs ─► delivery/queue.rs ─► delivery/transaction.rs ─► delivery/connection.rs ─► Redis
//!                                                               │
//!   fence/      which rows may be written: a partition's key, value, claims and granted fences
//!   observe/    what pages and metrics show of the writer: counters, freshness, the newest rows
//!   features.rs reading rows back
//! ```
//!
//! Owns: how a row becomes commands, the memory in which rows wait, delivery, retries, refused rows; which process may
//! write the rows of a partition, and how many of them there are; reading rows back ([`read_features`]). Does not own:
//! when to flush or commit (the engine's worker), epochs (the checkpoint store), what a row holds (core).
//!
//! Invariants:
//! 1. A row appears whole. The rows of an in-flight batch are one `MULTI … EXEC`, so no reader sees some fields of a row
//!    without the others or without its time to live. A feature that is NULL is an absent field, even if the row had it
//!    before.
//! 2. Rows of all workers reach Redis in the order in which they were handed over. One batch is in flight at a time and
//!    is repeated until Redis has acknowledged it. A connection given up is killed on the server before its batch is sent
//!    again, so commands that were still on their way cannot arrive later. No value goes back in event time.
//! 3. A ticket is acknowledged only when `EXEC` has answered for every row before it. Rows are idempotent, so a batch
//!    whose outcome is unknown is sent again.
//! 4. Queued and in-flight rows never exceed [`RedisWriterSettings::queue_bytes`] (a single larger batch waits alone).
//!    [`RecentRows`] keeps up to [`RECENT_BYTES`] of written rows besides.
//! 5. The rows of a partition are written only while its fence in Redis is the one that this writer wrote last. The same
//!    transaction writes their number into the fence, so the two never disagree. Where another process has written the
//!    fence, or Redis holds an earlier value, these rows are dropped and reported as
//!    [`LostPartition`](windrow_engine::LostPartition). Rows of other partitions are written.
//! 6. No message and no log line holds the user or password of the URL.
//!
//! A key that holds something other than a hash is not changed. The writer asks `HLEN` for the key of each row, leaves
//! such rows out and reports them as [`RefusedRow`](windrow_engine::RefusedRow). Measured, this costs about 0.45 µs of
//! Redis' 2.7 µs per row of five fields. `MULTI` alone does not suffice: after a refused `HSET` the `PEXPIRE` of that row
//! would still put a time to live on the foreign key. One gap is left: a foreign key created between question and `EXEC`,
//! less than a round trip, is not overwritten but gets the row's time to live.
//!
//! Fences are strings at `windrow:fence:{pipeline}:{group}:{partition}`. They never expire. If one is deleted, the owner of
//! that partition returns to its last checkpoint. Invariant 5 takes no round trip of its own: `WATCH` and `GET` go with
//! the questions, `SET` with the rows. A row with such a key is refused.
//!
//! After a crash: rows and fence are as the last transaction left them, and the next owner's claim learns from the fence
//! which rows need not be written again.
//!
//! The user of the URL needs, besides access to the keys of the rows and `~windrow:fence:*`: `+hlen +hset +hdel +pexpire
//! +watch +get +set +multi +exec +discard`, and for the full strength of invariant 2 also `+client|info +client|kill`.
//! [`read_features`] needs `+hgetall +pttl +type +scan`.
//!
//! Why no script: measured, an `EVAL` per row costs Redis 1.6 to 1.8 times as much as the commands in it. Why no
//! Redis Cluster: a transaction cannot span its slots; the start refuses a cluster with that reason.

mod address;
mod claim;
mod delivery;
mod fault;
mod features;
mod fence;
mod observe;
mod rows;
mod settings;
mod sink;
mod wire;
mod writer;

pub use claim::RedisFence;
pub use delivery::queue::CloseOutcome;
pub use features::{
    FeatureReader, ReadFeaturesError, RowKey, SCAN_STEP_KEYS, StoredRow, StoredRowContents, read_features,
};
pub use observe::freshness::RowFreshness;
pub use observe::recent_rows::{RecentRows, WrittenRow};
pub use observe::statistics::RedisWriterObserver;
pub use observe::status::RedisWriterStatus;
pub use settings::{BATCH_BYTES, BATCH_ROWS, RECENT_BYTES, RedisWriterSettings};
pub use sink::RedisSink;
pub use writer::RedisWriter;
