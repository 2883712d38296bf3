//! A look at the writer from elsewhere.

use std::sync::Arc;

use super::freshness::RowFreshness;
use super::queue::WriteQueue;
use super::recent::RecentRows;
use super::status::RedisWriterStatus;

/// What the writer can say of itself, for anybody who asks. Outlives the writer.
#[derive(Clone)]
pub struct RedisWriterObserver(Arc<WriteQueue>);

impl RedisWriterObserver {
    pub(super) fn new(queue: Arc<WriteQueue>) -> Self {
        Self(queue)
    }

    /// The counters now.
    #[must_use]
    pub fn status(&self) -> RedisWriterStatus {
        self.0.status()
    }

    /// How fresh rows were when they arrived.
    #[must_use]
    pub fn freshness(&self) -> &RowFreshness {
        self.0.freshness()
    }

    /// The rows that were written lately.
    #[must_use]
    pub fn recent_rows(&self) -> RecentRows {
        self.0.recent().clone()
    }
}
