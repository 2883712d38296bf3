//! librdkafka's log lines among ours.

use rdkafka::config::RDKafkaLogLevel;
use tracing::{debug, error, info};

/// Writes one at the level it deserves.
pub(super) fn log_librdkafka_line(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            error!(target: "librdkafka", facility, "{message}");
        }
        // What it calls an error is mostly a broker that is away, which is reported once by the source itself.
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => debug!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => info!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Debug => debug!(target: "librdkafka", facility, "{message}"),
    }
}
