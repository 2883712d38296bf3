//! The callbacks that write librdkafka's log lines and errors to Windrow's log.

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use tracing::{debug, error, info, warn};

/// An error that librdkafka calls fatal: the client cannot be used after it.
#[derive(Clone, Debug)]
pub(super) struct FatalClientError {
    pub(super) code: RDKafkaErrorCode,
    pub(super) reason: String,
}

/// A client context whose callbacks only write log lines.
pub(super) struct LoggingContext;

impl ConsumerContext for LoggingContext {}

impl ClientContext for LoggingContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_librdkafka_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log_client_error(&error, reason);
    }
}

/// Logs `result` if the commit failed.
pub(super) fn log_failed_commit(result: KafkaResult<()>) {
    if let Err(error) = result {
        warn!(%error, "offsets were not committed; the next commit will include them");
    }
}

/// Logs an error that librdkafka reports outside a poll.
pub(super) fn log_client_error(error: &KafkaError, reason: &str) {
    debug!(target: "librdkafka", %error, reason);
}

/// Writes a log line of librdkafka to Windrow's log. librdkafka's level "error" becomes `DEBUG`: most such lines report
/// an unreachable broker, and the source already logs a warning about unreachable brokers.
pub(super) fn log_librdkafka_line(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            error!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => info!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning | RDKafkaLogLevel::Debug => {
            debug!(target: "librdkafka", facility, "{message}");
        }
    }
}
