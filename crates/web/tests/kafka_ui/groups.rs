//! Consumer groups of both protocols.

use serde_json::{Value, json};
use windrow_test_support::kafka::{OutgoingRecord, TestKafka};
use windrow_test_support::kafka_or_skip;

use crate::support::eventually;
use crate::support::ui::{KafkaUiServer, percent_encode};

fn find_group(list: &Value, group: &str) -> Value {
    list["groups"].as_array().expect("groups").iter().find(|one| one["group"] == group).cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_without_members_has_offsets_and_lag() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(3, &[]);
    kafka.produce(
        &topic,
        &[vec![OutgoingRecord::new_in_partition(0, 1, "v"); 10], vec![OutgoingRecord::new_in_partition(1, 1, "v"); 4]]
            .concat(),
    );
    // Slashes, markup, percent signs and other scripts are all allowed in a group's name.
    let group = TestKafka::generate_unique_name("<b>Gruppe</b>/ä %2F ?#");
    kafka.commit_offsets(&group, &topic, &[(0, 7), (1, 4)]);
    let listed = find_group(&ui.get_json("/api/groups").await, &group);
    assert_eq!((&listed["state"], &listed["kind"]), (&"Empty".into(), &"classic".into()));
    assert_eq!((&listed["members"], &listed["lag"], &listed["topics"]), (&0.into(), &3.into(), &json!([topic])));
    let one = ui.get_json(&format!("/api/groups/{}", percent_encode(&group))).await;
    assert_eq!((&one["group"], &one["lag"]), (&group.into(), &3.into()));
    let none = Value::Null;
    assert_eq!(
        one["partition_list"],
        json!([
            {"topic": topic, "partition": 0, "committed": 7, "first": 0, "end": 10, "lag": 3, "member": none, "client": none, "host": none},
            {"topic": topic, "partition": 1, "committed": 4, "first": 0, "end": 4, "lag": 0, "member": none, "client": none, "host": none},
        ])
    );
    // Committed offsets may outlive their topic: every answer must still work.
    kafka.delete_topic(&topic);
    ui.get_json("/api/groups").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_shown_with_what_is_assigned_to_them() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let client = ("client.id", "a <b>member</b>");
    for (protocol, settings) in [
        ("classic", [client, ("partition.assignment.strategy", "cooperative-sticky")]),
        ("consumer", [client, ("group.protocol", "consumer")]),
    ] {
        let topic = kafka.create_unique_topic(2, &[]);
        kafka.produce(&topic, &vec![OutgoingRecord::new_in_partition(1, 1, "v"); 5]);
        let group = TestKafka::generate_unique_name(protocol);
        let member = kafka.join_and_await_partitions(&group, &topic, &settings);
        member.commit_offsets(&topic, &[(1, 2)]);
        let path = format!("/api/groups/{group}");
        eventually("the group is stable", async || ui.get_json(&path).await["state"] == "Stable").await;
        let one = ui.get_json(&path).await;
        assert_eq!((&one["kind"], &one["members"], &one["lag"]), (&protocol.into(), &1.into(), &3.into()), "{one}");
        let shown = &one["member_list"][0];
        assert_eq!(
            (&shown["client"], &shown["partitions"], &shown["host"]),
            (&"a <b>member</b>".into(), &2.into(), &"127.0.0.1".into())
        );
        let partitions = one["partition_list"].as_array().expect("partitions");
        assert_eq!(partitions.len(), 2, "what is assigned is there, also without an offset");
        assert!(partitions.iter().all(|partition| partition["member"] == shown["member"]), "{one}");
        assert_eq!((&partitions[0]["committed"], &partitions[1]["committed"]), (&Value::Null, &2.into()));
        let listed = find_group(&ui.get_json("/api/groups").await, &group);
        assert_eq!(
            (&listed["state"], &listed["members"], &listed["kind"]),
            (&"Stable".into(), &1.into(), &protocol.into())
        );
        drop(member);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_not_there_is_404() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    assert_eq!(ui.get_error("/api/groups/no%2Fsuch").await, (404, "there is no group `no/such`".to_owned()));
}

/// Reading records creates no group.
#[tokio::test(flavor = "multi_thread")]
async fn looking_leaves_no_group_behind() {
    let kafka = kafka_or_skip!();
    let ui = KafkaUiServer::start(&kafka.brokers).await;
    let topic = kafka.create_unique_topic(1, &[]);
    kafka.produce(&topic, &[OutgoingRecord::new_in_partition(0, 1, "v")]);
    ui.get_json(&format!("/api/topics/{topic}/messages")).await;
    assert_eq!(find_group(&ui.get_json("/api/groups").await, "windrow-kafka-ui"), Value::default());
}
