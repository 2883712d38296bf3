//! Converts descriptions of groups into one format. Kafka's two group protocols describe groups in different formats.

use kafka_protocol::messages::consumer_group_describe_response::DescribedGroup as ConsumerGroup;
use kafka_protocol::messages::describe_groups_response::DescribedGroup as ClassicGroup;
use serde::Serialize;

use crate::kafka::browse::offsets::TopicAndPartition;
use crate::kafka::group::assignment::decode_assignment;

/// A member of a group.
#[derive(Clone, Debug, Serialize)]
pub struct GroupMember {
    /// The member id, which the coordinator of the group assigned.
    #[serde(rename = "member")]
    pub member_id: String,
    /// The static name of the member, which stays the same after a restart; `None` if the member has no static name.
    #[serde(rename = "instance")]
    pub static_member_name: Option<String>,
    /// The client id, which the member chose.
    #[serde(rename = "client")]
    pub client_id: String,
    /// The host on which the member runs.
    pub host: String,
    /// The number of partitions assigned to the member; `None` if the members are not consumers, but for example
    /// workers of Kafka Connect.
    #[serde(rename = "partitions")]
    pub assigned_partition_count: Option<usize>,
    /// The partitions assigned to the member.
    #[serde(skip)]
    pub(super) assigned_partitions: Vec<TopicAndPartition>,
}

/// A group's state, assignor and members, as the group's coordinator reports them.
#[derive(Clone, Debug)]
pub(super) struct GroupDescription {
    pub(super) state: String,
    pub(super) assignor: String,
    pub(super) members: Vec<GroupMember>,
}

impl From<ClassicGroup> for GroupDescription {
    fn from(group: ClassicGroup) -> Self {
        let consumers = group.protocol_type.is_empty() || group.protocol_type.as_str() == "consumer";
        let members = group.members.into_iter().map(|member| {
            let assigned = if consumers { decode_assignment(&member.member_assignment) } else { None };
            let assigned = assigned.map(|partitions| {
                let keys =
                    partitions.into_iter().map(|one| TopicAndPartition { topic: one.topic, partition: one.partition });
                keys.collect::<Vec<_>>()
            });
            GroupMember {
                member_id: member.member_id.to_string(),
                static_member_name: member.group_instance_id.map(|instance| instance.to_string()),
                client_id: member.client_id.to_string(),
                host: strip_leading_slash(&member.client_host),
                assigned_partition_count: assigned.as_ref().map(Vec::len),
                assigned_partitions: assigned.unwrap_or_default(),
            }
        });
        Self {
            members: members.collect(),
            state: group.group_state.to_string(),
            assignor: group.protocol_data.to_string(),
        }
    }
}

impl From<ConsumerGroup> for GroupDescription {
    fn from(group: ConsumerGroup) -> Self {
        let members = group.members.into_iter().map(|member| {
            let topics = member.assignment.topic_partitions.iter();
            let assigned: Vec<TopicAndPartition> = topics
                .flat_map(|topic| {
                    topic.partitions.iter().map(|partition| TopicAndPartition::new(&topic.topic_name, *partition))
                })
                .collect();
            GroupMember {
                member_id: member.member_id.to_string(),
                static_member_name: member.instance_id.map(|instance| instance.to_string()),
                client_id: member.client_id.to_string(),
                host: strip_leading_slash(&member.client_host),
                assigned_partition_count: Some(assigned.len()),
                assigned_partitions: assigned,
            }
        });
        Self {
            members: members.collect(),
            state: group.group_state.to_string(),
            assignor: group.assignor_name.to_string(),
        }
    }
}

/// Removes the slash that Kafka puts before the address of a host.
fn strip_leading_slash(host: &str) -> String {
    host.trim_start_matches('/').to_owned()
}
