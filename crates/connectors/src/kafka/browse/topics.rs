//! Topics: all of them at a glance, and one in detail.

use std::collections::BTreeMap;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::{BrokerId, DescribeConfigsRequest};
use kafka_protocol::protocol::StrBytes;
use serde::Serialize;

use super::cluster::{BrokerDisk, fetch_broker_disks};
use super::edges::{OffsetQuery, PartitionKey, fetch_offsets, partition_leaders};
use super::session::ClusterSession;
use super::{BrowseError, KafkaBrowser};

const TOPIC_RESOURCE: i8 = 2;

/// A topic at a glance.
#[derive(Clone, Debug, Serialize)]
pub struct TopicSummary {
    /// Its name.
    pub topic: String,
    /// Whether it is one of Kafka's own.
    pub internal: bool,
    /// Number of partitions.
    pub partitions: usize,
    /// Replicas of each partition.
    pub replication: usize,
    /// Offsets in use, which is the number of records unless compaction or transactions left holes; `None` while a leader
    /// does not answer.
    pub records: Option<i64>,
    /// Bytes on disk of one replica of each partition, its leader's; `None` while a broker does not tell.
    pub bytes: Option<i64>,
    /// Bytes on disk of all replicas.
    pub replica_bytes: Option<i64>,
    /// Partitions with fewer replicas in sync than they should have.
    pub under_replicated: usize,
    /// Partitions without a leader.
    pub leaderless: usize,
}

/// A topic in detail.
#[derive(Clone, Debug, Serialize)]
pub struct TopicDetails {
    /// As in the list.
    #[serde(flatten)]
    pub summary: TopicSummary,
    /// Its partitions, by number.
    pub partition_list: Vec<TopicPartition>,
    /// Its settings, by name.
    pub config: Vec<TopicSetting>,
    /// Why there are none.
    pub config_trouble: Option<String>,
}

/// A partition.
#[derive(Clone, Debug, Serialize)]
pub struct TopicPartition {
    /// Its number.
    pub partition: i32,
    /// The broker that leads it.
    pub leader: Option<i32>,
    /// Brokers that should have a replica; the first one should lead.
    pub replicas: Vec<i32>,
    /// Brokers whose replica is in sync.
    pub in_sync: Vec<i32>,
    /// Offset of the oldest record.
    pub first: Option<i64>,
    /// Offset behind the newest record.
    pub end: Option<i64>,
    /// Offsets in use.
    pub records: Option<i64>,
    /// Bytes of the leader's replica on disk.
    pub bytes: Option<i64>,
}

/// A setting of a topic.
#[derive(Clone, Debug, Serialize)]
pub struct TopicSetting {
    /// Its name.
    pub name: String,
    /// Its value; `None` where Kafka keeps it secret.
    pub value: Option<String>,
    /// Where the value is from: `topic`, `broker`, `cluster`, `default` or `other`.
    pub source: &'static str,
    /// Whether it is what Kafka has where nobody sets anything.
    pub default: bool,
    /// Whether Kafka keeps it secret.
    pub secret: bool,
}

impl KafkaBrowser {
    /// All topics, by name.
    ///
    /// # Errors
    /// When Kafka does not answer or refuses.
    pub async fn fetch_topics(&self) -> Result<Vec<TopicSummary>, BrowseError> {
        let mut session = ClusterSession::open(self).await?;
        let metadata = session.fetch_metadata(None).await?;
        let found = PartitionStatistics::fetch(&mut session, &metadata).await;
        let mut topics: Vec<_> = metadata.topics.iter().filter_map(|topic| found.summarize_topic(topic)).collect();
        topics.sort_by(|a, b| a.topic.cmp(&b.topic));
        Ok(topics)
    }

