//! Redis: every row is a hash with a time to live, written by one thread over one connection per process.
//!
//! The steps from a row to Redis:
//!
//! ```text
//!   worker (sink.rs)                                     writer thread (delivery/writer_thread.rs)
//!   rows/row_encoder.rs ─► rows/batch.rs ─► delivery/queue.rs ─► delivery/transaction.rs ─► delivery/connection.rs ─► Redis
//!                                                               │
//!   fence/      decides which rows may be written: key and value of each partition's fence, claims, granted fences
//!   observe/    data for pages and metrics: counters, freshness, the newest rows
//!   features.rs reads rows back
//! ```
//!
//! Owns: encoding rows as commands, the memory of queued rows, delivery, retries and refused rows. Also owns the fences
//! of partitions, which say who may write and how many rows Redis has, and reading rows back ([`read_features`]). Does
//! not own: when to flush or commit (the engine's worker), epochs (the checkpoint store), the contents of a row (core).
//!
//! Invariants:
//! 1. A row appears whole. One `MULTI … EXEC` carries all rows of an in-flight batch. No reader sees some fields of a
//!    row without the others, or a row without its time to live. A NULL feature is an absent field, even if the row had
//!    that field before.
//! 2. Rows of all workers reach Redis in the order in which the workers handed them over. One batch is in flight at a
//!    time and is repeated until Redis has acknowledged it. An abandoned connection is killed on the server before its
//!    batch is sent again, so its delayed commands cannot arrive later. Therefore no older value replaces a newer one.
//! 3. A ticket is acknowledged only when `EXEC` has answered for every row before the ticket. Writing a row twice has
//!    the same effect as once, so a batch with an unknown outcome is sent again.
//! 4. Queued and in-flight rows never exceed [`RedisWriterSettings::queue_bytes_max`], except for a single larger
//!    batch. In addition, [`RecentRows`] keeps up to [`RECENT_ROWS_BYTES_MAX`] of written rows.
//! 5. The rows of a partition are written only while its fence in Redis holds the value that this writer wrote last.
//!    The same transaction writes the number of rows into the fence, so fence and rows never disagree. If another
//!    process has written the fence, or Redis holds an earlier value, the writer drops the rows of that partition. It
//!    reports a [`LostPartition`](windrow_engine::LostPartition) and still writes the rows of other partitions.
//! 6. No message and no log line holds the user or password of the URL.
//!
//! The writer never overwrites a key that holds something other than a hash. It asks `HLEN` for the key of each row,
//! leaves out rows with such keys, and reports each as a [`RefusedRow`](windrow_engine::RefusedRow). The `HLEN` takes
//! about 0.45 µs of the 2.7 µs that Redis needs for a row of five fields (measured). `MULTI` alone does not suffice:
//! after a refused `HSET`, `PEXPIRE` still sets a time to live on the key of another program. One gap remains, shorter
//! than a round trip: another program may create the key between `HLEN` and `EXEC`. That key is not overwritten but
//! gets the row's time to live.
//!
//! Fences are strings at `windrow:fence:{pipeline}:{group}:{partition}` and never expire. If a fence is deleted, the
//! owner of the partition returns to its last checkpoint. Invariant 5 needs no additional round trip: `WATCH` and `GET`
//! are sent together with `HLEN`, `SET` together with the rows. A row whose key is reserved for fences is refused.
//!
//! After a crash: rows and fences are as the last transaction left them. The fence tells the next owner which rows need
//! not be written again.
//!
//! The user of the URL needs access to the keys of the rows and to `~windrow:fence:*`. The user needs these commands:
//! `+hlen +hset +hdel +pexpire +watch +get +set +multi +exec +discard`. Killing abandoned connections (invariant 2)
//! also needs `+client|info +client|kill`. [`read_features`] needs `+hgetall +pttl +type +scan`.
//!
//! Why no script: an `EVAL` per row costs Redis 1.6 to 1.8 times as much as the single commands (measured). Why no
//! Redis Cluster: a transaction cannot span several slots. The start refuses a server in cluster mode.

mod address;
mod delivery;
mod fault;
mod features;
mod fence;
mod fence_claimer;
mod observe;
mod rows;
mod settings;
mod sink;
mod wire;
mod writer;

pub use delivery::queue::WriterCloseOutcome;
pub use features::{
    FeatureReader, KEYS_PER_SCAN_STEP, ReadFeaturesError, RowKey, StoredRow, StoredRowContents, read_features,
};
pub use fence_claimer::RedisFenceClaimer;
pub use observe::freshness::RowFreshnessHistograms;
pub use observe::recent_rows::{RecentRows, WrittenRow};
pub use observe::statistics::RedisWriterObserver;
pub use observe::status::RedisWriterStatus;
pub use settings::{BATCH_ROWS_MAX, FULL_BATCH_BYTES, RECENT_ROWS_BYTES_MAX, RedisWriterSettings};
pub use sink::RedisSink;
pub use writer::RedisWriter;
