//! Hostile names and records.

use windrow_test_support::kafka::OutgoingRecord;
use windrow_test_support::kafka_or_skip;

use crate::support::ui::{KafkaUiServer, percent_encode};

#[tokio::test(flavor = "multi_thread")]
async fn names_in_the_path_are_only_names() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    for name in ["<script>alert(1)</script>", "../../etc/passwd", "a b", "값", "%2F", &"x".repeat(400), "a\nb"] {
        for path in ["", "/messages", "/tail"] {
            let response = ui.get_response(&format!("/api/topics/{}{path}", percent_encode(name))).await;
            assert_eq!(response.headers()["content-type"], "application/json", "{name}");
            let (status, said) = crate::support::ui::read_error(response).await;
            assert!(status == 404 && said.contains(name), "{name}: {status} {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn markup_in_a_record_is_text() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(1, &[]);
    let markup = "</script><img src=x onerror=alert(1)>\u{2028}";
    kafka.produce(
        &topic,
        &[OutgoingRecord::new_in_partition(0, 1, markup).with_key(markup).with_header(markup, Some(markup.as_bytes()))],
    );
    let response = ui.get_response(&format!("/api/topics/{topic}/messages")).await;
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

/// The page bounds the memory, not the record: thousands of headers are only counted.
#[tokio::test(flavor = "multi_thread")]
async fn many_headers_are_counted_and_the_first_are_shown() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(1, &[]);
    let long = "n".repeat(5_000);
    let mut headers = vec![("h".to_owned(), Some(b"v".to_vec())); 3_000];
    headers[0] = (long.clone(), Some(long.into_bytes()));
    kafka.produce(&topic, &[OutgoingRecord { headers, ..OutgoingRecord::new_in_partition(0, 1, "v") }]);
    let page = ui.get_json(&format!("/api/topics/{topic}/messages")).await;
    let record = &page["records"][0];
    assert_eq!((record["headers"].as_array().map(Vec::len), &record["header_count"]), (Some(64), &3_000.into()));
    assert_eq!(record["headers"][0]["name"].as_str().map(str::len), Some(256));
    assert_eq!(record["headers"][0]["value"]["text"].as_str().map(str::len), Some(1_024));
}

/// A header's name need not be UTF-8 for Kafka.
#[tokio::test(flavor = "multi_thread")]
async fn a_header_name_that_is_not_text_does_no_harm() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(1, &[]);
    // No Rust client sends such a name, so the test replaces a name of the same length in the encoded bytes.
    crate::support::raw::produce_with_header_name(&kafka.brokers, &topic, b"\xff\xfe");
    let page = ui.get_json(&format!("/api/topics/{topic}/messages?contains=after")).await;
    let record = &page["records"][0];
    assert_eq!(
        (&record["headers"][0]["name"], &record["value"]["text"]),
        (&"(a name that is not text)".into(), &"after".into())
    );
}

/// Every file that a page needs is served with its content type; modules list all their imports.
#[tokio::test(flavor = "multi_thread")]
async fn pages_and_their_files_are_served() {
    let ui = KafkaUiServer::start("127.0.0.1:1").await;
    let html = ui.get_response("/").await.text().await.expect("text");
    for path in ["/topics/%3Cb%3E", "/topics/a/messages?contains=%3Cscript%3E", "/groups", "/groups/a%2Fb"] {
        let response = ui.get_response(path).await;
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8", "{path}");
        assert_eq!(response.text().await.expect("text"), html, "{path}: nothing of the address is in the page");
    }
    let mut left: Vec<String> =
        html.split('"').filter(|part| part.starts_with("/assets/")).map(str::to_owned).collect();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(path) = left.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let response = ui.get_response(&path).await;
        assert_eq!(response.status(), 200, "{path}");
        let kind = response.headers()["content-type"].to_str().expect("text").to_owned();
        let script = path.ends_with(".js");
        assert_eq!(kind.starts_with("text/javascript"), script, "{path} is {kind}");
        let text = response.text().await.expect("text");
        if script {
            let folder = path.rsplit_once('/').expect("a folder").0;
            let quoted =
                text.lines().filter(|line| line.starts_with("import ")).filter_map(|line| line.split('"').nth(1));
            left.extend(quoted.map(|module| match module {
                module if module.starts_with("./") => format!("{folder}{}", &module[1..]),
                module if module.starts_with("../") => {
                    format!("{}{}", folder.rsplit_once('/').expect("a folder").0, &module[2..])
                }
                module => module.to_owned(),
            }));
            for bad in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                assert!(!text.contains(bad), "{path}: {bad}");
            }
        }
    }
    assert_eq!(seen.len(), 29, "{seen:?}");
}
