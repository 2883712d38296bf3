//! The Kafka on which tests run.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::wait::HANG_TIMEOUT;
use rdkafka::ClientConfig;

/// The maximum time that one request of a test to Kafka may take.
pub(super) const KAFKA_TIMEOUT: Duration = HANG_TIMEOUT;

/// The name of the environment variable with the address of the Kafka on which tests run.
const ADDRESS_VARIABLE: &str = "WINDROW_TEST_KAFKA";

/// Expands to a handle for the Kafka on which tests run. If no Kafka is configured, the macro returns from the calling
/// test.
#[macro_export]
macro_rules! kafka_or_skip {
    () => {{
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        match $crate::kafka::TestKafka::from_environment(&test) {
            Some(kafka) => kafka,
            None => return,
        }
    }};
}

/// A handle for a running Kafka, on which tests run. A method panics if Kafka does not answer or refuses a request.
#[derive(Clone, Debug)]
pub struct TestKafka {
    /// The bootstrap address of Kafka, `host:port`.
    pub brokers: String,
}

impl TestKafka {
    /// Creates a handle for the Kafka at `brokers`.
    #[must_use]
    pub fn with_brokers(brokers: String) -> Self {
        Self { brokers }
    }

    /// Returns a handle for the Kafka at the address in the environment variable `WINDROW_TEST_KAFKA`. If this variable
    /// is not set, prints that `test` is skipped and returns `None`.
    #[must_use]
    pub fn from_environment(test: &str) -> Option<Self> {
        let brokers = std::env::var(ADDRESS_VARIABLE).ok();
        if brokers.is_none() {
            println!("skipped: {test} needs Apache Kafka ({ADDRESS_VARIABLE}=host:port)");
        }
        brokers.map(Self::with_brokers)
    }

    /// Returns a name that begins with `prefix`. No other test and no earlier run of the tests uses this name.
    #[must_use]
    pub fn generate_unique_name(prefix: &str) -> String {
        static NEXT_NAME_NUMBER: AtomicU32 = AtomicU32::new(0);
        let run = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
        let number = NEXT_NAME_NUMBER.fetch_add(1, Ordering::Relaxed);
        // With cargo-nextest each test is a process, and two of them may start in the same microsecond.
        format!("{prefix}-{run}-{}-{number}", std::process::id())
    }

    pub(super) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    pub(super) fn client_config_with_settings(&self, settings: &[(&str, &str)]) -> ClientConfig {
        let mut config = self.client_config();
        for (key, value) in settings {
            config.set(*key, *value);
        }
        config
    }
}
