//! A look at the writer from elsewhere.

use std::sync::Arc;

use super::freshness::Freshness;
use super::queue::Queue;
use super::recent::RecentRows;
use super::status::Status;

/// What the writer can say of itself, for anybody who asks. Outlives the writer.
#[derive(Clone)]
pub struct RedisWatch(Arc<Queue>);

impl RedisWatch {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self(queue)
    }

    /// The counters now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.status()
    }

    /// How fresh rows were when they arrived.
    #[must_use]
    pub fn freshness(&self) -> &Freshness {
        self.0.freshness()
    }

    /// The rows that were written lately.
    #[must_use]
    pub fn recent(&self) -> RecentRows {
        self.0.recent().clone()
    }
}
