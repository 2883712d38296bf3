//! The settings of librdkafka that all Kafka clients share, and those of a worker's two clients: the record consumer and
//! the member of the group. Other clients add their own settings.

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

/// Returns the settings of a worker's consumer of records. The consumer never joins the group. The group's
/// name is set because librdkafka requires one, and because a bounded job commits its offsets through this consumer.
pub(super) fn record_consumer_config(settings: &KafkaSourceSpec) -> ClientConfig {
    let mut config = base_config(&settings.brokers);
    config
        .set("group.id", &settings.consumer_group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // With "error", librdkafka reports a deleted offset instead of skipping it silently.
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        // After its queue was full, librdkafka waits this long before it fetches again. The default, 1 s, stalls
        // reading.
        .set("fetch.queue.backoff.ms", "10")
        // Limits how much one worker reads ahead while Redis is slow.
        .set("queued.max.messages.kbytes", "16384");
    config
}

/// Returns the settings of a worker's member of the group. The static member name stays the same after a restart of the
/// process.
pub(super) fn group_member_config(settings: &KafkaSourceSpec, static_member_name: Option<&str>) -> ClientConfig {
    let mut config = base_config(&settings.brokers);
    config
        .set("group.id", &settings.consumer_group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // A worker that waits for Redis is alive but does not poll, so it may skip polls for an hour. The
        // session timeout still detects a dead process.
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
    if let Some(name) = static_member_name {
        config.set("group.instance.id", name);
    }
    config
}
