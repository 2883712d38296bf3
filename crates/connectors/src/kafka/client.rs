//! The settings every Kafka client of ours starts from.

use rdkafka::ClientConfig;
use windrow_spec::{GroupProtocol, KafkaSourceSpec as Settings};

const MAX_HEARTBEAT_MS: i64 = 3_000;

/// Settings shared by consumers, producers and the admin client.
pub(super) fn base_config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", "windrow")
        .set("socket.keepalive.enable", "true")
        // A broker that is away is asked again soon, but not in a tight loop: as often as Kafka's own clients ask. With
        // more, a connection that was lost for a moment is not made again for seconds.
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "1000");
    config
}

/// Settings of the consumer that a worker's records come through. It has the group's name because librdkafka demands
/// one, and for the commits of bounded reading; it never joins.
pub(super) fn record_consumer_config(settings: &Settings) -> ClientConfig {
    let mut config = base_config(&settings.brokers);
    config
        .set("group.id", &settings.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // An offset that has expired must not be skipped silently.
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        // Its default of one second shows as a stall whenever the queue has been full.
        .set("fetch.queue.backoff.ms", "10")
        // Records read ahead, per worker; this bounds memory while Redis is slow.
        .set("queued.max.messages.kbytes", "16384");
    config
}

/// Settings of a worker's member of the group, with a name that outlives the process where there is an `instance`.
pub(super) fn member_config(settings: &Settings, instance: Option<&str>) -> ClientConfig {
    let mut config = base_config(&settings.brokers);
    config
        .set("group.id", &settings.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // A worker that waits for Redis is alive, although it does not poll meanwhile. The session timeout still finds
        // a process that is gone.
        .set("max.poll.interval.ms", "3600000");
    match settings.group_protocol {
        GroupProtocol::Classic { session_timeout_ms } => {
            // Two heartbeats may be lost before a member counts as gone.
            let heartbeat_ms = (session_timeout_ms / 3).min(MAX_HEARTBEAT_MS);
            config
                .set("partition.assignment.strategy", "cooperative-sticky")
                .set("session.timeout.ms", session_timeout_ms.to_string())
                .set("heartbeat.interval.ms", heartbeat_ms.to_string());
        }
        // Here the broker decides all three, and librdkafka refuses to be told.
        GroupProtocol::Consumer => {
            config.set("group.protocol", "consumer");
        }
    }
    if let Some(instance) = instance {
        config.set("group.instance.id", instance);
    }
    config
}
