//! Pages of records.

use serde_json::{Value, json};
use windrow_test_support::kafka::{OutgoingRecord, TestTransaction, TransactionOutcome};
use windrow_test_support::kafka_or_skip;

use crate::support::ui::KafkaUiServer;

/// Partition and offset of the records of a page, in order.
fn record_places(page: &Value) -> Vec<(i64, i64)> {
    let place = |record: &Value| {
        (record["partition"].as_i64().expect("a partition"), record["offset"].as_i64().expect("an offset"))
    };
    page["records"].as_array().expect("records").iter().map(place).collect()
}

fn record_texts(page: &Value) -> Vec<&str> {
    page["records"]
        .as_array()
        .expect("records")
        .iter()
        .map(|record| record["value"]["text"].as_str().expect("text"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn newest_and_oldest_merge_partitions_by_time_and_page_on() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(3, &[]);
    // Record n is of time n; partition 2 stays empty.
    let texts: Vec<String> = (0..100).map(|n| format!("record {n}")).collect();
    let records: Vec<_> = (0..100)
        .map(|n| {
            OutgoingRecord::new_in_partition(
                if n % 5 == 0 { 1 } else { 0 },
                1_000 + n,
                &texts[usize::try_from(n).expect("small")],
            )
        })
        .collect();
    kafka.produce(&topic, &records);
    let path = format!("/api/topics/{topic}/messages");

    let mut seen = Vec::new();
    let mut page = ui.get_json(&format!("{path}?from=newest&limit=30")).await;
    assert_eq!(
        (&page["going_back"], &page["ended"], &page["has_newer"]),
        (&true.into(), &"full".into(), &false.into())
    );
    loop {
        seen.extend(record_texts(&page).into_iter().map(str::to_owned));
        if page["has_older"] == false {
            break;
        }
        page = ui.get_json(&format!("{path}?before={}&limit=30", page["older"].as_str().expect("positions"))).await;
    }
    assert_eq!(page["ended"], "edge");
    let backwards: Vec<String> = texts.iter().rev().cloned().collect();
    assert_eq!(seen, backwards, "every record once, newest first");

    let first = ui.get_json(&format!("{path}?from=oldest&limit=60")).await;
    assert_eq!((&first["has_older"], &first["has_newer"]), (&false.into(), &true.into()));
    let second = ui.get_json(&format!("{path}?after={}&limit=60", first["newer"].as_str().expect("positions"))).await;
    let forwards: Vec<&str> = record_texts(&first).into_iter().chain(record_texts(&second)).collect();
    assert_eq!(forwards, texts, "every record once, oldest first");
    // Back from where the second page began.
    let back = ui.get_json(&format!("{path}?before={}&limit=1", second["older"].as_str().expect("positions"))).await;
    assert_eq!(record_texts(&back), ["record 59"]);
}

/// Pages are read piece by piece; here most pieces belong to one partition that was read before.
#[tokio::test(flavor = "multi_thread")]
async fn pages_of_many_pieces_are_read_without_a_standstill() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(20, &[]);
    // Each partition is newer as a whole than the one before it.
    let records: Vec<_> =
        (0..2_000).map(|n| OutgoingRecord::new_in_partition(n / 100, 1_700_000_000_000 + i64::from(n), "x")).collect();
    kafka.produce(&topic, &records);
    for _ in 0..50 {
        let page = ui.get_json(&format!("/api/topics/{topic}/messages?from=newest&limit=500&timeout_ms=10000")).await;
        assert_eq!((page["ended"].as_str(), record_places(&page).len()), (Some("full"), 500));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_an_offset_from_a_time_and_by_partition() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(2, &[]);
    let texts: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let records: Vec<_> = (0..20)
        .map(|n| {
            OutgoingRecord::new_in_partition(
                i32::from(n >= 10),
                1_700_000_000_000 + i64::from(n) * 1000,
                &texts[usize::try_from(n).expect("small")],
            )
        })
        .collect();
    kafka.produce(&topic, &records);
    kafka.delete_records_before(&topic, 0, 3);
    let get = async |query: &str| ui.get_json(&format!("/api/topics/{topic}/messages?{query}")).await;

    assert_eq!(record_places(&get("from=offset:8&partition=0").await), [(0, 8), (0, 9)]);
    assert_eq!(record_places(&get("from=offset:0&partition=0&limit=1").await), [(0, 3)], "what is gone is passed over");
    assert_eq!(record_places(&get("from=offset:99&partition=0").await), []);
    assert_eq!(record_places(&get("from=offset:9").await), [(0, 9), (1, 9)]);
    assert_eq!(record_places(&get("from=time:1700000008500").await)[..2], [(0, 9), (1, 0)]);
    assert_eq!(record_places(&get("from=time:1700000018001").await), [(1, 9)]);
    assert_eq!(record_places(&get("from=time:1800000000000").await), []);
    assert_eq!(record_places(&get("from=newest&partition=0&limit=2").await), [(0, 9), (0, 8)]);
    let before = get("from=time:1700000018001").await["older"].as_str().expect("positions").to_owned();
    assert_eq!(
        record_texts(&get(&format!("before={before}&limit=2")).await),
        ["18", "17"],
        "what was before that time"
    );
    let (status, said) = ui.get_error(&format!("/api/topics/{topic}/messages?partition=2")).await;
    assert_eq!(
        (status, said),
        (404, format!("topic `{topic}` has no partition 2: it has 2 partitions, numbered from 0"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_values_and_headers_are_shown_as_what_they_are() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(1, &[]);
    kafka.produce(
        &topic,
        &[
            OutgoingRecord::new_in_partition(0, 1_700_000_000_123, "{\"n\": 9007199254740993}")
                .with_key([0, 255, 128])
                .with_header("trace", Some(b"\x01\x02"))
                .with_header("empty", Some(b""))
                .with_header("null", None)
                .with_header("trace", Some("값".as_bytes())),
            OutgoingRecord {
                payload: None,
                ..OutgoingRecord::new_in_partition(0, 1_700_000_000_124, "").with_key("tombstone")
            },
            OutgoingRecord::new_in_partition(0, 1_700_000_000_125, ""),
        ],
    );
    let page = ui.get_json(&format!("/api/topics/{topic}/messages?from=oldest")).await;
    assert_eq!(
        page["records"][0],
        json!({
            "partition": 0, "offset": 0, "timestamp_ms": 1_700_000_000_123_i64, "timestamp_by": "create",
            "key": {"bytes": 3, "whole": true, "base64": "AP+A"},
            "value": {"bytes": 23, "whole": true, "text": "{\"n\": 9007199254740993}"},
            "headers": [
                {"name": "trace", "value": {"bytes": 2, "whole": true, "base64": "AQI="}},
                {"name": "empty", "value": {"bytes": 0, "whole": true, "text": ""}},
                {"name": "null", "value": null},
                {"name": "trace", "value": {"bytes": 3, "whole": true, "text": "값"}},
            ],
            "header_count": 4,
            "bytes": 3 + 23 + (5 + 2) + 5 + 4 + (5 + 3),
        })
    );
    assert_eq!((&page["records"][1]["key"]["text"], &page["records"][1]["value"]), (&"tombstone".into(), &Value::Null));
    assert_eq!((&page["records"][2]["key"], &page["records"][2]["value"]["text"]), (&Value::Null, &"".into()));
}

/// Offsets without a record: transaction markers, records of aborted transactions, and what compaction removed.
#[tokio::test(flavor = "multi_thread")]
async fn holes_between_offsets_are_passed_over() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(1, &[]);
    let committed = |records| TestTransaction { records, transaction_outcome: TransactionOutcome::Commit };
    let aborted = |records| TestTransaction { records, transaction_outcome: TransactionOutcome::Abort };
    kafka.produce_transactions(
        &topic,
        &[
            // Offsets 0 and 1, and a marker at 2.
            committed(vec![OutgoingRecord::new_in_partition(0, 1, "a"), OutgoingRecord::new_in_partition(0, 2, "b")]),
            // Offsets 3 to 202, and a marker at 203.
            aborted(vec![OutgoingRecord::new_in_partition(0, 5, "aborted"); 200]),
            // Offset 204, and a marker at 205.
            committed(vec![OutgoingRecord::new_in_partition(0, 9, "c")]),
        ],
    );
    let get = async |query: &str| ui.get_json(&format!("/api/topics/{topic}/messages?{query}")).await;
    let oldest = get("from=oldest").await;
    assert_eq!(
        (record_places(&oldest), &oldest["has_newer"], &oldest["ended"]),
        (vec![(0, 0), (0, 1), (0, 204)], &false.into(), &"edge".into())
    );
    // Two records back from the end are more than 200 offsets away.
    let newest = get("from=newest&limit=2").await;
    assert_eq!(record_places(&newest), [(0, 204), (0, 1)]);
    let older = newest["older"].as_str().expect("positions").to_owned();
    assert_eq!(record_places(&get(&format!("before={older}&limit=2")).await), [(0, 0)]);
    assert_eq!(record_places(&get("from=offset:2").await), [(0, 204)]);
    assert_eq!(record_places(&get("from=offset:205").await), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_topic_has_an_empty_page() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(2, &[]);
    for query in ["from=newest", "from=oldest", "from=offset:7", "from=time:1", "contains=x"] {
        let page = ui.get_json(&format!("/api/topics/{topic}/messages?{query}")).await;
        assert_eq!(page["records"], json!([]), "{query}");
        assert_eq!(
            (&page["ended"], &page["has_older"], &page["has_newer"]),
            (&"edge".into(), &false.into(), &false.into())
        );
        assert_eq!((&page["older"], &page["newer"]), (&"0:0,1:0".into(), &"0:0,1:0".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_large_records_the_beginning_is_shown_and_on_request_all() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(1, &[("max.message.bytes", "8000000")]);
    // Five megabytes that compress to five kilobytes: the unpacked size counts.
    let large = format!("{}end", "0123456789".repeat(500_000));
    let large_record = OutgoingRecord::new_in_partition(0, 1, &large);
    kafka.produce_with_settings(
        &topic,
        &vec![large_record; 3],
        &[("compression.type", "zstd"), ("message.max.bytes", "8000000")],
    );
    let path = format!("/api/topics/{topic}/messages");
    let page = ui.get_json(&format!("{path}?from=newest")).await;
    assert_eq!(record_places(&page), [(0, 2), (0, 1), (0, 0)]);
    let value = &page["records"][0]["value"];
    assert_eq!((&value["bytes"], &value["whole"]), (&5_000_003.into(), &false.into()));
    assert_eq!(value["text"].as_str().map(str::len), Some(4096));
    let whole = ui.get_json(&format!("{path}?from=offset:1&partition=0&limit=1&bytes=8388608")).await;
    assert_eq!(whole["records"][0]["value"]["whole"], true);
    assert_eq!(whole["records"][0]["value"]["text"], large.as_str());
    let (status, said) = ui.get_error(&format!("{path}?limit=2&bytes=8388608")).await;
    assert_eq!((status, said.as_str()), (400, "bytes=8388608 is invalid: use a number from 1 to 65536"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_text_in_keys_values_and_headers() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(2, &[]);
    let texts: Vec<String> = (0..5_000).map(|n| format!("value {n}")).collect();
    let mut records: Vec<_> = (0..5_000)
        .map(|n| {
            OutgoingRecord::new_in_partition(n % 2, 1_000 + i64::from(n), &texts[usize::try_from(n).expect("small")])
        })
        .collect();
    records[10].payload = Some(b"a needle <&>".to_vec());
    records[2_500].key = Some(b"needle <&>".to_vec());
    records[4_999].headers = vec![("needle <&>".to_owned(), None)];
    records[4_000].headers = vec![("h".to_owned(), Some(b"needle <&>".to_vec()))];
    kafka.produce(&topic, &records);
    let path = format!("/api/topics/{topic}/messages");
    let page = ui.get_json(&format!("{path}?contains=needle%20%3C%26%3E&limit=3")).await;
    assert_eq!(record_places(&page), [(1, 2_499), (0, 2_000), (0, 1_250)]);
    assert_eq!(page["ended"], "full");
    let older = page["older"].as_str().expect("positions");
    let rest = ui.get_json(&format!("{path}?contains=needle%20%3C%26%3E&before={older}&limit=3")).await;
    assert_eq!((record_places(&rest), &rest["ended"], &rest["left"]), (vec![(0, 5)], &"edge".into(), &0.into()));
    assert_eq!(ui.get_json(&format!("{path}?contains=needles")).await["looked_at"], 5_000);
    let oldest = ui.get_json(&format!("{path}?from=oldest&contains=needle&limit=2")).await;
    assert_eq!(record_places(&oldest), [(0, 5), (0, 1_250)]);
}

/// A long search takes several requests: each answer says how far it came.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_runs_out_of_time_goes_on_where_it_stopped() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(2, &[]);
    let records: Vec<_> = (0..60_000)
        .map(|n| OutgoingRecord::new_in_partition(n % 2, i64::from(n), if n == 0 { "needle" } else { "hay" }))
        .collect();
    kafka.produce(&topic, &records);
    let path = format!("/api/topics/{topic}/messages?contains=needle&timeout_ms=1");
    let mut page = ui.get_json(&path).await;
    let (mut looked_at, mut questions) = (0, 0);
    while page["ended"] == "time" {
        assert!(page["looked_at"].as_u64() > Some(0), "every answer is a step");
        looked_at += page["looked_at"].as_u64().expect("a number");
        questions += 1;
        assert_eq!(looked_at + page["left"].as_u64().expect("a number"), 60_000, "what is left is told");
        page = ui.get_json(&format!("{path}&before={}", page["older"].as_str().expect("positions"))).await;
    }
    assert!(questions > 1, "{questions}");
    assert_eq!((record_places(&page), &page["ended"]), (vec![(0, 0)], &"edge".into()));
}

/// The page names the batch that librdkafka does not unpack, and the records behind it are readable.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_unpacks_to_too_much_is_told() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(1, &[]);
    kafka.produce(&topic, &[OutgoingRecord::new_in_partition(0, 1, "before")]);
    let blanks = " ".repeat(50 << 20);
    let bomb = [
        ("message.max.bytes", "1000000000"),
        ("batch.size", "1000000000"),
        ("queue.buffering.max.kbytes", "2000000"),
        ("compression.type", "zstd"),
        ("linger.ms", "5000"),
    ];
    kafka.produce_with_settings(
        &topic,
        &[OutgoingRecord::new_in_partition(0, 2, &blanks), OutgoingRecord::new_in_partition(0, 2, &blanks)],
        &bomb,
    );
    kafka.produce(&topic, &[OutgoingRecord::new_in_partition(0, 3, "behind")]);
    let path = format!("/api/topics/{topic}/messages");
    let page = ui.get_json(&format!("{path}?from=oldest")).await;
    assert_eq!((record_texts(&page), &page["ended"]), (vec!["before"], &"trouble".into()));
    let trouble = page["trouble"].as_str().expect("a sentence");
    assert!(trouble.contains("partition 0 offset 1 cannot be decompressed"), "{trouble}");
    assert_eq!(record_texts(&ui.get_json(&format!("{path}?from=offset:3")).await), ["behind"]);
    assert_eq!(record_texts(&ui.get_json(&format!("{path}?from=newest&limit=1")).await), ["behind"]);
}
