//! Asks Kafka after which silence it removes a member from a group.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use tracing::debug;
use windrow_spec::{GroupProtocol, KafkaSourceSpec};

use crate::kafka::client_config;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// The name of the setting of a group with the protocol `consumer`.
const SESSION_TIMEOUT_SETTING: &str = "consumer.session.timeout.ms";
/// What Kafka allows at most by default (`group.consumer.max.session.timeout.ms`). Used if Kafka does not tell the
/// setting: it may not allow this client to read it.
const LONGEST_DEFAULT_SESSION_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns the session timeout of the group in `settings`. If the broker decides it and does not tell it, returns the
/// longest that brokers allow by default. Waits at most 2 s.
pub(super) fn fetch_session_timeout(settings: &KafkaSourceSpec) -> Duration {
    match settings.group_protocol {
        GroupProtocol::Classic { session_timeout_ms } => {
            Duration::from_millis(u64::try_from(session_timeout_ms).unwrap_or_default())
        }
        GroupProtocol::Consumer => fetch_consumer_session_timeout(settings).unwrap_or(LONGEST_DEFAULT_SESSION_TIMEOUT),
    }
}

fn fetch_consumer_session_timeout(settings: &KafkaSourceSpec) -> Option<Duration> {
    let admin: AdminClient<DefaultClientContext> = client_config::base_config(&settings.brokers).create().ok()?;
    let options = AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT));
    let group = ResourceSpecifier::Group(&settings.consumer_group);
    let described = futures_executor::block_on(admin.describe_configs([&group], &options));
    let described = described
        .and_then(|results| results.into_iter().next().transpose().map_err(rdkafka::error::KafkaError::AdminOp));
    match described {
        Ok(settings) => {
            let milliseconds = settings?.get(SESSION_TIMEOUT_SETTING)?.value.as_deref()?.parse().ok()?;
            Some(Duration::from_millis(milliseconds))
        }
        Err(error) => {
            debug!(group = settings.consumer_group, %error, "could not fetch the session timeout of the group");
            None
        }
    }
}
