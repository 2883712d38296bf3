//! Topics: all of them at a glance, and one in detail.

use std::collections::BTreeMap;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::{BrokerId, DescribeConfigsRequest, MetadataResponse};
use kafka_protocol::protocol::StrBytes;
use serde::Serialize;

use super::browser::KafkaBrowser;
use super::disks::{BrokerDisks, fetch_broker_disks};
use super::error::BrowseError;
use super::offsets::{OffsetQuery, PartitionKey, fetch_offsets, partition_leaders};
use super::wire::session::ClusterSession;

/// Kafka's number for topics among the things that have settings.
const TOPIC_RESOURCE: i8 = 2;
/// Kafka's number for settings that are its own defaults.
const DEFAULT_SOURCE: i8 = 5;

/// A topic at a glance.
#[derive(Clone, Debug, Serialize)]
pub struct TopicSummary {
    /// Its name.
    pub topic: String,
    /// Whether it is internal to Kafka.
    pub internal: bool,
    /// Number of partitions.
    pub partitions: usize,
    /// Number of replicas of each partition.
    pub replication: usize,
    /// Number of offsets in use: that of the records, unless compaction or transactions left gaps. `None` while a leader
    /// does not answer.
    pub records: Option<i64>,
    /// Bytes on disk of the leader's replica of each partition; `None` while a broker does not report them.
    pub bytes: Option<i64>,
    /// Bytes on disk of all replicas.
    pub replica_bytes: Option<i64>,
    /// Number of partitions with fewer in-sync replicas than replicas.
    pub under_replicated: usize,
    /// Number of partitions without a leader.
    pub leaderless: usize,
}

/// A topic in detail.
#[derive(Clone, Debug, Serialize)]
pub struct TopicDetails {
    /// The same as in the list of topics.
    #[serde(flatten)]
    pub summary: TopicSummary,
    /// Its partitions, by number.
    pub partition_list: Vec<TopicPartition>,
    /// Its settings, by name.
    pub config: Vec<TopicSetting>,
    /// Why there are no settings.
    pub config_trouble: Option<String>,
}

/// A partition of a topic.
#[derive(Clone, Debug, Serialize)]
pub struct TopicPartition {
    /// Its number.
    pub partition: i32,
    /// The broker that leads it.
    pub leader: Option<i32>,
    /// Brokers that should have a replica; the first one is the preferred leader.
    pub replicas: Vec<i32>,
    /// Brokers whose replica is in sync.
    pub in_sync: Vec<i32>,
    /// Offset of the oldest record.
    pub first: Option<i64>,
    /// Offset behind the newest record.
    pub end: Option<i64>,
    /// Number of offsets in use.
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
    /// Whether the value is Kafka's own default.
    pub default: bool,
    /// Whether Kafka keeps the value secret.
    pub secret: bool,
}

impl KafkaBrowser {
    /// Returns all topics, by name.
    ///
    /// # Errors
    /// When Kafka is unreachable or refuses.
    pub async fn fetch_topics(&self) -> Result<Vec<TopicSummary>, BrowseError> {
        let mut session = ClusterSession::open(self).await?;
        let metadata = session.fetch_metadata(None).await?;
        let statistics = PartitionStatistics::fetch(&mut session, &metadata).await;
        let mut topics: Vec<_> = metadata.topics.iter().filter_map(|topic| statistics.summarize_topic(topic)).collect();
        topics.sort_by(|a, b| a.topic.cmp(&b.topic));
        Ok(topics)
    }

