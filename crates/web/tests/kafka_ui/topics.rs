//! The cluster, the list of topics, one topic.

use windrow_test_support::kafka::{OutgoingRecord, TestKafka};
use windrow_test_support::kafka_or_skip;

use crate::support::ui::KafkaUiServer;

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_has_partitions_offsets_and_real_sizes() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic =
        kafka.create_unique_topic(3, &[("retention.ms", "7770000000000"), ("cleanup.policy", "compact,delete")]);
    let value = "v".repeat(10_000);
    let records: Vec<_> =
        (0..40).map(|n| OutgoingRecord::new_in_partition(n % 2, 1000, &value).with_key("k")).collect();
    kafka.produce(&topic, &records);
    kafka.delete_records_before(&topic, 1, 5);

    let one = ui.get_json(&format!("/api/topics/{topic}")).await;
    assert_eq!((&one["topic"], &one["internal"]), (&topic.clone().into(), &false.into()));
    assert_eq!((&one["partitions"], &one["replication"], &one["records"]), (&3.into(), &1.into(), &35.into()));
    let edges: Vec<_> = one["partition_list"]
        .as_array()
        .expect("partitions")
        .iter()
        .map(|partition| {
            let number = |name: &str| partition[name].as_i64().expect(name);
            (number("partition"), number("first"), number("end"), number("records"), number("leader"))
        })
        .collect();
    assert_eq!(edges, [(0, 0, 20, 20, 1), (1, 5, 20, 15, 1), (2, 0, 0, 0, 1)]);
    assert_eq!(one["partition_list"][0]["in_sync"], serde_json::json!([1]));

    // Twenty uncompressed records of 10,000 bytes: the size is that on disk, not an estimate.
    let bytes = |partition: usize| one["partition_list"][partition]["bytes"].as_i64().expect("bytes");
    assert!((200_000..230_000).contains(&bytes(0)), "{}", bytes(0));
    assert_eq!(bytes(2), 0);
    assert_eq!(one["bytes"], bytes(0) + bytes(1));
    assert_eq!(one["replica_bytes"], one["bytes"]);

    let setting =
        |name: &str| one["config"].as_array().expect("settings").iter().find(|one| one["name"] == name).cloned();
    let retention = setting("retention.ms").expect("it is there");
    assert_eq!(
        (&retention["value"], &retention["source"], &retention["default"]),
        (&"7770000000000".into(), &"topic".into(), &false.into())
    );
    assert_eq!(setting("min.cleanable.dirty.ratio").expect("it is there")["default"], true);

    let all = ui.get_json("/api/topics").await;
    let listed = all["topics"].as_array().expect("topics").iter().find(|listed| listed["topic"] == topic).cloned();
    let listed = listed.expect("it is in the list");
    for field in ["partitions", "replication", "records", "bytes", "internal"] {
        assert_eq!(listed[field], one[field], "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkas_own_topics_are_told_apart() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(1, &[]);
    kafka.produce(&topic, &[OutgoingRecord::new_in_partition(0, 1, "v")]);
    kafka.commit_offsets(&TestKafka::generate_unique_name("group"), &topic, &[(0, 1)]);
    let all = ui.get_json("/api/topics").await;
    let offsets = all["topics"].as_array().expect("topics").iter().find(|one| one["topic"] == "__consumer_offsets");
    assert_eq!(offsets.expect("offsets were committed")["internal"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_is_404() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    for path in ["/api/topics/no.such.topic", "/api/topics/no.such.topic/messages", "/api/topics/no.such.topic/tail"] {
        assert_eq!(ui.get_error(path).await, (404, "there is no topic `no.such.topic`".to_owned()), "{path}");
    }
    // The requests did not create it.
    let all = ui.get_json("/api/topics").await;
    assert!(all["topics"].as_array().expect("topics").iter().all(|one| one["topic"] != "no.such.topic"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_names_brokers_disks_and_the_controller() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(2, &[]);
    kafka.produce(&topic, &[OutgoingRecord::new_in_partition(0, 1, "v")]);
    let said = ui.get_json("/api/cluster").await;
    assert_eq!(said["addresses"], kafka.brokers.as_str());
    let cluster = &said["cluster"];
    assert_eq!(cluster["controller"], 1);
    let broker = &cluster["brokers"][0];
    assert_eq!(format!("{}:{}", broker["host"].as_str().expect("a host"), broker["port"]), kafka.brokers);
    assert!(broker["leads"].as_u64() >= Some(2) && broker["bytes"].as_i64() > Some(0), "{broker}");
    assert!(broker["disk_total_bytes"].as_i64() >= broker["disk_free_bytes"].as_i64(), "{broker}");
    assert_eq!((&cluster["under_replicated"], &cluster["leaderless"]), (&0.into(), &0.into()));
}
