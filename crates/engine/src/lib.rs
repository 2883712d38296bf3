//! The engine: turns records into rows with one worker per thread.
//!
//! Owns: decoding, the worker loop, the interfaces to input and output, counters. Does not own: the meaning of windows
//! (core), Kafka, Redis or files (connectors), flags and printing (the binary).

pub mod checkpoint;
mod clock;
mod dead_letters;
mod decode;
mod fault_class;
mod fence;
mod halt;
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
pub use decode::{DecodeError, EventDecoder, MAX_DEPTH, MAX_RECORD_BYTES};
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
