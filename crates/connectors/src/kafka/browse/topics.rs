//! Fetches a summary of every topic, or the details of one topic, for the Kafka UI.

use std::collections::BTreeMap;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::{BrokerId, DescribeConfigsRequest, MetadataResponse};
use kafka_protocol::protocol::StrBytes;
use serde::Serialize;

use super::browser::KafkaBrowser;
use super::disks::{DiskUsageByBroker, fetch_disk_usage};
use super::error::BrowseError;
use super::offsets::{OffsetQuery, TopicAndPartition, collect_partition_leaders, fetch_offsets};
use super::wire::cluster_connections::ClusterConnections;

/// Kafka's number for the resource type "topic" in a DescribeConfigs request.
const TOPIC_RESOURCE_TYPE: i8 = 2;
/// The number with which Kafka marks a setting whose value is Kafka's own default.
const DEFAULT_CONFIG_SOURCE: i8 = 5;

/// A summary of a topic.
#[derive(Clone, Debug, Serialize)]
pub struct TopicSummary {
    /// The name of the topic.
    pub topic: String,
    /// Whether the topic is internal to Kafka.
    #[serde(rename = "internal")]
    pub is_internal: bool,
    /// The number of partitions.
    #[serde(rename = "partitions")]
    pub partition_count: usize,
    /// The number of replicas of each partition.
    #[serde(rename = "replication")]
    pub replication_factor: usize,
    /// The number of offsets from first to end offset, summed over all partitions. The topic may hold fewer records,
    /// because compaction and transactions leave gaps. `None` if a leader does not answer.
    #[serde(rename = "records")]
    pub estimated_record_count: Option<i64>,
    /// The bytes on disk of the leader's replica, summed over all partitions; `None` if a leader does not report its
    /// replicas.
    #[serde(rename = "bytes")]
    pub leader_replica_bytes: Option<i64>,
    /// The total bytes on disk of all replicas; `None` if a broker does not report its replicas.
    #[serde(rename = "replica_bytes")]
    pub all_replica_bytes: Option<i64>,
    /// The number of partitions with fewer in-sync replicas than replicas.
    #[serde(rename = "under_replicated")]
    pub under_replicated_partition_count: usize,
    /// The number of partitions without a leader.
    #[serde(rename = "leaderless")]
    pub leaderless_partition_count: usize,
}

/// The details of a topic.
#[derive(Clone, Debug, Serialize)]
pub struct TopicDetails {
    /// The summary, as in the list of topics.
    #[serde(flatten)]
    pub summary: TopicSummary,
    /// The partitions, sorted by number.
    pub partition_list: Vec<PartitionDetails>,
    /// The settings, sorted by name.
    #[serde(rename = "config")]
    pub settings: Vec<TopicSetting>,
    /// The reason why the settings could not be fetched; `None` if they were fetched.
    #[serde(rename = "config_trouble")]
    pub settings_error: Option<String>,
}

/// A partition of a topic.
#[derive(Clone, Debug, Serialize)]
pub struct PartitionDetails {
    /// The number of the partition.
    pub partition: i32,
    /// The id of the broker that leads the partition; `None` if the partition has no leader.
    #[serde(rename = "leader")]
    pub leader_id: Option<i32>,
    /// The ids of the brokers that should have a replica. The first broker is the preferred leader.
    #[serde(rename = "replicas")]
    pub replica_broker_ids: Vec<i32>,
    /// The ids of the brokers whose replica is in sync.
    #[serde(rename = "in_sync")]
    pub in_sync_broker_ids: Vec<i32>,
    /// The offset of the oldest record.
    #[serde(rename = "first")]
    pub first_offset: Option<i64>,
    /// The offset after the newest record.
    #[serde(rename = "end")]
    pub end_offset: Option<i64>,
    /// The number of offsets from the first offset to the end offset. The partition may hold fewer records, because
    /// compaction and transactions leave gaps.
    #[serde(rename = "records")]
    pub estimated_record_count: Option<i64>,
    /// The bytes on disk of the leader's replica.
    #[serde(rename = "bytes")]
    pub leader_replica_bytes: Option<i64>,
}

/// A setting of a topic.
#[derive(Clone, Debug, Serialize)]
pub struct TopicSetting {
    /// The name of the setting.
    #[serde(rename = "name")]
    pub setting_name: String,
    /// The value of the setting; `None` if Kafka keeps the value secret.
    #[serde(rename = "value")]
    pub setting_value: Option<String>,
    /// Where the value was set: `topic`, `broker`, `cluster`, `default` or `other`.
    #[serde(rename = "source")]
    pub value_origin: &'static str,
    /// Whether the value is Kafka's own default.
    #[serde(rename = "default")]
    pub is_default: bool,
    /// Whether Kafka keeps the value secret.
    #[serde(rename = "secret")]
    pub is_secret: bool,
}

impl KafkaBrowser {
    /// Returns the summaries of all topics, sorted by name.
    ///
    /// # Errors
    /// When Kafka is unreachable or refuses the request.
    pub async fn fetch_topic_summaries(&self) -> Result<Vec<TopicSummary>, BrowseError> {
        let mut connections = ClusterConnections::open(self).await?;
        let metadata = connections.fetch_metadata(None).await?;
        let statistics = PartitionStatistics::fetch_statistics(&mut connections, &metadata).await;
        let mut topics: Vec<_> = metadata.topics.iter().filter_map(|topic| statistics.summarize_topic(topic)).collect();
        topics.sort_by(|a, b| a.topic.cmp(&b.topic));
        Ok(topics)
    }

