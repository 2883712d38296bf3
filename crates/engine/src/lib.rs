//! The engine turns the records of partitions into rows of features, with one worker per thread.
//!
//! A [`Worker`] polls its [`Source`], decodes each record into an event, and passes the event to the shard of the
//! record's partition. The worker writes the resulting rows to its [`Sink`]. Opening threads claim
//! partitions and restore their shards, and a checkpoint thread writes checkpoints. So the worker's loop does not wait for
//! the [`CheckpointStore`] while records arrive. Every worker counts its work in [`WorkerMetrics`], which any thread may
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
//!
//! # Files
//!
//! The tables name every file. Paths are relative to `src`.
//!
//! ## The worker: `worker`
//!
//! | file | content |
//! |---|---|
//! | `worker.rs` | a worker, with its parts and invariants |
//! | `worker/active_snapshot.rs` | the data of the snapshot that is being taken |
//! | `worker/clock_reading.rs` | both clocks at the same moment |
//! | `worker/end_check_state.rs` | the question whether partitions were read to their ends |
//! | `worker/event_recorder.rs` | the log line and the counter of whatever is logged |
//! | `worker/fencing.rs` | partitions that another worker has claimed, or whose rows are lost |
//! | `worker/group_presence.rs` | leaves the consumer group while the store does not answer |
//! | `worker/membership_state.rs` | whether the worker is a member of its group |
//! | `worker/idle_partitions.rs` | partitions without new records, whose watermarks follow the wall clock |
//! | `worker/key_text.rs` | the text of keys in messages |
//! | `worker/owned_partition.rs` | the data of an opened partition |
//! | `worker/parking.rs` | partitions with a fault of their own, which are parked and opened again later |
//! | `worker/partition_change_queue.rs` | the pending changes of partitions, in order |
//! | `worker/partition_clock.rs` | the decisions of the wall clock about a partition, made and repeated |
//! | `worker/partition_changes.rs` | partitions that are assigned or revoked |
//! | `worker/partition_openings.rs` | partitions that are opened, each on its own |
//! | `worker/partition_phase.rs` | the phases of a partition, and all transitions |
//! | `worker/record_key_check.rs` | records without a key, and misplaced records |
//! | `worker/row_emitter.rs` | shard output to sink; counts rows and late events; omits rows already written |
//! | `worker/run_loop.rs` | the loop (poll, decode, process, flush) and its end; counts records |
//! | `worker/snapshots.rs` | when a checkpoint begins, and when it counts |
//! | `worker/state.rs` | the data of a worker, and its constructor |
//! | `job.rs` | what a worker computes |
//! | `stop_signal.rs` | the request to stop |
//!
//! ## Checkpoints: `checkpoint`
//!
//! | file | content |
//! |---|---|
//! | `checkpoint.rs` | what a checkpoint is; the steps from request to completed checkpoint |
//! | `checkpoint/checkpoint_limits.rs` | which checkpoint is best: rows that Redis lost, records that Kafka lost |
//! | `checkpoint/checkpoint_thread.rs` | calls the checkpoint store; `build_manifest` fills the manifest |
//! | `checkpoint/checkpoint_thread_handle.rs` | the worker's handle of this thread |
//! | `checkpoint/checksummed_text.rs` | the form of manifests, summaries and requests: title, checksum, body |
//! | `checkpoint/claim_partition.rs` | opening a partition: claim an epoch, restore, claim the fence |
//! | `checkpoint/config.rs` | the settings of checkpoints and the services that they use |
//! | `checkpoint/copy_state_objects.rs` | copies of an older checkpoint's state, which no earlier deletion contains |
//! | `checkpoint/create_object.rs` | creates an object, also if an earlier attempt may have succeeded |
//! | `checkpoint/epoch_claim.rs` | which epoch owns a partition |
//! | `checkpoint/find_checkpoint.rs` | the newest readable checkpoint of a partition |
//! | `checkpoint/inspect.rs` | reads stored state for `windrow state` and the pages, without changes |
//! | `checkpoint/inspect/state_objects.rs` | the bytes of state per feature view |
//! | `checkpoint/manifest.rs` | the manifest: the list of the state objects of a checkpoint |
//! | `checkpoint/missing_rows.rs` | rows that the row store has lost and that no checkpoint produces again |
//! | `checkpoint/object_errors.rs` | why a manifest or a state object cannot be used |
//! | `checkpoint/object_names.rs` | the names of objects in the checkpoint store |
//! | `checkpoint/opened_partition.rs` | the data of a partition in each step of its opening |
//! | `checkpoint/opening_messages.rs` | the messages between a worker and the thread that opens a partition |
//! | `checkpoint/opening_store.rs` | the checkpoint store for one opening, until the opening is abandoned |
//! | `checkpoint/opening_thread.rs` | the thread that opens one partition |
//! | `checkpoint/overtaken_checkpoints.rs` | checkpoints that were created too late to count |
//! | `checkpoint/partition_checkpoints.rs` | which checkpoints are kept; base or delta next |
//! | `checkpoint/partition_opener.rs` | how many partitions are opened at once |
//! | `checkpoint/restore_behind_truncation.rs` | a partition whose source has lost records that were already read |
//! | `checkpoint/restore_shard.rs` | a shard from the state objects of a checkpoint |
//! | `checkpoint/retention.rs` | which objects no kept checkpoint needs |
//! | `checkpoint/row_numbering_fingerprint.rs` | whether row numbers are comparable with those in Redis |
//! | `checkpoint/savepoint_request.rs` | how a savepoint is requested from all instances |
//! | `checkpoint/savepoint_summary.rs` | the object that describes a complete savepoint |
//! | `checkpoint/snapshot_limits.rs` | how many bytes of a snapshot are saved, cut and waiting |
//! | `checkpoint/state_completeness.rs` | from which windows on the features of a partition are complete |
//! | `checkpoint/state_migration.rs` | which stored state each view and feature of a changed pipeline gets |
//! | `checkpoint/state_object.rs` | the format of state objects, with its version |
//! | `checkpoint/store.rs` | the interface to the checkpoint store |
//! | `checkpoint/store_fault_extent.rs` | whether the store itself refuses an opening, or one partition has a fault |
//! | `checkpoint/store_findings.rs` | whether a fault of the store concerns one partition or all; what else is known of it |
//! | `checkpoint/store_probe.rs` | finds out when the store answers again |
//! | `checkpoint/store_retry.rs` | retries while the store is unreachable, until a stop or the end of the opening |
//! | `checkpoint/take_savepoint.rs` | taking a savepoint |
//! | `checkpoint/snapshot_failure.rs` | why a snapshot does not become a checkpoint |
//! | `checkpoint/thread_messages.rs` | the messages between a worker and its checkpoint thread |
//!
//! ## Decoding: `decode`
//!
//! | file | content |
//! |---|---|
//! | `decode.rs` | decoding the payload of a record |
//! | `decode/error.rs` | the reasons why a record is not an event |
//! | `decode/event_decoder.rs` | from the bytes of a record to an event |
//! | `decode/event_time_text.rs` | event times as texts, numbers and arrays |
//! | `decode/json.rs` | JSON text to an event |
//! | `decode/json/decode_context.rs` | what all visitors of a record share |
//! | `decode/json/entity_key.rs` | the entity key |
//! | `decode/json/event.rs` | the object of a record |
//! | `decode/json/event_time.rs` | the event time |
//! | `decode/json/field_value.rs` | the value of a declared field |
//! | `decode/json/lone_surrogates.rs` | escapes of half a character in JSON strings |
//! | `decode/json/member_name.rs` | which members the schema declares |
//! | `decode/json/similar_member.rs` | a missing field whose name is written in another way |
//! | `decode/json/source_text.rs` | values that become texts as they are written |
//! | `decode/limits.rs` | bounds of records |
//! | `decode/rules.rs` | what a pipeline declares about its records |
//! | `decode/time_plausibility.rs` | event times that another unit or format would explain |
//!
//! ## Keys of records: `record_key`
//!
//! | file | content |
//! |---|---|
//! | `record_key.rs` | what record keys show about the placement of records |
//! | `record_key/key_form.rs` | entity keys in record keys: text, JSON, integers, Avro |
//! | `record_key/key_partition.rs` | the partitioners of Kafka's clients |
//! | `record_key/misplacement_detector.rs` | evidence that records of one entity are in several partitions |
//! | `record_key/placement_rules.rs` | what a job knows about the placement of its records |
//!
//! ## Interfaces and identifiers
//!
//! | file | content |
//! |---|---|
//! | `clock_decisions.rs` | what the wall clock has decided about a partition |
//! | `source.rs` | the interface to the input: records, offsets, changes of partitions |
//! | `sink.rs` | the interface to the output: rows and flushes |
//! | `log_history.rs` | whether the log still holds the records before a position |
//! | `log_position.rs` | positions and ranges of offsets in a log |
//! | `fence.rs` | the interface to the fence of a row store |
//! | `opening_abandonment.rs` | whether a worker no longer waits for the opening of a partition |
//! | `row_counts.rs` | counts of rows, and which rows a row store lacks |
//! | `dead_letters.rs` | the interface to dead letters and late records, and what they contain |
//! | `clock.rs` | the interface to time; the engine's only access to the clocks |
//! | `manual_clock.rs` | the clock of tests |
//! | `wakeup.rs` | lets a thread wait until another thread has something for it |
//! | `message_channel.rs` | a channel from one thread to another |
//! | `thread_spawner.rs` | the interface to threads |
//! | `out_of_orderness_text.rs` | the maximum out-of-orderness in the text of a manifest |
//! | `identifiers.rs` | partition, offset, epoch, fence token |
//!
//! ## Faults: `halt`
//!
//! | file | content |
//! |---|---|
//! | `halt.rs` | the reasons why a job halts, and which of them concern one partition |
//! | `halt/error_chain.rs` | renders errors with their sources |
//! | `halt/input_fault.rs` | records without keys, lost offsets, topics that are missing or changed |
//! | `halt/output_fault.rs` | rows, dead letters or events that cannot be written |
//! | `halt/service_fault.rs` | a service that did not answer, or refused |
//! | `halt/state_fault.rs` | stored state that cannot be used, and faults of the checkpoint store |
//! | `fault_class.rs` | whether a fault is transient, needs an operator or is a bug |
//! | `retry_backoff.rs` | growing delays of retry loops |
//!
//! ## Metrics: `metrics`
//!
//! | file | content |
//! |---|---|
//! | `metrics.rs` | what a worker publishes for pages and metrics |
//! | `metrics/checkpoint_metrics.rs` | counts and the newest checkpoints of a worker |
//! | `metrics/counter.rs` | one counter |
//! | `metrics/histogram.rs` | durations in buckets from a millisecond to a day |
//! | `metrics/missing_rows.rs` | the rows that the row store has lost and that a worker cannot write again |
//! | `metrics/parked_partitions.rs` | the partitions that a worker has parked because of a fault |
//! | `metrics/partition_status.rs` | what a worker publishes about its partitions |
//! | `metrics/recent_events.rs` | the newest late events, dead letters and chart marks of a worker |
//! | `metrics/worker_metrics.rs` | the counters of a worker and of its feature views |
//! | `metrics/worker_time_use.rs` | busy, idle and blocked time of a worker |
//!
//! # Where a change goes
//!
//! Here a path begins with the name of its crate, without `src`, or at the root of the repository.
//!
//! - **An event format**: `core/event.rs`: a variant of `EventFormat`. A file beside `engine/decode/json.rs`, and its
//!   arm in `engine/decode/event_decoder.rs`. `spec/read/event.rs`.
//! - **A form of record keys, a partitioner**: `engine/record_key/key_form.rs`; `core/record_placement.rs`,
//!   `engine/record_key/key_partition.rs`, `spec/read/source.rs`.
//! - **A conversion of a value to another type**: `engine/decode/json/field_value.rs`; the table of types in
//!   `docs/pipeline.md`, which a test of `engine/decode/tests.rs` runs.
//! - **A spelling of event times**: `engine/decode/event_time_text.rs`, `engine/decode/tests.rs`.
//! - **The detection of a halt**: Records: `engine/worker/record_key_check.rs`. The topic:
//!   `connectors/kafka/topic/monitor.rs`. Lost offsets: `connectors/kafka/topic/partition_bounds.rs`. Errors of a
//!   consumer: `connectors/kafka/fault.rs`. The consumer group: `connectors/kafka/group/refusal_reason.rs`. Redis:
//!   `connectors/redis/fault.rs`. Claims by others: `engine/worker/fencing.rs`. Stored state:
//!   `engine/checkpoint/find_checkpoint.rs`, `engine/checkpoint/restore_shard.rs`.
//! - **A halt with an existing exit code**: a variant of the fault's type in `engine/halt/`: `InputFault` in
//!   `engine/halt/input_fault.rs`, `OutputFault` in `engine/halt/output_fault.rs`, `UnreachableService` or
//!   `ServiceRefusal` in `engine/halt/service_fault.rs`, a type of `engine/halt/state_fault.rs`. Its hint in
//!   `windrow/halt_message.rs`. Its fault row in `docs/faults.md`.
//! - **A halt with an exit code of its own**: a type of its own in `engine/halt/`, for example beside `LostOffset` in
//!   `engine/halt/input_fault.rs`; a variant of `Halt` in `engine/halt.rs` that holds it; the code in
//!   `windrow/exit.rs`, its arm in `windrow/halt_message.rs`, and the tables of exit codes: `EXIT_CODE_HELP` in
//!   `windrow/exit.rs`, `README.md`, `README.ko.md`, `windrow/tests/cli/exit_codes.rs`.
//! - **A field of a checkpoint's manifest**: `engine/checkpoint/manifest.rs`: the field. `build_manifest` in
//!   `engine/checkpoint/checkpoint_thread.rs`: its value. `windrow/commands/state/show.rs` and
//!   `windrow/commands/state/list.rs` show it. `windrow/tests/old_state`: older manifests without the field.
//! - **How long checkpoints are kept**: `add_completed_manifest` in `engine/checkpoint/partition_checkpoints.rs`;
//!   `engine/checkpoint/retention.rs` finds the objects to delete.
//! - **A phase of a partition**: `engine/worker/partition_phase.rs` with its table of transitions, and the diagram in
//!   `ARCHITECTURE.md`, which a test compares.
//! - **A counter of a worker**: `engine/metrics/worker_metrics.rs`: the counter. The place that counts:
//!   `engine/worker/row_emitter.rs` for rows and late events of a view, `engine/worker/run_loop.rs` for records and
//!   bytes read, `engine/worker/event_recorder.rs` for whatever is also logged, `engine/metrics/checkpoint_metrics.rs`
//!   for checkpoints. A counter of a partition: `PartitionReadStats` and `build_status` in
//!   `engine/worker/owned_partition.rs`, and `engine/metrics/partition_status.rs`. Then report and show it: see the
//!   front page of the crate `web`.
//! - **A log line of a worker**: A function in `engine/worker/event_recorder.rs`. Of its checkpoint thread: the file in
//!   `engine/checkpoint/` where it happens.
//! - **A mark in the charts**: `TimelineMarkKind` in `engine/metrics/recent_events.rs`, its place in
//!   `engine/worker/event_recorder.rs`, its kind in `windrow/instance_monitor/recent_events.rs` and
//!   `web/report/history.rs`. `web/assets/job/charts.js`, `web/types/job-api.d.ts`.
//! - **The form of a dead letter**: `engine/dead_letters.rs`: what it contains.
//!   `connectors/kafka/produce/dead_letters.rs`: its headers in Kafka. `connectors/file/dead_letters.rs`: its line in a
//!   file.

