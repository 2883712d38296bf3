//! The settings of all Kafka clients, with the reason for each.

use rdkafka::ClientConfig;
use windrow_spec::{GroupProtocol, KafkaSourceSpec};

const HEARTBEAT_INTERVAL_MAX_MS: i64 = 3_000;

/// Returns the settings shared by consumers, producers and the admin client.
pub(super) fn base_config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", "windrow")
        .set("socket.keepalive.enable", "true")
        // Retries an unreachable broker as often as Kafka's own clients do. With longer delays, a connection that was
        // lost for a moment stays lost for seconds.
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "1000");
    config
}

/// Returns the settings of a worker's consumer of records. The consumer never joins the group. It has the group's name
/// because librdkafka requires one, and because a bounded job commits its offsets through this consumer.
pub(super) fn record_consumer_config(settings: &KafkaSourceSpec) -> ClientConfig {
    let mut config = base_config(&settings.brokers);
    config
        .set("group.id", &settings.consumer_group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // Reports a deleted offset as an error instead of skipping it silently.
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        // With the default of one second, reading stalls visibly after the queue was full.
        .set("fetch.queue.backoff.ms", "10")
        // Limits how much one worker reads ahead while Redis is slow.
        .set("queued.max.messages.kbytes", "16384");
    config
}

/// Returns the settings of a worker's member of the group. `instance` is the static member name, which stays the same
/// after a restart of the process.
pub(super) fn group_member_config(settings: &KafkaSourceSpec, instance: Option<&str>) -> ClientConfig {
    let mut config = base_config(&settings.brokers);
    config
        .set("group.id", &settings.consumer_group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // A worker does not poll while it waits for Redis, but it is alive. The session timeout still detects a dead
        // process.
        .set("max.poll.interval.ms", "3600000");
    match settings.group_protocol {
        GroupProtocol::Classic { session_timeout_ms } => {
            // A member may miss two heartbeats before the group removes it.
            let heartbeat_ms = (session_timeout_ms / 3).min(HEARTBEAT_INTERVAL_MAX_MS);
            config
                .set("partition.assignment.strategy", "cooperative-sticky")
                .set("session.timeout.ms", session_timeout_ms.to_string())
                .set("heartbeat.interval.ms", heartbeat_ms.to_string());
        }
        // The broker decides the assignor, the session timeout and the heartbeat interval. librdkafka refuses values
        // for them.
        GroupProtocol::Consumer => {
            config.set("group.protocol", "consumer");
        }
    }
    if let Some(instance) = instance {
        config.set("group.instance.id", instance);
    }
    config
}