    /// Returns the details of `topic`.
    ///
    /// # Errors
    /// When the topic does not exist, or Kafka is unreachable or refuses the request.
    pub async fn fetch_topic_details(&self, topic: &str) -> Result<TopicDetails, BrowseError> {
        let mut connections = ClusterConnections::open(self).await?;
        let metadata = connections.fetch_metadata(Some(&[topic])).await?;
        let not_found = || BrowseError::NotFound(format!("there is no topic `{topic}`"));
        let described = metadata.topics.first().ok_or_else(not_found)?;
        if let Some(error) = BrowseError::from_error_code(described.error_code, &format!("topic `{topic}`")) {
            return Err(error);
        }
        let statistics = PartitionStatistics::fetch_statistics(&mut connections, &metadata).await;
        let (settings, settings_error) = match fetch_topic_settings(&mut connections, topic).await {
            Ok(settings) => (settings, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let mut partition_list: Vec<_> =
            described.partitions.iter().map(|one| statistics.describe_partition(topic, one)).collect();
        partition_list.sort_by_key(|one| one.partition);
        let summary = statistics.summarize_topic(described).ok_or_else(not_found)?;
        Ok(TopicDetails { summary, partition_list, settings, settings_error })
    }
}

/// The first and end offsets of partitions, and the sizes of the partitions' replicas.
struct PartitionStatistics {
    first_offsets: BTreeMap<TopicAndPartition, i64>,
    end_offsets: BTreeMap<TopicAndPartition, i64>,
    disk_usage: DiskUsageByBroker,
}

impl PartitionStatistics {
    async fn fetch_statistics(connections: &mut ClusterConnections, metadata: &MetadataResponse) -> Self {
        let leaders = collect_partition_leaders(metadata);
        let firsts = fetch_offsets(connections, &leaders, OffsetQuery::First).await;
        let ends = fetch_offsets(connections, &leaders, OffsetQuery::End).await;
        Self { first_offsets: firsts, end_offsets: ends, disk_usage: fetch_disk_usage(connections).await }
    }

    fn summarize_topic(&self, topic: &MetadataResponseTopic) -> Option<TopicSummary> {
        let name = topic.name.as_ref()?.0.to_string();
        let partitions = &topic.partitions;
        let details = || partitions.iter().map(|partition| self.describe_partition(&name, partition));
        let all_replicas = partitions.iter().flat_map(|one| {
            one.replica_nodes.iter().map(|broker| self.find_replica_bytes(&name, one.partition_index, *broker))
        });
        Some(TopicSummary {
            is_internal: topic.is_internal,
            partition_count: partitions.len(),
            replication_factor: partitions.first().map_or(0, |partition| partition.replica_nodes.len()),
            estimated_record_count: details().map(|partition| partition.estimated_record_count).sum(),
            leader_replica_bytes: details().map(|partition| partition.leader_replica_bytes).sum(),
            all_replica_bytes: all_replicas.sum(),
            under_replicated_partition_count: partitions
                .iter()
                .filter(|one| one.isr_nodes.len() < one.replica_nodes.len())
                .count(),
            leaderless_partition_count: partitions.iter().filter(|one| one.leader_id.0 < 0).count(),
            topic: name,
        })
    }

    fn describe_partition(&self, topic: &str, partition: &MetadataResponsePartition) -> PartitionDetails {
        let number = partition.partition_index;
        let key = TopicAndPartition { topic: topic.to_owned(), partition: number };
        let (first, end) = (self.first_offsets.get(&key).copied(), self.end_offsets.get(&key).copied());
        let broker_ids = |brokers: &[BrokerId]| brokers.iter().map(|broker| broker.0).collect();
        PartitionDetails {
            partition: number,
            leader_id: Some(partition.leader_id.0).filter(|leader| *leader >= 0),
            replica_broker_ids: broker_ids(&partition.replica_nodes),
            in_sync_broker_ids: broker_ids(&partition.isr_nodes),
            first_offset: first,
            end_offset: end,
            estimated_record_count: first.zip(end).map(|(first, end)| (end - first).max(0)),
            leader_replica_bytes: self.find_replica_bytes(topic, number, partition.leader_id),
        }
    }

    /// Returns the bytes on disk of `broker`'s replica of `partition`, or `None` if the broker does not report the
    /// replica.
    fn find_replica_bytes(&self, topic: &str, partition: i32, broker: BrokerId) -> Option<i64> {
        let disk = self.disk_usage.get(&broker.0)?.as_ref().ok()?;
        disk.replica_bytes_by_partition.get(&TopicAndPartition { topic: topic.to_owned(), partition }).copied()
    }
}

async fn fetch_topic_settings(
    connections: &mut ClusterConnections,
    topic: &str,
) -> Result<Vec<TopicSetting>, BrowseError> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC_RESOURCE_TYPE)
        .with_resource_name(StrBytes::from_string(topic.to_owned()))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let answer = connections.ask_bootstrap_broker(&request).await?;
    let mut settings = Vec::new();
    for result in answer.results {
        let subject = format!("the settings of topic `{topic}`");
        if let Some(error) = BrowseError::from_error_code(result.error_code, &subject) {
            return Err(error);
        }
        settings.extend(result.configs.into_iter().map(|config| TopicSetting {
            setting_name: config.name.to_string(),
            setting_value: config.value.filter(|_| !config.is_sensitive).map(|value| value.to_string()),
            value_origin: name_config_source(config.config_source),
            is_default: config.config_source == DEFAULT_CONFIG_SOURCE,
            is_secret: config.is_sensitive,
        }));
    }
    settings.sort_by(|a, b| a.setting_name.cmp(&b.setting_name));
    Ok(settings)
}

fn name_config_source(source: i8) -> &'static str {
    match source {
        1 => "topic",
        2 | 4 => "broker",
        3 => "cluster",
        DEFAULT_CONFIG_SOURCE => "default",
        _ => "other",
    }
}
