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

pub use checkpoint::{CheckpointConfig, CheckpointStore, CheckpointStoreOpener, ListedObject, StoreFault};
pub use clock::{Clock, SystemClock};
pub use dead_letters::{DeadLetter, DeadLetterSink, NoDeadLetterSink};
pub use decode::{DecodeError, EventDecoder, MAX_DEPTH, MAX_RECORD_BYTES};
pub use fence::{
    ClaimOutcome, Epoch, FenceToken, LostPartition, NoRowFence, PartitionClaim, PartitionLossReason, RowFence,
    ViewRowCount,
};
pub use halt::Halt;
pub use job::JobDefinition;
pub use metrics::{
    CheckpointMetrics, CheckpointRecord, CheckpointState, Counter, DeadLetterRecord, Histogram, HistogramCounts,
    LateEventRecord, PartitionStatus, PartitionStatuses, RecentEvents, RestoreRecord, TimelineMark, TimelineMarkKind,
    TruncatedBytes, ViewMetrics, WorkerMetrics, WorkerTimeUse,
};
pub use reach::{DependencyOutage, Reachability};
pub use sink::{FlushTicket, RefusedRow, Sink, TriggerRecord};
pub use source::{Offset, Partition, PartitionOffsets, PollOutcome, Source, SourceRecord};
pub use stop::StopSignal;
pub use worker::{Worker, WorkerOutcome};
