//! The report on one dependency of an instance: Kafka, Redis or the checkpoint store.

use serde::{Deserialize, Serialize};
use windrow_connectors::redis::NOT_ACKNOWLEDGED;

/// Whether a dependency (Kafka, Redis or the checkpoint store) is reachable. If the dependency is unreachable, the
/// report also says since when and why.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ReachabilityReport {
    /// The time at which the dependency became unreachable; absent while the dependency is reachable.
    #[serde(rename = "away_since_ms")]
    pub unreachable_since_ms: Option<i64>,
    /// The error that the dependency or its client returned last; absent while the dependency is reachable.
    #[serde(rename = "reason")]
    pub unreachable_reason: Option<String>,
}

impl ReachabilityReport {
    /// Returns whether the dependency is unreachable.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        self.unreachable_since_ms.is_some()
    }

    /// Returns whether Redis answers, and only replicas or disks lack written rows. Rows can be read then.
    #[must_use]
    pub fn lacks_acknowledgement_only(&self) -> bool {
        self.unreachable_reason.as_deref().is_some_and(|reason| reason.starts_with(NOT_ACKNOWLEDGED))
    }
}
