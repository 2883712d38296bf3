//! The log lines about outages of Redis.

use std::time::Duration;

use crate::outage::OutageNotice;
use crate::redis::address::RedisAddress;
use crate::redis::fault::MissingAcknowledgement;

/// If `notice` says that a log line is due, logs that Redis at `address` accepts no rows because of `reason`.
pub(crate) fn log_outage(notice: Option<OutageNotice>, address: &RedisAddress, reason: &str) {
    match notice {
        None => {}
        Some(OutageNotice::Began) => {
            tracing::warn!(%address, reason, "waiting for Redis (sink.redis.url)");
        }
        Some(OutageNotice::Continues(duration)) => {
            let seconds = duration.as_secs();
            tracing::warn!(%address, reason, seconds, "still waiting for Redis (sink.redis.url)");
        }
    }
}

/// If `notice` says that a log line is due, logs that replicas or disks of the Redis at `address` lack written rows because
/// of `reason`.
pub(crate) fn log_missing_acknowledgement(notice: Option<OutageNotice>, address: &RedisAddress, reason: &str) {
    match notice {
        None => {}
        Some(OutageNotice::Began) => {
            tracing::warn!(%address, reason, "waiting until Redis acknowledges rows");
        }
        Some(OutageNotice::Continues(duration)) => {
            let seconds = duration.as_secs();
            tracing::warn!(%address, reason, seconds, "still waiting until Redis acknowledges rows");
        }
    }
}

/// If an outage has ended, logs that Redis at `address` is reachable again. `ended` is the duration of this outage.
pub(crate) fn log_recovery(ended: Option<Duration>, address: &RedisAddress) {
    if let Some(duration) = ended {
        let seconds = format_args!("{:.1}", duration.as_secs_f64());
        tracing::info!(%address, seconds, "Redis is reachable again");
    }
}

/// Logs that replicas or disks of the Redis at `address` have the written rows again after `duration`. `missing` is what
/// lacked them last.
pub(crate) fn log_acknowledgement_recovery(
    duration: Duration,
    missing: MissingAcknowledgement,
    address: &RedisAddress,
) {
    let seconds = format_args!("{:.1}", duration.as_secs_f64());
    tracing::info!(%address, seconds, "{}", missing.recovery_message());
}
