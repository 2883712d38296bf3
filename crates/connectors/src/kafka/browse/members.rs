//! The members of a group and what is assigned to each, for both of Kafka's group protocols.

use kafka_protocol::messages::consumer_group_describe_response::DescribedGroup as ConsumerGroup;
use kafka_protocol::messages::describe_groups_response::DescribedGroup as ClassicGroup;
use serde::Serialize;

use super::edges::At;

/// A member of a group.
#[derive(Clone, Debug, Serialize)]
pub struct Member {
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
    pub(super) assigned: Vec<At>,
}

/// What a group's coordinator says.
#[derive(Clone, Debug)]
pub(super) struct Described {
    pub(super) state: String,
    pub(super) assignor: String,
    pub(super) members: Vec<Member>,
}

impl From<ClassicGroup> for Described {
    fn from(group: ClassicGroup) -> Self {
        let consumers = group.protocol_type.is_empty() || group.protocol_type.as_str() == "consumer";
        let members = group.members.into_iter().map(|member| {
            let assigned = if consumers { assignment(&member.member_assignment) } else { None };
            Member {
                member: member.member_id.to_string(),
                instance: member.group_instance_id.map(|instance| instance.to_string()),
                client: member.client_id.to_string(),
                host: host(&member.client_host),
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

impl From<ConsumerGroup> for Described {
    fn from(group: ConsumerGroup) -> Self {
        let members = group.members.into_iter().map(|member| {
            let topics = member.assignment.topic_partitions.into_iter();
            let assigned: Vec<At> = topics
                .flat_map(|topic| {
                    let name = topic.topic_name.0.to_string();
                    topic.partitions.into_iter().map(move |partition| (name.clone(), partition))
                })
                .collect();
            Member {
                member: member.member_id.to_string(),
                instance: member.instance_id.map(|instance| instance.to_string()),
                client: member.client_id.to_string(),
                host: host(&member.client_host),
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
fn host(host: &str) -> String {
    host.trim_start_matches('/').to_owned()
}

/// What a classic consumer was assigned: a version, then topics with their partitions. Its bytes come from whoever leads
/// the group, so counts in them are not believed: reading ends where the bytes end.
fn assignment(bytes: &[u8]) -> Option<Vec<At>> {
    if bytes.is_empty() {
        return Some(Vec::new()); // the group is on its way to an assignment
    }
    let mut rest = Rest(bytes);
    let _version = rest.take::<2>()?;
    let mut assigned = Vec::new();
    for _ in 0..rest.count()? {
        let length = usize::from(u16::from_be_bytes(rest.take()?));
        let topic = std::str::from_utf8(rest.0.get(..length)?).ok()?;
        rest.0 = rest.0.get(length..)?;
        for _ in 0..rest.count()? {
            assigned.push((topic.to_owned(), i32::from_be_bytes(rest.take()?)));
        }
    }
    Some(assigned)
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn count(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take()?))
    }
}

#[cfg(test)]
mod tests {
    use super::assignment;

    #[test]
    fn an_assignment_is_read_and_a_broken_one_is_none() {
        let mut bytes = vec![0, 3, 0, 0, 0, 1, 0, 2, b'a', b'b', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5];
        let whole = vec![("ab".to_owned(), 0), ("ab".to_owned(), 5)];
        assert_eq!(assignment(&bytes), Some(whole.clone()));
        bytes.extend([255, 255, 255, 255]); // no user data
        assert_eq!(assignment(&bytes), Some(whole));
        for end in 1..22 {
            assert_eq!(assignment(&bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(assignment(&[]), Some(Vec::new()));
        // Two billion topics, said in six bytes.
        assert_eq!(assignment(&[0, 0, 127, 255, 255, 255]), None);
        assert_eq!(assignment(&[0, 0, 255, 255, 255, 255]), Some(Vec::new()));
    }
}
