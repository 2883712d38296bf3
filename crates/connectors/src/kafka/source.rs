//! Records from a Kafka topic.
//!
//! Partitions are assigned by the consumer group (a live job), or fixed at the start (a bounded job). In both cases one
//! consumer reads the records (`source/record_consumer.rs`), and only the worker decides at which offsets it starts.
//! Invariants: (1) records of a partition come in offset order, each once per assignment; (2) an offset that Kafka no
//! longer has is never skipped silently; (3) while a rebalance waits for its acknowledgement, the worker's other
//! partitions continue.

mod assignment_mode;
mod bounded_partitions;
mod kafka_source;
mod offset_commit;
mod read_progress;
mod record_consumer;
mod recovery;

pub use kafka_source::KafkaSource;
