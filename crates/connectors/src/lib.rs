//! Connectors to Kafka, Redis, files and object stores.
//!
//! The engine defines interfaces for sources of records, sinks of rows, fences, dead letters and checkpoint stores.
//! This crate implements these interfaces. It does not compute windows or features. Each module owns the connections to
//! one system, and the classification of the system's errors.
//!
//! ```text
//!   kafka/source.rs ─┐                    ┌─► redis/sink.rs ─► rows/ ─► delivery/ ─► Redis
//!                    ├─► engine's worker ─┤
//!    file/source.rs ─┘      │       │     └─► file/rows.rs ─► JSON lines
//!                           │       │
//!             object_store.rs       └─► kafka/produce/dead_letters.rs, file/dead_letters.rs
//!        (checkpoints: a directory or a bucket)
//! ```
//!
//! Read first:
//! - [`redis.rs`](../src/windrow_connectors/redis.rs.html): how a row reaches Redis, and the invariants of the writer
//! - [`kafka/source.rs`](../src/windrow_connectors/kafka/source.rs.html): how a record arrives from Kafka
//! - [`object_store.rs`](../src/windrow_connectors/object_store.rs.html): where checkpoints are stored
//!
//! # Files
//!
//! The tables name every file. Paths are relative to `src`.
//!
//! ## Kafka: `kafka`
//!
//! | file | content |
//! |---|---|
//! | `kafka.rs` | the modules for Kafka |
//! | `kafka/bounded_close.rs` | closing a consumer in bounded time |
//! | `kafka/browse.rs` | the Kafka UI's requests to any cluster, and their invariants |
//! | `kafka/browse/browser.rs` | the Kafka cluster that the Kafka UI shows |
//! | `kafka/browse/cluster.rs` | brokers, with their addresses, replicas and disks |
//! | `kafka/browse/disks.rs` | sizes of replicas and disks |
//! | `kafka/browse/error.rs` | the errors of requests of the Kafka UI |
//! | `kafka/browse/groups.rs` | consumer groups: members, committed offsets, lag |
//! | `kafka/browse/groups/coordinator_requests.rs` | requests to the brokers that coordinate groups |
//! | `kafka/browse/groups/details.rs` | summaries of all groups, or the details of one |
//! | `kafka/browse/groups/members.rs` | descriptions of groups in one format |
//! | `kafka/browse/log_history.rs` | whether a partition still holds the records before a position |
//! | `kafka/browse/newest_records.rs` | a topic's newest records, read from the end of each partition |
//! | `kafka/browse/offsets.rs` | the first and end offsets of partitions |
//! | `kafka/browse/page.rs` | the parts of a page: records of all partitions, ordered by timestamp |
//! | `kafka/browse/page/backward.rs` | reads a partition towards older records |
//! | `kafka/browse/page/cursor.rs` | the common trait of both cursors |
//! | `kafka/browse/page/forward.rs` | reads a partition towards newer records |
//! | `kafka/browse/page/page_reader.rs` | merges the records of all partitions until the page is full |
//! | `kafka/browse/page/plan.rs` | the offsets that a page can read |
//! | `kafka/browse/page/record_buffer.rs` | records that were read, but are not on the page yet |
//! | `kafka/browse/page/record_page.rs` | the page that the Kafka UI receives |
//! | `kafka/browse/page/request.rs` | the request for a page |
//! | `kafka/browse/records.rs` | single records: read, truncated, followed, written |
//! | `kafka/browse/records/consumer.rs` | the consumer of the Kafka UI, with its settings |
//! | `kafka/browse/records/positions.rs` | one offset for each partition |
//! | `kafka/browse/records/preview.rs` | the first bytes of a key or value, as text or in base64 |
//! | `kafka/browse/records/produce_record.rs` | writes single records |
//! | `kafka/browse/records/record.rs` | a record for the Kafka UI; `message_contains` compares it with a search |
//! | `kafka/browse/records/tail.rs` | follows a topic and passes new records on in batches |
//! | `kafka/browse/topics.rs` | summaries of all topics, or the details of one |
//! | `kafka/browse/wire.rs` | sends requests to brokers in Kafka's protocol, without librdkafka |
//! | `kafka/browse/wire/announced_lengths.rs` | the check of the lengths that an answer announces |
//! | `kafka/browse/wire/answer_decoder.rs` | decodes the answer of a broker that may be hostile |
//! | `kafka/browse/wire/cluster_connections.rs` | the connections of one request, at most one to each broker |
//! | `kafka/browse/wire/connection.rs` | a connection to a broker, for requests that librdkafka lacks |
//! | `kafka/call_timeout.rs` | calls in bounded time while Kafka is unreachable |
//! | `kafka/client_config.rs` | the settings of librdkafka: for all clients, for record consumers, for members |
//! | `kafka/client_context.rs` | librdkafka's log lines |
//! | `kafka/dev_broker.rs` | the in-process mock broker |
//! | `kafka/fault.rs` | what an error of a consumer means for the job |
//! | `kafka/group.rs` | the consumer group |
//! | `kafka/group/assignment.rs` | the partitions of a member in Kafka's encoding |
//! | `kafka/group/leave.rs` | leaving the group in every state of the member (unsafe code) |
//! | `kafka/group/member_commits.rs` | the commits of one consumer whose answers are pending |
//! | `kafka/group/member_consumer.rs` | the consumer of a membership, and the thread that polls it |
//! | `kafka/group/membership.rs` | a worker's membership, which outlives a consumer whose static name Kafka refuses |
//! | `kafka/group/monitor.rs` | whether every partition has a member, after a restart with `--instance` |
//! | `kafka/group/name_refusals.rs` | how long a member tries to join with a static name that its group refuses |
//! | `kafka/group/rebalance_events.rs` | rebalances, acknowledged later, and when a member may commit |
//! | `kafka/group/refusal_reason.rs` | why Kafka refuses a member |
//! | `kafka/group/session_timeout.rs` | asks Kafka for the session timeout of a group |
//! | `kafka/halts.rs` | the halts of this connector |
//! | `kafka/produce.rs` | writing to topics |
//! | `kafka/produce/dead_letters.rs` | sending dead letters and late events |
//! | `kafka/produce/delivery_errors.rs` | the first record that Kafka refused |
//! | `kafka/produce/events.rs` | sending generated events |
//! | `kafka/produce/pending_deliveries.rs` | the records of one worker that Kafka has not answered yet |
//! | `kafka/source.rs` | how a record arrives from Kafka, with its invariants |
//! | `kafka/source/assignment_mode.rs` | which partitions are read |
//! | `kafka/source/bounded_partitions.rs` | how far bounded reading has come |
//! | `kafka/source/end_check.rs` | where partitions end, asked in a thread of its own |
//! | `kafka/source/fetch_statistics.rs` | how far partitions were fetched, also behind the ends of transactions |
//! | `kafka/source/kafka_source.rs` | the source: the calls of the worker |
//! | `kafka/source/leader_epoch.rs` | leader epochs of records and start positions |
//! | `kafka/source/offset_commit.rs` | commits in bounded time |
//! | `kafka/source/read_progress.rs` | the next offset of each partition |
//! | `kafka/source/record_consumer.rs` | the consumer that reads records |
//! | `kafka/source/recovery.rs` | errors, lost offsets and unreadable batches |
//! | `kafka/topic.rs` | the topic: lookup, id, bounds of its partitions |
//! | `kafka/topic/description.rs` | the topic's id (unsafe code) |
//! | `kafka/topic/lookup.rs` | the wait for Kafka and the topic at the start |
//! | `kafka/topic/monitor.rs` | whether the topic changed, whether Kafka answers, end offsets |
//! | `kafka/topic/partition_bounds.rs` | where partitions begin and end, and lost offsets |
//! | `kafka/unreadable_batch.rs` | the end of a batch that librdkafka cannot decompress |
//!
//! ## Redis: `redis`
//!
//! | file | content |
//! |---|---|
//! | `redis.rs` | how a row reaches Redis, with the invariants of the writer |
//! | `redis/address.rs` | the URL: parsing, every connection (with TLS too), display without the login |
//! | `redis/delivery.rs` | the path from queued batches to transactions |
//! | `redis/delivery/acknowledgement.rs` | `WAIT` and `WAITAOF`: waits until replicas and disks have the rows |
//! | `redis/delivery/command_list.rs` | commands with the meaning of their replies |
//! | `redis/delivery/connection.rs` | commands, replies and transactions on one connection |
//! | `redis/delivery/first_connection.rs` | the first connection, which waits until Redis is ready |
//! | `redis/delivery/queue.rs` | the bounded queue between workers and writer |
//! | `redis/delivery/retry_pause.rs` | pauses between attempts, with a random part |
//! | `redis/delivery/transaction.rs` | the transactions |
//! | `redis/delivery/unacknowledged.rs` | executed batches and claims that wait for replicas and disks |
//! | `redis/delivery/writer_thread.rs` | the thread that writes and retries |
//! | `redis/fault.rs` | what an error of Redis means |
//! | `redis/features.rs` | reading rows back |
//! | `redis/fence.rs` | fences: one key for each partition |
//! | `redis/fence/claim.rs` | what a claim does to the fence |
//! | `redis/fence/granted.rs` | the fences granted to this process, and which rows they let through |
//! | `redis/fence/key.rs` | a fence's key |
//! | `redis/fence/value.rs` | a fence's value, which begins with a version |
//! | `redis/fence_claimer.rs` | a worker's claims |
//! | `redis/login.rs` | the login on a new connection, and what Redis answers |
//! | `redis/observe.rs` | what the writer tells pages and metrics |
//! | `redis/observe/freshness.rs` | how fresh rows are when Redis acknowledges them |
//! | `redis/observe/outage_log.rs` | the log lines about outages of Redis |
//! | `redis/observe/recent_rows.rs` | the newest written rows, for pages |
//! | `redis/observe/refused_row_log.rs` | the log of refused rows, which limits the number of log lines |
//! | `redis/observe/statistics.rs` | what the writer counts |
//! | `redis/observe/status.rs` | these counts at one moment |
//! | `redis/rows.rs` | encoding rows |
//! | `redis/rows/batch.rs` | encoded rows in batches, and when a batch is full |
//! | `redis/rows/feedback.rs` | what the writer reports back to a worker |
//! | `redis/rows/row_encoder.rs` | a row as commands |
//! | `redis/settings.rs` | timeouts and bounds of the writer |
//! | `redis/sink.rs` | the sink of a worker |
//! | `redis/transport.rs` | the bytes between the writer and Redis; a Redis inside this process |
//! | `redis/wire.rs` | the wire format of commands |
//! | `redis/writer.rs` | the writer that all workers of a process share |
//!
//! ## Checkpoint stores: `object_store`
//!
//! | file | content |
//! |---|---|
//! | `object_store.rs` | checkpoint stores: opening each kind, and their invariants |
//! | `object_store/cloud.rs` | buckets of S3, Google Cloud Storage, Azure and compatible services |
//! | `object_store/cloud_or_memory.rs` | a store that is no directory: a bucket, or memory |
//! | `object_store/fault.rs` | what errors of a store mean |
//! | `object_store/local.rs` | a durable directory |
//! | `object_store/object_name.rs` | names of objects |
//! | `object_store/operations.rs` | the calls |
//! | `object_store/place.rs` | the locations of checkpoint stores, as users write them |
//! | `object_store/runtime.rs` | the runtime and timeout of the calls |
//!
//! ## Files: `file`
//!
//! | file | content |
//! |---|---|
//! | `file.rs` | JSON lines as source and sink |
//! | `file/dead_letters.rs` | dead letters and late events as JSON lines |
//! | `file/rows.rs` | rows and late events as JSON lines |
//! | `file/source.rs` | an opened file or pipe as one partition; the command `replay` opens it |
//! | `file/timeout_reader.rs` | reading a pipe with a timeout |
//!
//! ## Shared by them
//!
//! | file | content |
//! |---|---|
//! | `job.rs` | a pipeline as the job of a worker |
//! | `outage.rs` | since when and why a system has been unreachable; when the next log line is due |
//! | `value_text.rs` | the text forms of feature values, as files and Redis store them |
//!
//! # Where a change goes
//!
//! Here a path begins with the name of its crate, without `src`, or at the root of the repository.
//!
//! - **A sink**: A folder in `connectors/` that implements `engine::Sink` (`engine/sink.rs`) and its `RowFence`
//!   (`engine/fence.rs`). `spec/pipeline.rs`: a variant of `SinkSpec`. `spec/read/sink.rs`: its section; `spec/read.rs`
//!   builds `SinkSpec`, and `spec/read/view.rs` reads the settings of a view in the sink. `windrow/commands/run.rs`:
//!   start it. After the new variant, only the accessor `redis()` of `SinkSpec` fails to compile: search for its
//!   callers. Users of the Redis writer: `windrow/commands/demo.rs`, `windrow/instance_monitor.rs` and the files beside
//!   it.
//! - **A source**: A folder in `connectors/` that implements `engine::Source` (`engine/source.rs`). `spec/pipeline.rs`:
//!   a variant of `SourceSpec`. `spec/read/source.rs`. `windrow/worker_pool.rs` and `windrow/commands/run.rs`: start
//!   it. After the new variant, only the accessor `kafka()` of `SourceSpec` fails to compile. Search for its callers.
//! - **A librdkafka setting**: With its reason, for all clients, a worker's record consumer or its group member:
//!   `connectors/kafka/client_config.rs`. For generated events: `connectors/kafka/produce/events.rs`. For dead letters:
//!   `connectors/kafka/produce/dead_letters.rs`. For the Kafka UI's reads:
//!   `connectors/kafka/browse/records/consumer.rs`. For its sends: `connectors/kafka/browse/records/produce_record.rs`.
//!   For the search for the end of an unreadable batch: `connectors/kafka/unreadable_batch.rs`.
//! - **The form of a row**: In Redis: `connectors/redis/rows/row_encoder.rs` writes it, `connectors/redis/features.rs`
//!   reads it back. In files: `connectors/file/rows.rs`. The text of a value in both: `connectors/value_text.rs`.
//! - **A timeout or a bound of the Redis writer**: `connectors/redis/settings.rs`.
//! - **A field of the fence**: `connectors/redis/fence/value.rs`: its text in Redis, which begins with a version.
//!   `connectors/redis/fence/claim.rs`: what a claim does to it.
//! - **A kind of checkpoint store**: `connectors/object_store/place.rs`: its URL. `connectors/object_store/cloud.rs`:
//!   opening it; `connectors/object_store.rs` if it is no bucket. The store must be able to create an object only if it
//!   does not exist. `web/controls/savepoint_location.rs` compares places. `spec/read/checkpoint.rs` and
//!   `windrow/cli.rs`, `README.md`: the texts that list the URLs. `connectors/tests/object_store`.

pub mod file;
pub mod job;
pub mod kafka;
pub mod object_store;
pub mod outage;
pub mod redis;
mod value_text;
