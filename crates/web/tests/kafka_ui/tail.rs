//! Following a topic.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::Value;
use tokio::time::{sleep, timeout};
use windrow_test_support::kafka::{DedicatedKafka, OutgoingRecord, TestKafka};
use windrow_test_support::kafka_or_skip;
use windrow_test_support::{HANG_TIMEOUT, free_port};

use crate::support::proxy::SwitchableProxy;
use crate::support::ui::KafkaUiServer;

/// The `data:` lines of server-sent events, in order.
struct EventStream {
    body: futures_util::stream::BoxStream<'static, Vec<u8>>,
    read: String,
}

impl EventStream {
    async fn open(ui: &KafkaUiServer, path: &str) -> Self {
        let response = ui.get_response(path).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let body = response.bytes_stream().map(|part| part.expect("a part").to_vec()).boxed();
        Self { body, read: String::new() }
    }

    async fn next_event(&mut self) -> Value {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: ")).map(str::to_owned);
                self.read = rest.to_owned();
                if let Some(data) = data {
                    return serde_json::from_str(&data).expect("JSON");
                }
                continue;
            }
            let part = timeout(HANG_TIMEOUT, self.body.next()).await.expect("in time").expect("no end");
            self.read.push_str(&String::from_utf8(part).expect("text"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_is_told_and_nothing_older() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(2, &[]);
    kafka.produce(&topic, &[OutgoingRecord::new_in_partition(0, 1, "old needle")]);
    let mut events = EventStream::open(&ui, &format!("/api/topics/{topic}/tail?contains=needle")).await;
    let nothing = events.next_event().await;
    assert_eq!((&nothing["records"], &nothing["looked_at"]), (&serde_json::json!([]), &0.into()), "a sign of life");
    kafka.produce(
        &topic,
        &[OutgoingRecord::new_in_partition(0, 2, "hay"), OutgoingRecord::new_in_partition(1, 3, "new needle")],
    );
    let (mut records, mut looked_at) = (Vec::new(), 0);
    while looked_at < 2 {
        let event = events.next_event().await;
        looked_at += event["looked_at"].as_u64().expect("a number");
        records.extend(event["records"].as_array().expect("records").clone());
    }
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["value"]["text"], "new needle");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_flood_the_number_is_told() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(1, &[]);
    let mut events = EventStream::open(&ui, &format!("/api/topics/{topic}/tail")).await;
    events.next_event().await;
    kafka.produce(&topic, &vec![OutgoingRecord::new_in_partition(0, 2, "drop"); 20_000]);
    let (mut shown, mut left_out) = (0, 0);
    while shown + left_out < 20_000 {
        let event = events.next_event().await;
        let records = event["records"].as_array().expect("records").len();
        assert!(records <= 100, "{records}");
        shown += records;
        left_out += usize::try_from(event["left_out"].as_u64().expect("a number")).expect("small");
    }
    assert!(left_out > 0);
}

/// A closed connection no longer counts towards the limit of followers.
#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_makes_room() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(1, &[]);
    let path = format!("/api/topics/{topic}/tail");
    let mut there = Vec::new();
    for _ in 0..4 {
        there.push(EventStream::open(&ui, &path).await);
    }
    let (status, said) = ui.get_error(&path).await;
    assert!(status == 503 && said.contains("too many"), "{status} {said}");
    there.clear();
    crate::support::eventually("there is room again", async || ui.get_response(&path).await.status() == 200).await;
}

/// A connection that is lost for a moment does not count as an unreachable Kafka.
#[tokio::test(flavor = "multi_thread")]
async fn lost_connections_heal_and_a_kafka_that_is_away_is_said() {
    kafka_or_skip!();
    let port = free_port();
    let proxy = SwitchableProxy::start(&format!("127.0.0.1:{port}")).await;
    let _kafka_process = DedicatedKafka::start(port, &proxy.address);
    let kafka = TestKafka::with_brokers(proxy.address.clone());
    let topic = kafka.create_unique_topic(1, &[]);
    let ui = KafkaUiServer::start(&proxy.address).await;
    let mut events = EventStream::open(&ui, &format!("/api/topics/{topic}/tail")).await;
    events.next_event().await;
    // Records come at once, or after 4 s without any; the reader checks after 2 s whether Kafka is reachable.
    for silence in [0, 10] {
        proxy.close();
        sleep(Duration::from_millis(300)).await;
        proxy.open();
        for _ in 0..silence {
            let event = events.next_event().await;
            assert_eq!(event["records"], serde_json::json!([]), "{event}");
        }
        kafka.produce(&topic, &[OutgoingRecord::new_in_partition(0, 1, "v")]);
        eventually_read(&mut events, 1).await;
    }
    proxy.close();
    let until = Instant::now() + HANG_TIMEOUT;
    let said = loop {
        let event = events.next_event().await;
        if let Some(said) = event["errors"][0].as_str() {
            break said.to_owned();
        }
        assert_eq!(event["looked_at"], 0, "{event}");
        assert!(Instant::now() < until, "nothing is said");
    };
    assert!(said.contains("Kafka became unreachable") && said.contains(&topic), "{said}");
    proxy.open();
    let mut events = EventStream::open(&ui, &format!("/api/topics/{topic}/tail")).await;
    assert_eq!(events.next_event().await["looked_at"], 0, "who asks again follows from the end");
}

async fn eventually_read(events: &mut EventStream, mut records: u64) {
    let until = Instant::now() + HANG_TIMEOUT;
    while records > 0 {
        assert!(Instant::now() < until, "{records} records do not come");
        let event = events.next_event().await;
        records -= event["looked_at"].as_u64().unwrap_or_else(|| panic!("no records in {event}"));
    }
}
