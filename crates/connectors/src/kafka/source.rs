//! Reads records from a Kafka topic.
//!
//! The consumer group assigns the partitions of a live job. The partitions of a bounded job are fixed at its start. In
//! both cases each worker has one consumer that reads the records (`source/record_consumer.rs`), and the worker decides
//! at which offsets reading begins.
//! Invariants: (1) Records of a partition arrive in the order of offsets. While a partition stays assigned to a worker,
//! each of its records arrives once. (2) If Kafka deleted unread records, the job halts or logs the loss. (3) Until a
//! rebalance is acknowledged, the worker continues to read its other partitions.

mod assignment_mode;
mod bounded_partitions;
mod end_check;
mod fetch_statistics;
mod kafka_source;
mod leader_epoch;
mod offset_commit;
mod read_progress;
mod record_consumer;
mod recovery;

pub use kafka_source::KafkaSource;