    /// One topic.
    ///
    /// # Errors
    /// When there is no such topic, Kafka does not answer, or refuses.
    pub async fn fetch_topic(&self, topic: &str) -> Result<TopicDetails, BrowseError> {
        let mut session = ClusterSession::open(self).await?;
        let metadata = session.fetch_metadata(Some(&[topic])).await?;
        let none = || BrowseError::NotFound(format!("there is no topic `{topic}`"));
        let described = metadata.topics.first().ok_or_else(none)?;
        if let Some(error) = BrowseError::from_code(described.error_code, &format!("topic `{topic}`")) {
            return Err(error);
        }
        let found = PartitionStatistics::fetch(&mut session, &metadata).await;
        let (config, config_trouble) = match fetch_settings(&mut session, topic).await {
            Ok(config) => (config, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let mut partition_list: Vec<_> =
            described.partitions.iter().map(|one| found.describe_partition(topic, one)).collect();
        partition_list.sort_by_key(|one| one.partition);
        Ok(TopicDetails {
            summary: found.summarize_topic(described).ok_or_else(none)?,
            partition_list,
            config,
            config_trouble,
        })
    }
}

/// What leaders and disks say of partitions.
struct PartitionStatistics {
    firsts: BTreeMap<PartitionKey, i64>,
    ends: BTreeMap<PartitionKey, i64>,
    disks: BTreeMap<i32, Result<BrokerDisk, BrowseError>>,
}

impl PartitionStatistics {
    async fn fetch(session: &mut ClusterSession, metadata: &kafka_protocol::messages::MetadataResponse) -> Self {
        let leaders = partition_leaders(metadata);
        let firsts = fetch_offsets(session, &leaders, OffsetQuery::First).await;
        let ends = fetch_offsets(session, &leaders, OffsetQuery::End).await;
        Self { firsts, ends, disks: fetch_broker_disks(session).await }
    }

    fn summarize_topic(&self, topic: &MetadataResponseTopic) -> Option<TopicSummary> {
        let name = topic.name.as_ref()?.0.to_string();
        let partitions = &topic.partitions;
        let details = || partitions.iter().map(|partition| self.describe_partition(&name, partition));
        Some(TopicSummary {
            internal: topic.is_internal,
            partitions: partitions.len(),
            replication: partitions.first().map_or(0, |partition| partition.replica_nodes.len()),
            records: details().map(|partition| partition.records).sum(),
            bytes: details().map(|partition| partition.bytes).sum(),
            replica_bytes: partitions
                .iter()
                .flat_map(|one| {
                    one.replica_nodes.iter().map(|broker| self.replica_bytes(&name, one.partition_index, *broker))
                })
                .sum(),
            under_replicated: partitions.iter().filter(|one| one.isr_nodes.len() < one.replica_nodes.len()).count(),
            leaderless: partitions.iter().filter(|one| one.leader_id.0 < 0).count(),
            topic: name,
        })
    }

    fn describe_partition(&self, topic: &str, partition: &MetadataResponsePartition) -> TopicPartition {
        let number = partition.partition_index;
        let at = (topic.to_owned(), number);
        let (first, end) = (self.firsts.get(&at).copied(), self.ends.get(&at).copied());
        let numbers = |brokers: &[BrokerId]| brokers.iter().map(|broker| broker.0).collect();
        TopicPartition {
            partition: number,
            leader: Some(partition.leader_id.0).filter(|leader| *leader >= 0),
            replicas: numbers(&partition.replica_nodes),
            in_sync: numbers(&partition.isr_nodes),
            first,
            end,
            records: first.zip(end).map(|(first, end)| (end - first).max(0)),
            bytes: self.replica_bytes(topic, number, partition.leader_id),
        }
    }

    fn replica_bytes(&self, topic: &str, partition: i32, broker: BrokerId) -> Option<i64> {
        let disk = self.disks.get(&broker.0)?.as_ref().ok()?;
        disk.sizes.get(&(topic.to_owned(), partition)).copied()
    }
}

async fn fetch_settings(session: &mut ClusterSession, topic: &str) -> Result<Vec<TopicSetting>, BrowseError> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC_RESOURCE)
        .with_resource_name(StrBytes::from_string(topic.to_owned()))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let (answer, _) = session.ask_bootstrap_broker(&request).await?;
    let mut settings = Vec::new();
    for result in answer.results {
        if let Some(error) = BrowseError::from_code(result.error_code, &format!("the settings of topic `{topic}`")) {
            return Err(error);
        }
        settings.extend(result.configs.into_iter().map(|config| TopicSetting {
            name: config.name.to_string(),
            value: config.value.filter(|_| !config.is_sensitive).map(|value| value.to_string()),
            source: source_name(config.config_source),
            default: config.config_source == DEFAULT_SOURCE,
            secret: config.is_sensitive,
        }));
    }
    settings.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(settings)
}

const DEFAULT_SOURCE: i8 = 5;

fn source_name(code: i8) -> &'static str {
    match code {
        1 => "topic",
        2 | 4 => "broker",
        3 => "cluster",
        DEFAULT_SOURCE => "default",
        _ => "other",
    }
}
