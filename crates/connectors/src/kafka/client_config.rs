//! The settings of Kafka clients, each with its reason. All clients share the settings of `base_config`. The other
//! functions add the settings of a worker's record consumer and of a worker's group member. Every other client adds its
//! own settings where the client is created.

use rdkafka::ClientConfig;
use windrow_spec::{GroupProtocol, KafkaSourceSpec};

const MAX_HEARTBEAT_INTERVAL_MS: i64 = 3_000;
/// How long the group waits in a rebalance for a member of the group. A thread of its own polls each member, so a member
/// that does not answer in this time runs in a process that hangs.
const MAX_POLL_INTERVAL_MS: i64 = 60_000;

/// Returns the settings shared by consumers, producers and the admin client.
pub(super) fn base_config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", "windrow")
        .set("socket.keepalive.enable", "true")
        // With these delays, librdkafka reconnects to a broker as often as Kafka's own clients do. With longer delays,
        // a connection that breaks for a moment would stay closed for seconds.
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "1000");
    config
}

/// Returns the settings of the consumer that asks where partitions end, including the records of open transactions.
pub(super) fn log_end_config(brokers: &str) -> ClientConfig {
    let mut config = base_config(brokers);
    config.set("isolation.level", "read_uncommitted");
    config
}

/// Returns the settings of the consumer that reads a worker's records. This consumer never joins the consumer group.
/// The settings contain the name of the group for two reasons: librdkafka requires a name, and a bounded job commits
/// its offsets through this consumer.
pub(super) fn record_consumer_config(settings: &KafkaSourceSpec) -> ClientConfig {
    let mut config = base_config(&settings.brokers);
    config
        .set("group.id", &settings.consumer_group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // With "error", librdkafka reports an error if Kafka has deleted the next offset. Otherwise librdkafka would
        // skip deleted records silently.
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        // The statistics tell how far a partition was fetched, also behind the ends of transactions.
        .set("statistics.interval.ms", "1000")
        // If librdkafka's queue of fetched records is full, librdkafka waits this many milliseconds before the next
        // fetch. The default of 1 s would stall reading.
        .set("fetch.queue.backoff.ms", "10")
        // Limits how many bytes librdkafka reads ahead for one worker while Redis is slow.
        .set("queued.max.messages.kbytes", "16384");
    config
}

/// Returns the settings of the consumer with which a worker joins the group. `static_member_name` is the name that the
/// member keeps when its process restarts; `None` if it has no such name.
pub(super) fn group_member_config(settings: &KafkaSourceSpec, static_member_name: Option<&str>) -> ClientConfig {
    let mut config = base_config(&settings.brokers);
    config
        .set("group.id", &settings.consumer_group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false");
    let mut max_poll_interval_ms = MAX_POLL_INTERVAL_MS;
    match settings.group_protocol {
        GroupProtocol::Classic { session_timeout_ms } => {
            // librdkafka refuses a shorter interval.
            max_poll_interval_ms = max_poll_interval_ms.max(session_timeout_ms);
            // The heartbeat interval is at most a third of the session timeout. So a member can miss two heartbeats
            // before the broker removes it from the group.
            let heartbeat_ms = (session_timeout_ms / 3).min(MAX_HEARTBEAT_INTERVAL_MS);
            config
                .set("partition.assignment.strategy", "cooperative-sticky")
                .set("session.timeout.ms", session_timeout_ms.to_string())
                .set("heartbeat.interval.ms", heartbeat_ms.to_string());
        }
        // In this protocol, the broker decides the assignor, the session timeout and the heartbeat interval. librdkafka
        // refuses to create a client that sets them.
        GroupProtocol::Consumer => {
            config.set("group.protocol", "consumer");
        }
    }
    config.set("max.poll.interval.ms", max_poll_interval_ms.to_string());
    if let Some(name) = static_member_name {
        config.set("group.instance.id", name);
    }
    config
}
