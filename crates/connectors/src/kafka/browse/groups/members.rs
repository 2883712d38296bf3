//! The members of a group and their partitions, for both of Kafka's group protocols.

use kafka_protocol::messages::consumer_group_describe_response::DescribedGroup as ConsumerGroup;
use kafka_protocol::messages::describe_groups_response::DescribedGroup as ClassicGroup;
use serde::Serialize;

use crate::kafka::browse::offsets::PartitionKey;
use crate::kafka::group::assignment::decode_assignment;

/// A member of a group.
#[derive(Clone, Debug, Serialize)]
pub struct GroupMember {
    /// The id that the group gave it.
    pub member: String,
    /// Its name that outlives a restart.
    pub instance: Option<String>,
    /// The name that it gave itself.
    pub client: String,
    /// The host that it runs on.
    pub host: String,
    /// Number of partitions assigned to it; `None` where the group does not consist of consumers.
    pub partitions: Option<usize>,
    /// The partitions assigned to it.
    #[serde(skip)]
    pub(super) assigned: Vec<PartitionKey>,
}

/// What a group's coordinator tells about the group.
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
                    partitions.into_iter().map(|one| PartitionKey { topic: one.topic, partition: one.partition });
                keys.collect::<Vec<_>>()
            });
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
            let topics = member.assignment.topic_partitions.iter();
            let assigned: Vec<PartitionKey> = topics
                .flat_map(|topic| {
                    topic.partitions.iter().map(|partition| PartitionKey::new(&topic.topic_name, *partition))
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

/// Removes the slash that Java prints before addresses.
fn format_host(host: &str) -> String {
    host.trim_start_matches('/').to_owned()
}