    /// Returns one topic in detail.
    ///
    /// # Errors
    /// When there is no such topic, or Kafka is unreachable or refuses.
    pub async fn fetch_topic(&self, topic: &str) -> Result<TopicDetails, BrowseError> {
        let mut session = ClusterSession::open(self).await?;
        let metadata = session.fetch_metadata(Some(&[topic])).await?;
        let not_found = || BrowseError::NotFound(format!("there is no topic `{topic}`"));
        let described = metadata.topics.first().ok_or_else(not_found)?;
        if let Some(error) = BrowseError::from_code(described.error_code, &format!("topic `{topic}`")) {
            return Err(error);
        }
        let statistics = PartitionStatistics::fetch(&mut session, &metadata).await;
        let (config, config_trouble) = match fetch_settings(&mut session, topic).await {
            Ok(config) => (config, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let mut partition_list: Vec<_> =
            described.partitions.iter().map(|one| statistics.describe_partition(topic, one)).collect();
        partition_list.sort_by_key(|one| one.partition);
        let summary = statistics.summarize_topic(described).ok_or_else(not_found)?;
        Ok(TopicDetails { summary, partition_list, config, config_trouble })
    }
}

/// What leaders and disks tell about partitions.
struct PartitionStatistics {
    firsts: BTreeMap<PartitionKey, i64>,
    ends: BTreeMap<PartitionKey, i64>,
    disks: BrokerDisks,
}

impl PartitionStatistics {
    async fn fetch(session: &mut ClusterSession, metadata: &MetadataResponse) -> Self {
        let leaders = partition_leaders(metadata);
        let firsts = fetch_offsets(session, &leaders, OffsetQuery::First).await;
        let ends = fetch_offsets(session, &leaders, OffsetQuery::End).await;
        Self { firsts, ends, disks: fetch_broker_disks(session).await }
    }

    fn summarize_topic(&self, topic: &MetadataResponseTopic) -> Option<TopicSummary> {
        let name = topic.name.as_ref()?.0.to_string();
        let partitions = &topic.partitions;
        let details = || partitions.iter().map(|partition| self.describe_partition(&name, partition));
        let all_replicas = partitions.iter().flat_map(|one| {
            one.replica_nodes.iter().map(|broker| self.replica_bytes(&name, one.partition_index, *broker))
        });
        Some(TopicSummary {
            internal: topic.is_internal,
            partitions: partitions.len(),
            replication: partitions.first().map_or(0, |partition| partition.replica_nodes.len()),
            records: details().map(|partition| partition.records).sum(),
            bytes: details().map(|partition| partition.bytes).sum(),
            replica_bytes: all_replicas.sum(),
            under_replicated: partitions.iter().filter(|one| one.isr_nodes.len() < one.replica_nodes.len()).count(),
            leaderless: partitions.iter().filter(|one| one.leader_id.0 < 0).count(),
            topic: name,
        })
    }

    fn describe_partition(&self, topic: &str, partition: &MetadataResponsePartition) -> TopicPartition {
        let number = partition.partition_index;
        let key = PartitionKey { topic: topic.to_owned(), partition: number };
        let (first, end) = (self.firsts.get(&key).copied(), self.ends.get(&key).copied());
        let broker_ids = |brokers: &[BrokerId]| brokers.iter().map(|broker| broker.0).collect();
        TopicPartition {
            partition: number,
            leader: Some(partition.leader_id.0).filter(|leader| *leader >= 0),
            replicas: broker_ids(&partition.replica_nodes),
            in_sync: broker_ids(&partition.isr_nodes),
            first,
            end,
            records: first.zip(end).map(|(first, end)| (end - first).max(0)),
            bytes: self.replica_bytes(topic, number, partition.leader_id),
        }
    }

    /// Returns the bytes of the replica that `broker` has of a partition.
    fn replica_bytes(&self, topic: &str, partition: i32, broker: BrokerId) -> Option<i64> {
        let disk = self.disks.get(&broker.0)?.as_ref().ok()?;
        disk.replica_bytes.get(&PartitionKey { topic: topic.to_owned(), partition }).copied()
    }
}

async fn fetch_settings(session: &mut ClusterSession, topic: &str) -> Result<Vec<TopicSetting>, BrowseError> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC_RESOURCE)
        .with_resource_name(StrBytes::from_string(topic.to_owned()))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let answer = session.ask_bootstrap_broker(&request).await?;
    let mut settings = Vec::new();
    for result in answer.results {
        let subject = format!("the settings of topic `{topic}`");
        if let Some(error) = BrowseError::from_code(result.error_code, &subject) {
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

fn source_name(source: i8) -> &'static str {
    match source {
        1 => "topic",
        2 | 4 => "broker",
        3 => "cluster",
        DEFAULT_SOURCE => "default",
        _ => "other",
    }
}
