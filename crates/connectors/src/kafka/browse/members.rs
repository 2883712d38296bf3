//! The members of a group and what is assigned to each, for both of Kafka's group protocols.

use kafka_protocol::messages::consumer_group_describe_response::DescribedGroup as ConsumerGroup;
use kafka_protocol::messages::describe_groups_response::DescribedGroup as ClassicGroup;
use serde::Serialize;

use super::edges::PartitionKey;
use crate::kafka::assignment;

/// A member of a group.
#[derive(Clone, Debug, Serialize)]
pub struct GroupMember {
    /// What the group calls it.
    pub member: String,
    /// Its name that outlives a restart.
    pub instance: Option<String>,
    /// What it calls itself.
    pub client: String,
    /// Where it is.
    pub host: String,
    /// How many partitions are assigned to it; `None` where the group is not one of consumers.
    pub partitions: Option<usize>,
    /// Which.
    #[serde(skip)]
    pub(super) assigned: Vec<PartitionKey>,
}

/// What a group's coordinator says.
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
            let assigned = if consumers { assignment::decode_assignment(&member.member_assignment) } else { None };
            GroupMember {
                member: member.member_id.to_string(),
                instance: member.group_instance_id.map(|instance| instance.to_string()),
                client: member.client_id.to_string(),
                host: format_host(&member.client_host),
                partitions: assigned.as_ref().map(Vec::len),
                assigned: assigned.unwrap_or_default(),
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
            let topics = member.assignment.topic_partitions.into_iter();
            let assigned: Vec<PartitionKey> = topics
                .flat_map(|topic| {
                    let name = topic.topic_name.0.to_string();
                    topic.partitions.into_iter().map(move |partition| (name.clone(), partition))
                })
                .collect();
            GroupMember {
                member: member.member_id.to_string(),
                instance: member.instance_id.map(|instance| instance.to_string()),
                client: member.client_id.to_string(),
                host: format_host(&member.client_host),
                partitions: Some(assigned.len()),
                assigned,
            }
        });
        Self {
            members: members.collect(),
            state: group.group_state.to_string(),
            assignor: group.assignor_name.to_string(),
        }
    }
}

/// Java prints addresses with a slash before them.
fn format_host(host: &str) -> String {
    host.trim_start_matches('/').to_owned()
}
