//! The engine: turns records into rows with one worker per thread.
//!
//! Owns: decoding, the worker loop, the interfaces to input and output, counters. Does not own: the meaning of windows
//! (core), Kafka, Redis or files (connectors), flags and printing (the binary).

pub mod checkpoint;
mod clock;
mod dead_letters;
mod decode;
mod fence;
mod halt;
mod job;
mod metrics;
mod reach;
mod sink;
mod source;
mod stop;
mod worker;

pub use checkpoint::{CheckpointStore, CheckpointStores, Checkpoints, Listed, StoreFault};
pub use clock::{Clock, MonotonicClock};
pub use dead_letters::{CountOnly, DeadLetter, DeadLetters};
pub use decode::{Decoder, MAX_DEPTH, MAX_RECORD_BYTES, Malformed};
pub use fence::{Claim, Claimed, Epoch, Fence, Loss, Lost, NoFence, Origin, RowCount};
pub use halt::Halt;
pub use job::Job;
pub use metrics::{
    CheckpointEvent, CheckpointMetrics, CheckpointState, Counter, Histogram, HistogramCounts, Kept, LateEvent, Mark,
    MarkKind, Notes, PartitionFacts, Partitions, RestoredEvent, Times, Unfit, ViewMetrics, WorkerMetrics,
};
pub use reach::{Absence, Reachability};
pub use sink::{Cause, RefusedRow, Sink, Ticket};
pub use source::{Offset, Partition, Polled, Positions, Record, Source};
pub use stop::Stop;
pub use worker::{Ended, Worker};
