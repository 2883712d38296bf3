//! Whether a dependency is reachable.

use serde::{Deserialize, Serialize};

/// Whether Kafka, Redis or the checkpoint store is reachable.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ReachabilityReport {
    /// When the dependency became unreachable; absent while it is reachable.
    pub away_since_ms: Option<i64>,
    /// The error that the dependency or its client gave.
    pub reason: Option<String>,
}

impl ReachabilityReport {
    /// Returns whether the dependency is unreachable.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        self.away_since_ms.is_some()
    }
}
