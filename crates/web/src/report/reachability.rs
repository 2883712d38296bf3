//! The reachability of a dependency.

use serde::{Deserialize, Serialize};

/// The reachability of Kafka, Redis or the checkpoint store.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ReachabilityReport {
    /// The time at which the dependency became unreachable; absent while it is reachable.
    pub away_since_ms: Option<i64>,
    /// The error of the dependency or its client.
    pub reason: Option<String>,
}

impl ReachabilityReport {
    /// Returns whether the dependency is unreachable.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        self.away_since_ms.is_some()
    }
}
