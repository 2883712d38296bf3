//! The settings every Kafka client of ours starts from.

use rdkafka::ClientConfig;

/// Settings shared by consumers, producers and the admin client.
pub(super) fn base(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", "windrow")
        .set("socket.keepalive.enable", "true")
        // A broker that is away is asked again soon, but not in a tight loop.
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "5000");
    config
}

/// Settings of a worker's consumer.
pub(super) fn consumer(brokers: &str, group: &str) -> ClientConfig {
    let mut config = base(brokers);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // An offset that has expired must not be skipped silently.
        .set("auto.offset.reset", "error")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("enable.partition.eof", "true")
        // Its default of one second shows as a stall whenever the queue has been full.
        .set("fetch.queue.backoff.ms", "10")
        // Records read ahead, per worker; this bounds memory while Redis is slow.
        .set("queued.max.messages.kbytes", "16384")
        // A worker that waits for Redis is alive, although it does not poll meanwhile. The session timeout still finds
        // a process that is gone.
        .set("max.poll.interval.ms", "3600000");
    config
}
