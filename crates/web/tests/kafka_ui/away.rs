//! Kafka that is unreachable, becomes so, or recovers.

use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use windrow_test_support::kafka::OutgoingRecord;
use windrow_test_support::kafka_or_skip;

use crate::support::proxy::SwitchableProxy;
use crate::support::ui::{KafkaUiServer, read_error};

/// The longest time in which every path, or one path of a silent Kafka, answers: a few times the limit of one request.
const MAX_ANSWER_TIME: Duration = Duration::from_secs(45);
const PATHS: [&str; 6] =
    ["/api/cluster", "/api/topics", "/api/topics/t", "/api/topics/t/messages", "/api/topics/t/tail", "/api/groups"];

#[tokio::test(flavor = "multi_thread")]
async fn without_kafka_every_answer_says_so_soon() {
    let closed =
        TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("its address").to_string();
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let silent_address = silent.local_addr().expect("its address").to_string();
    for (brokers, why) in [(&closed, "Connection refused"), (&silent_address, "did not answer within")] {
        let ui = KafkaUiServer::start(brokers).await;
        let started = Instant::now();
        for path in PATHS {
            let (status, said) = ui.get_error(path).await;
            assert!(status == 503 && said.contains(why) && said.contains(brokers), "{path}: {status} {said}");
            if brokers == &silent_address {
                break; // every path takes seconds
            }
        }
        assert!(started.elapsed() < MAX_ANSWER_TIME, "{:?}", started.elapsed());
        let (status, _) =
            read_error(ui.post_json("/api/topics/t/messages", &serde_json::json!({"value": "v"})).await).await;
        assert_eq!(status, 503);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_kafka_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let brokers = listener.local_addr().expect("its address").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
                tokio::time::sleep(Duration::from_secs(5)).await;
            });
        }
    });
    let (status, said) = KafkaUiServer::start(&brokers).await.get_error("/api/topics").await;
    assert!(status == 502 && said.contains("is not Kafka"), "{status} {said}");
}

/// The same server answers again as soon as Kafka answers.
#[tokio::test(flavor = "multi_thread")]
async fn it_recovers_when_kafka_comes_back() {
    let kafka = kafka_or_skip!();
    let topic = kafka.create_unique_topic(1, &[]);
    kafka.produce(&topic, &[OutgoingRecord::new_in_partition(0, 1, "v")]);
    let proxy = SwitchableProxy::start(&kafka.brokers).await;
    let ui = KafkaUiServer::start(&proxy.address).await;
    assert_eq!(ui.get_json(&format!("/api/topics/{topic}")).await["records"], 1);
    proxy.close();
    let (status, said) = ui.get_error(&format!("/api/topics/{topic}")).await;
    assert!(status == 503 && said.contains(&proxy.address), "{status} {said}");
    proxy.open();
    assert_eq!(ui.get_json(&format!("/api/topics/{topic}")).await["records"], 1);
    assert_eq!(ui.get_json(&format!("/api/topics/{topic}/messages")).await["records"][0]["value"]["text"], "v");
}
