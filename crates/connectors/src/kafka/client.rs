//! The settings of all Kafka clients, each with its reason.

use rdkafka::ClientConfig;
use windrow_spec::{GroupProtocol, KafkaSourceSpec};

const MAX_HEARTBEAT_MS: i64 = 3_000;

/// Returns the settings shared by consumers, producers and the admin client.
pub(super) fn base_config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", "windrow")
        .set("socket.keepalive.enable", "true")
        // An unreachable broker is retried as often as Kafka's own clients retry. With longer delays a connection that was
        // lost for a moment stays lost for seconds.
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "1000");
    config
}

/// Returns the settings of a worker's consumer of records. It has the group's name because librdkafka demands one, and
/// for the commits of bounded reading; it never joins the group.
pub(super) fn record_consumer_config(settings: &KafkaSourceSpec) -> ClientConfig {
    let mut config = base_config(&settings.brokers);
    config
        .set("group.id", &settings.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // A deleted offset must not be skipped silently.
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        // With the default of one second, reading stalls visibly whenever the queue was full.
        .set("fetch.queue.backoff.ms", "10")
        // Bounds the records read ahead by one worker while Redis is slow.
        .set("queued.max.messages.kbytes", "16384");
    config
}

/// Returns the settings of a worker's member of the group. An `instance` is a name that outlives the process.
pub(super) fn member_config(settings: &KafkaSourceSpec, instance: Option<&str>) -> ClientConfig {
    let mut config = base_config(&settings.brokers);
    config
        .set("group.id", &settings.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // A worker that waits for Redis is alive, although it does not poll meanwhile. The session timeout still detects
        // a dead process.
        .set("max.poll.interval.ms", "3600000");
    match settings.group_protocol {
        GroupProtocol::Classic { session_timeout_ms } => {
            // A member may lose two heartbeats before the group removes it.
            let heartbeat_ms = (session_timeout_ms / 3).min(MAX_HEARTBEAT_MS);
            config
                .set("partition.assignment.strategy", "cooperative-sticky")
                .set("session.timeout.ms", session_timeout_ms.to_string())
                .set("heartbeat.interval.ms", heartbeat_ms.to_string());
        }
        // The broker decides all three, and librdkafka refuses values for them.
        GroupProtocol::Consumer => {
            config.set("group.protocol", "consumer");
        }
    }
    if let Some(instance) = instance {
        config.set("group.instance.id", instance);
    }
    config
}
