//! The worker's question to its source whether partitions were read to their ends.

use std::collections::BTreeMap;
use std::time::Duration;

use super::clock_reading::ClockReading;
use crate::{FenceToken, Partition};

/// The worker's question whether partitions were read to their ends.
#[derive(Debug, Default)]
pub(super) struct IdlePartitionCheck {
    pub(super) next_question_at: Duration,
    pub(super) pending: Option<PendingEndCheck>,
}

/// A question that the source has not answered.
#[derive(Debug)]
pub(super) struct PendingEndCheck {
    pub(super) asked_at: ClockReading,
    /// For each partition, its fence token and the number of processed records when the question was asked.
    pub(super) states: BTreeMap<Partition, (FenceToken, u64)>,
}