pub mod checkpoint;
mod clock;
mod clock_decisions;
mod dead_letters;
mod decode;
mod fault_class;
mod fence;
pub mod halt;
mod identifiers;
mod job;
mod log_history;
mod log_position;
mod manual_clock;
mod message_channel;
mod metrics;
mod opening_abandonment;
mod out_of_orderness_text;
mod record_key;
mod retry_backoff;
mod row_counts;
mod sink;
mod source;
mod stop_signal;
mod thread_spawner;
mod wakeup;
mod worker;

pub use checkpoint::{CheckpointConfig, CheckpointStore, CheckpointStoreOpener, ListedObject, StoreFault};
pub use clock::{Clock, SystemClock};
pub use clock_decisions::{ClockDecision, ClockDecisions, ClockEffect};
pub use dead_letters::{DeadLetter, DeadLetterSink, LateRecord, NoDeadLetterSink, RefusedRow, RejectedContent};
pub use decode::{DecodeError, DecodeRules, EventDecoder, MAX_RECORD_BYTES};
pub use fault_class::FaultClass;
pub use fence::{
    ClaimOutcome, GrantedClaim, LostPartition, MissingRowsPolicy, NoRowFence, PartitionClaim, PartitionLossReason,
    RowFence,
};
pub use halt::Halt;
pub use identifiers::{Epoch, FenceToken, LeaderEpoch, Offset, Partition, PartitionOffsets};
pub use job::{ClockRules, IdleTimeout, JobDefinition};
pub use log_history::{LogHistory, LogHistoryFault, UnknownLogHistory};
pub use log_position::{HeldOffsets, LogPosition};
pub use manual_clock::ManualClock;
pub use metrics::{
    CheckpointMetrics, CheckpointRecord, CheckpointState, Counter, DeadLetterRecord, FeatureOverflowCounts, Histogram,
    HistogramCounts, InputProblem, InputProblemKind, LateEventRecord, MissingRowsMetrics, MissingRowsRecord,
    ParkedPartition, ParkedPartitions, PartitionStatus, PartitionStatuses, RecentEvents, RestoreRecord, TimelineMark,
    TimelineMarkKind, TruncatedBytes, ViewMetrics, WorkerMetrics, WorkerTimeUse,
};
pub use opening_abandonment::OpeningAbandonment;
pub use record_key::RecordPlacementRules;
pub use retry_backoff::RetryBackoff;
pub use row_counts::{CountedRows, EarlierRowCount, StoredRows, ViewRowCount};
pub use sink::{FlushTicket, Sink, TriggerRecord};
pub use source::{CommitWait, GroupDeparture, PollOutcome, Source, SourceRecord, StartOffset, StartOffsets};
pub use stop_signal::StopSignal;
pub use thread_spawner::{OsThreadSpawner, ThreadBody, ThreadSpawner};
pub use wakeup::{NotificationCount, Wakeup};
pub use worker::{Worker, WorkerOutcome, WorkerParts};
