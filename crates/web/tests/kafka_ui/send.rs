//! Sending one record.

use serde_json::{Value, json};
use windrow_test_support::kafka::ConsumedRecord;
use windrow_test_support::kafka_or_skip;

use crate::support::ui::{KafkaUiServer, read_error};

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_written_and_the_answer_says_where() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(4, &[]);
    let path = format!("/api/topics/{topic}/messages");
    let record =
        json!({"key": "k <1>", "value": "{\"a\": 1}", "headers": [["h", "값"], ["none", null]], "partition": 2});
    for offset in 0..2 {
        let response = ui.post_json(&path, &record).await;
        assert_eq!(response.status().as_u16(), 201);
        let written: Value = response.json().await.expect("JSON");
        assert_eq!(
            (&written["topic"], &written["partition"], &written["offset"]),
            (&topic.clone().into(), &2.into(), &offset.into())
        );
        assert_eq!(written["warnings"], json!([]));
        assert!(written["timestamp_ms"].as_i64() > Some(1_700_000_000_000), "{written}");
    }
    let back = kafka.read_record(&topic, 2, 1);
    let headers = [("h".to_owned(), Some("값".as_bytes().to_vec())), ("none".to_owned(), None)];
    assert_eq!(
        back,
        ConsumedRecord { key: Some(b"k <1>".to_vec()), payload: Some(b"{\"a\": 1}".to_vec()), headers: headers.into() }
    );
}

/// The key decides the partition as in other producers: murmur2 modulo the number of partitions.
#[tokio::test(flavor = "multi_thread")]
async fn the_key_decides_the_partition() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(4, &[]);
    let path = format!("/api/topics/{topic}/messages");
    let mut partitions = Vec::new();
    for key in ["111", "111", "112", "113", "114", "115", "116"] {
        let written: Value = ui.post_json(&path, &json!({"key": key, "value": "v"})).await.json().await.expect("JSON");
        partitions.push(written["partition"].as_i64().expect("a partition"));
    }
    assert_eq!(partitions[0], partitions[1], "the same key, the same partition");
    assert!(partitions.iter().any(|partition| *partition != partitions[0]), "{partitions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_there_is_a_warning_where_it_matters() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    for (partitions, record, warned) in [
        (2, json!({"value": "v"}), true),
        (2, json!({"key": "", "value": "v"}), true),
        (2, json!({"value": "v", "partition": 1}), false),
        (2, json!({"key": "k", "value": null}), false),
        (1, json!({"value": "v"}), false),
    ] {
        let topic = kafka.create_unique_topic(partitions, &[]);
        let written: Value =
            ui.post_json(&format!("/api/topics/{topic}/messages"), &record).await.json().await.expect("JSON");
        let warnings = written["warnings"].as_array().expect("a list");
        assert_eq!(!warnings.is_empty(), warned, "{partitions} {record}: {written}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_is_refused_with_the_reason() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(2, &[("max.message.bytes", "1000")]);
    let path = format!("/api/topics/{topic}/messages");
    for (record, status, reason) in [
        (json!({"value": "v", "partition": 2}), 400, "has no partition 2: it has 2 partitions, numbered from 0"),
        (json!({"value": "v", "partition": -1}), 400, "has no partition -1"),
        (json!({"value": "x".repeat(2000)}), 400, "does not accept this record"),
        (json!({"valu": "v"}), 400, "unknown field `valu`"),
        (json!({"value": 7}), 400, "invalid type"),
        (json!({"value": "v", "headers": [["", "x"]]}), 400, "a header has no name"),
        (json!({"value": "v", "headers": [["a\u{0}b", "x"]]}), 400, "or a NUL character in its name: correct the name"),
    ] {
        let (code, why) = read_error(ui.post_json(&path, &record).await).await;
        assert!(code == status && why.contains(reason), "{record}: {code} {why}");
    }
    let (code, why) = read_error(ui.post_json("/api/topics/no.such/messages", &json!({"value": "v"})).await).await;
    assert_eq!((code, why.as_str()), (404, "there is no topic `no.such`"));
    assert_eq!(ui.get_error("/api/topics/no.such").await.0, 404, "and it was not created");
}
