//! Names and records that somebody made to do harm.

use crate::support::kafka::{Sent, kafka_or_skip};
use crate::support::ui::{Ui, encoded};

#[tokio::test(flavor = "multi_thread")]
async fn names_in_the_path_are_only_names() {
    let kafka = kafka_or_skip!();
    let ui = Ui::over(&kafka.brokers).await;
    for name in ["<script>alert(1)</script>", "../../etc/passwd", "a b", "값", "%2F", &"x".repeat(400), "a\nb"] {
        for path in ["", "/messages", "/tail"] {
            let response = ui.response(&format!("/api/topics/{}{path}", encoded(name))).await;
            assert_eq!(response.headers()["content-type"], "application/json", "{name}");
            let (status, said) = crate::support::ui::said(response).await;
            assert!(status == 404 && said.contains(name), "{name}: {status} {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn markup_in_a_record_is_text() {
    let kafka = kafka_or_skip!();
    let ui = Ui::over(&kafka.brokers).await;
    let topic = kafka.create_topic(1, &[]);
    let markup = "</script><img src=x onerror=alert(1)>\u{2028}";
    kafka.produce(
        &topic,
        &[Sent {
            key: Some(markup.as_bytes()),
            headers: vec![(markup, Some(markup.as_bytes()))],
            ..Sent::at(0, 1, markup)
        }],
    );
    let response = ui.response(&format!("/api/topics/{topic}/messages")).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let page: serde_json::Value = response.json().await.expect("JSON");
    let record = &page["records"][0];
    for shown in [
        &record["key"]["text"],
        &record["value"]["text"],
        &record["headers"][0]["name"],
        &record["headers"][0]["value"]["text"],
    ] {
        assert_eq!(shown, markup);
    }
}

/// Memory for what is shown is bounded by the page, not by the records: thousands of headers are only counted.
#[tokio::test(flavor = "multi_thread")]
async fn many_headers_are_counted_and_the_first_are_shown() {
    let kafka = kafka_or_skip!();
    let ui = Ui::over(&kafka.brokers).await;
    let topic = kafka.create_topic(1, &[]);
    let long = "n".repeat(5_000);
    let mut headers: Vec<(&str, Option<&[u8]>)> = vec![("h", Some(b"v")); 3_000];
    headers[0] = (&long, Some(long.as_bytes()));
    kafka.produce(&topic, &[Sent { headers, ..Sent::at(0, 1, "v") }]);
    let page = ui.get(&format!("/api/topics/{topic}/messages")).await;
    let record = &page["records"][0];
    assert_eq!((record["headers"].as_array().map(Vec::len), &record["header_count"]), (Some(64), &3_000.into()));
    assert_eq!(record["headers"][0]["name"].as_str().map(str::len), Some(256));
    assert_eq!(record["headers"][0]["value"]["text"].as_str().map(str::len), Some(1_024));
}

/// A header's name need not be UTF-8 for Kafka.
#[tokio::test(flavor = "multi_thread")]
async fn a_header_name_that_is_not_text_does_no_harm() {
    let kafka = kafka_or_skip!();
    let ui = Ui::over(&kafka.brokers).await;
    let topic = kafka.create_topic(1, &[]);
    // No client for Rust sends such a name; it is made from one of the same length, in the bytes of another protocol user.
    crate::support::raw::produce_with_header_name(&kafka.brokers, &topic, b"\xff\xfe");
    let page = ui.get(&format!("/api/topics/{topic}/messages?contains=after")).await;
    let record = &page["records"][0];
    assert_eq!(
        (&record["headers"][0]["name"], &record["value"]["text"]),
        (&"(a name that is not text)".into(), &"after".into())
    );
}
