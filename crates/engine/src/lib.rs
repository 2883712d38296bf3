//! The engine turns the records of partitions into rows of features, with one worker per thread.
//!
//! A [`Worker`] polls its [`Source`], decodes each record into an event, and passes the event to the shard of the
//! record's partition. The worker writes the resulting rows to its [`Sink`]. A separate checkpoint thread claims
//! partitions, restores their shards and writes their checkpoints. So the worker's loop does not wait for the
//! [`CheckpointStore`] while records arrive. Every worker counts its work in [`WorkerMetrics`], which any thread may
//! read.
//!
//! ```text
//!             records                events                 rows
//!   Source ─────────────► decoder ─────────────► shard ─────────────► Sink
//!     ▲                      │                (windrow-core)            │
//!     │                      │ not an event        │ snapshot           │ acknowledged
//!     │                      ▼                     ▼                    ▼
//!     │               DeadLetterSink        checkpoint thread ◄── the checkpoint may complete
//!     │                                            │
//!     │                                            ▼
//!     └─────── offsets are committed ◄────── CheckpointStore
//! ```
//!
//! Owns: decoding, the worker, checkpoints, counters, and the interfaces to input, output and time. Does not own: the
//! rules of windows (`windrow-core`), access to Kafka, Redis, files and object stores (`windrow-connectors`),
//! command-line flags and printing (the binary).
//!
//! Read first: the worker's loop in [`worker/run_loop.rs`](../src/windrow_engine/worker/run_loop.rs.html), the phases
//! of a partition in [`worker/partition_phase.rs`](../src/windrow_engine/worker/partition_phase.rs.html), and the
//! definition of a checkpoint in [`checkpoint.rs`](../src/windrow_engine/checkpoint.rs.html).

pub mod checkpoint;
mod clock;
mod dead_letters;
mod decode;
mod fault_class;
mod fence;
pub mod halt;
mod identifiers;
mod job;
mod manual_clock;
mod metrics;
mod retry_backoff;
mod sink;
mod source;
mod stop_signal;
mod worker;

pub use checkpoint::{CheckpointConfig, CheckpointStore, CheckpointStoreOpener, ListedObject, StoreFault};
pub use clock::{Clock, SystemClock};
pub use dead_letters::{DeadLetter, DeadLetterSink, NoDeadLetterSink, RefusedRow};
pub use decode::{DecodeError, EventDecoder, MAX_NESTING_DEPTH, MAX_RECORD_BYTES};
pub use fault_class::FaultClass;
pub use fence::{ClaimOutcome, LostPartition, NoRowFence, PartitionClaim, PartitionLossReason, RowFence, ViewRowCount};
pub use halt::Halt;
pub use identifiers::{Epoch, FenceToken, Offset, Partition, PartitionOffsets};
pub use job::JobDefinition;
pub use manual_clock::ManualClock;
pub use metrics::{
    CheckpointMetrics, CheckpointRecord, CheckpointState, Counter, DeadLetterRecord, Histogram, HistogramCounts,
    LateEventRecord, PartitionStatus, PartitionStatuses, RecentEvents, RestoreRecord, TimelineMark, TimelineMarkKind,
    TruncatedBytes, ViewMetrics, WorkerMetrics, WorkerTimeUse,
};
pub use retry_backoff::RetryBackoff;
pub use sink::{FlushTicket, Sink, TriggerRecord};
pub use source::{CommitWait, PollOutcome, Source, SourceRecord};
pub use stop_signal::StopSignal;
pub use worker::{Worker, WorkerOutcome, WorkerParts};
