//! Reads records from a Kafka topic.
//!
//! The consumer group assigns the partitions of a live job. The partitions of a bounded job are fixed at its start. In
//! both cases one consumer reads the records (`source/record_consumer.rs`), and the worker decides from which offsets.
//! Invariants: (1) Records of a partition arrive in offset order, each of them once per assignment. (2) If Kafka
//! deleted a record before it was read, the job halts or logs the loss. (3) While a rebalance is not acknowledged, the
//! worker's other partitions continue.

mod assignment_mode;
mod bounded_partitions;
mod kafka_source;
mod offset_commit;
mod read_progress;
mod record_consumer;
mod recovery;

pub use kafka_source::KafkaSource;
