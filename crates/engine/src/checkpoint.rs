//! Checkpoints: what a partition's shard knew, kept so that the next owner of the partition goes on from there.

mod store;

pub use store::{CheckpointStore, CheckpointStores, Listed, StoreFault};
