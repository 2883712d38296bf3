//! Writes rows to Redis. Every row is a hash with a time to live. One thread per process writes all rows over one
//! connection.
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
//! Owns: encoding rows as commands, the memory of queued rows, delivery, retries and refused rows. Also owns reading
//! rows back ([`read_features`]), and the fences of partitions. A fence says who may write rows of a partition, and how
//! many of its rows Redis has. Does not own: when to flush or commit (the engine's worker), epochs (the checkpoint
//! store), the contents of a row (core).
//!
//! Invariants:
//! 1. A row appears whole. One transaction (`MULTI … EXEC`) writes all rows of an in-flight batch. No reader sees a row
//!    without some of its fields or without its time to live. A NULL feature has no field in the hash. If an earlier
//!    write of the row created a field for this feature, the transaction deletes the field.
//! 2. Rows of all workers reach Redis in the order in which the workers handed the rows over. Therefore no older row
//!    replaces a newer row. Only one batch is in flight at a time. The writer repeats this batch until Redis has
//!    answered its `EXEC`, and never writes an earlier batch again. Before the writer repeats a batch over a new
//!    connection, it kills the old connection on the server. Delayed commands of the old connection therefore never take
//!    effect.
//! 3. A [`FlushTicket`](windrow_engine::FlushTicket) is acknowledged only after Redis has answered `EXEC` for every row
//!    that was handed over before the flush. If the outcome of a batch is unknown, the writer sends the batch again.
//!    This is harmless, because writing a row twice has the same effect as writing the row once. With `wait_replicas` or
//!    `wait_aof` in the pipeline, the ticket is acknowledged only after Redis has also answered `WAIT` or `WAITAOF` with
//!    enough replicas and disks. One such wait is for all batches and claims that its connection executed before. A new
//!    connection first writes the fences of the unacknowledged ones again, because a wait on it proves nothing about an
//!    earlier connection; if a fence has another value, the rows are lost, which is reported before the ticket is
//!    acknowledged. A granted claim is answered after a wait too, because its owner omits the rows that it counts.
//! 4. Queued and in-flight rows take at most [`RedisWriterSettings::queue_bytes_max`] bytes, unless a single batch is
//!    larger. In addition, [`RecentRows`] keeps at most [`MAX_RECENT_ROWS_BYTES`] bytes of written rows.
//! 5. Rows of a partition are written only while the partition's fence in Redis holds the value that this writer wrote
//!    last. The transaction that writes rows also writes the new number of rows into the fence, so fence and rows
//!    always agree. The fence holds another value if another process has claimed the partition, or if Redis has lost
//!    its latest writes. In this case the writer drops the rows of the partition and reports a
//!    [`LostPartition`](windrow_engine::LostPartition). The rows of other partitions are still written.
//! 6. No message and no log line contains the user or the password of the URL.
//!
//! At the key of a row, another program may have stored a value that is not a hash. The writer never overwrites such a
//! value. Before the transaction, the writer sends `HLEN` for the key of each row. `HLEN` fails if the value is not a
//! hash. The writer then leaves out the row and reports a [`RefusedRow`](windrow_engine::RefusedRow). The `HLEN` takes
//! about 0.45 µs of the 2.7 µs that Redis needs for a row of five fields (measured). `MULTI` alone does not protect
//! such a key: Redis refuses `HSET`, but `PEXPIRE` still sets a time to live on the key. One gap remains, shorter than
//! a round trip: another program may create the key between `HLEN` and `EXEC`. The value of this key is not
//! overwritten, but the key gets the row's time to live.
//!
//! Fences are strings at the keys `windrow:fence:{pipeline}:{group}:{partition}` and never expire. If another program
//! deletes a fence, the owner of the partition restores the partition's last checkpoint. Invariant 5 needs no
//! additional round trip. The writer sends `WATCH` and `GET` for the fences together with `HLEN`, and `SET` for the
//! fences together with the rows. The writer refuses a row whose key begins with `windrow:fence:`.
//!
//! After a crash: rows and fences in Redis are as the last transaction left them. A fence holds the number of rows of
//! its partition that Redis already has. The next owner of the partition reads this number, and does not write these
//! rows again.
//!
//! The Redis user of the URL needs access to the keys of the rows and to `~windrow:fence:*`. This user needs the
//! commands `+hlen +hset +hdel +pexpire +watch +get +set +multi +exec +discard`. To kill the old connection (invariant
//! 2), the user also needs `+client|info +client|kill`. For `wait_replicas` the user also needs `+wait`, for `wait_aof`
//! `+waitaof`, and for [`read_features`] `+hgetall +pttl +type +scan`. Rows of sessions with allowed lateness delete the
//! keys of the rows that they supersede: the user also needs `+del`.
//!
//! Why no script: an `EVAL` per row costs Redis 1.6 to 1.8 times as much as the single commands (measured). Why no
//! Redis Cluster: a cluster refuses a transaction with keys of several hash slots. [`RedisWriter::start`] fails if the
//! server is in cluster mode.

mod address;
mod delivery;
mod fault;
mod features;
mod fence;
mod fence_claimer;
mod login;
mod observe;
mod rows;
mod settings;
mod sink;
mod transport;
mod wire;
mod writer;

pub use delivery::queue::WriterCloseOutcome;
pub use fault::NOT_ACKNOWLEDGED;
pub use features::{
    FeatureReader, KEYS_PER_SCAN_STEP, ReadFeaturesError, RowKey, StoredRow, StoredRowContents, read_features,
};
pub use fence_claimer::RedisFenceClaimer;
pub use observe::freshness::RowFreshnessHistograms;
pub use observe::recent_rows::{RecentRows, WrittenRow};
pub use observe::statistics::RedisWriterObserver;
pub use observe::status::RedisWriterStatus;
pub use settings::{FULL_BATCH_BYTES, MAX_BATCH_ROWS, MAX_RECENT_ROWS_BYTES, RedisWriterSettings};
pub use sink::RedisSink;
pub use transport::{InProcessRedis, RedisStream};
pub use writer::{RedisWriter, RedisWriterEnvironment};
