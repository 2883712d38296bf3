//! The Kafka that tests run on.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::ClientConfig;

/// How long Kafka may take for anything that a test asks.
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);

/// The environment variable with the address of the Kafka to test on.
const ADDRESS_VARIABLE: &str = "WINDROW_TEST_KAFKA";

/// Returns the Kafka to test on, or leaves the test where there is none.
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

/// A Kafka that is already running. Its helpers panic where Kafka does not do what they ask.
#[derive(Clone, Debug)]
pub struct TestKafka {
    /// Its address.
    pub brokers: String,
}

impl TestKafka {
    /// Returns the Kafka at `brokers`.
    #[must_use]
    pub fn at(brokers: String) -> Self {
        Self { brokers }
    }

    /// Returns the Kafka that the environment names; without one, reports that `test` is skipped.
    #[must_use]
    pub fn from_environment(test: &str) -> Option<Self> {
        let brokers = std::env::var(ADDRESS_VARIABLE).ok();
        if brokers.is_none() {
            println!("skipped: {test} needs Apache Kafka ({ADDRESS_VARIABLE}=host:port)");
        }
        brokers.map(Self::at)
    }

    /// Returns a name that no other test, and no earlier run, uses.
    #[must_use]
    pub fn unique_name(prefix: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let run = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
        format!("{prefix}-{run}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    pub(super) fn client_config_with(&self, settings: &[(&str, &str)]) -> ClientConfig {
        let mut config = self.client_config();
        for (key, value) in settings {
            config.set(*key, *value);
        }
        config
    }
}
