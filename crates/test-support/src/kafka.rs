//! Helpers for the Kafka on which tests run: topics, records, groups and offsets.

mod dedicated_kafka;
mod group;
mod records;
mod test_kafka;
mod topics;

pub use dedicated_kafka::DedicatedKafka;
pub use group::IdleMember;
pub use records::{
    ConsumedRecord, OutgoingRecord, TestProducer, TestTransaction, TransactionOutcome, UncommittedTransaction,
};
pub use test_kafka::TestKafka;
pub use topics::PartitionReplicas;
