//! Fetches the brokers of a cluster, with their addresses, replicas and disks.

use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
use kafka_protocol::messages::{DescribeQuorumRequest, MetadataResponse};
use serde::Serialize;

use super::browser::KafkaBrowser;
use super::disks::{DiskUsageByBroker, fetch_disk_usage};
use super::error::BrowseError;
use super::wire::cluster_connections::{ClusterConnections, to_topic_name};

/// A summary of a cluster.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterOverview {
    /// The id of the cluster; `None` if the broker is too old to report its cluster id.
    pub cluster_id: Option<String>,
    /// The id of the controller node. In KRaft mode the controller may be a node that is not a broker.
    #[serde(rename = "controller")]
    pub controller_id: Option<i32>,
    /// All brokers, sorted by id.
    pub brokers: Vec<BrokerSummary>,
    /// The number of topics, including internal ones.
    #[serde(rename = "topics")]
    pub topic_count: usize,
    /// The number of partitions of all topics.
    #[serde(rename = "partitions")]
    pub partition_count: usize,
    /// The number of partitions with fewer in-sync replicas than replicas.
    #[serde(rename = "under_replicated")]
    pub under_replicated_partition_count: usize,
    /// The number of partitions without a leader. Such partitions can be neither read nor written.
    #[serde(rename = "leaderless")]
    pub leaderless_partition_count: usize,
}

/// A summary of a broker.
#[derive(Clone, Debug, Serialize)]
pub struct BrokerSummary {
    /// The id of the broker.
    #[serde(rename = "id")]
    pub broker_id: i32,
    /// The host at which clients reach the broker.
    pub host: String,
    /// The port at which clients reach the broker.
    pub port: i32,
    /// The rack of the broker; `None` if no rack is configured.
    pub rack: Option<String>,
    /// The number of partitions that the broker leads.
    #[serde(rename = "leads")]
    pub led_partition_count: usize,
    /// The number of partitions of which the broker has a replica.
    #[serde(rename = "replicas")]
    pub hosted_replica_count: usize,
    /// The total bytes of all replicas on the broker; `None` if the broker does not report its disks.
    #[serde(rename = "bytes")]
    pub all_replica_bytes: Option<i64>,
    /// The total size in bytes of the disks that hold the broker's logs.
    pub disk_total_bytes: Option<i64>,
    /// The free bytes on the disks that hold the broker's logs.
    pub disk_free_bytes: Option<i64>,
    /// The reason why the broker does not report its disks; `None` if the broker reports them.
    #[serde(rename = "trouble")]
    pub disk_usage_error: Option<String>,
}

impl KafkaBrowser {
    /// Returns a summary of the cluster and of each broker.
    ///
    /// # Errors
    /// When Kafka is unreachable or refuses the request.
    pub async fn fetch_cluster_overview(&self) -> Result<ClusterOverview, BrowseError> {
        let mut connections = ClusterConnections::open(self).await?;
        let metadata = connections.fetch_metadata(None).await?;
        let disks = fetch_disk_usage(&mut connections).await;
        let mut brokers: Vec<_> =
            metadata.brokers.iter().map(|broker| BrokerSummary::new(broker, &metadata, &disks)).collect();
        brokers.sort_by_key(|broker| broker.broker_id);
        let partitions = || metadata.topics.iter().flat_map(|topic| &topic.partitions);
        Ok(ClusterOverview {
            cluster_id: metadata.cluster_id.as_ref().map(ToString::to_string),
            controller_id: fetch_controller_id(&mut connections, &metadata).await,
            brokers,
            topic_count: metadata.topics.len(),
            partition_count: partitions().count(),
            under_replicated_partition_count: partitions()
                .filter(|one| one.isr_nodes.len() < one.replica_nodes.len())
                .count(),
            leaderless_partition_count: partitions().filter(|one| one.leader_id.0 < 0).count(),
        })
    }
}

impl BrokerSummary {
    fn new(broker: &MetadataResponseBroker, metadata: &MetadataResponse, disks: &DiskUsageByBroker) -> Self {
        let id = broker.node_id;
        let partitions = || metadata.topics.iter().flat_map(|topic| &topic.partitions);
        let disk = disks.get(&id.0).map(Result::as_ref);
        let reported = disk.and_then(Result::ok);
        Self {
            broker_id: id.0,
            host: broker.host.to_string(),
            port: broker.port,
            rack: broker.rack.as_ref().map(ToString::to_string),
            led_partition_count: partitions().filter(|partition| partition.leader_id == id).count(),
            hosted_replica_count: partitions().filter(|partition| partition.replica_nodes.contains(&id)).count(),
            all_replica_bytes: reported.map(|disk| disk.replica_bytes_by_partition.values().sum()),
            disk_total_bytes: reported.and_then(|disk| disk.total_bytes),
            disk_free_bytes: reported.and_then(|disk| disk.free_bytes),
            disk_usage_error: disk.and_then(Result::err).map(ToString::to_string),
        }
    }
}

/// Returns the id of the controller. In KRaft mode (Kafka without ZooKeeper), `metadata` names an arbitrary broker as
/// controller. So this function first sends the request DescribeQuorum, and uses `metadata` only if that request fails.
async fn fetch_controller_id(connections: &mut ClusterConnections, metadata: &MetadataResponse) -> Option<i32> {
    let named = Some(metadata.controller_id.0).filter(|id| *id >= 0);
    let log = TopicData::default()
        .with_topic_name(to_topic_name("__cluster_metadata"))
        .with_partitions(vec![PartitionData::default()]);
    let request = DescribeQuorumRequest::default().with_topics(vec![log]);
    let Ok(answer) = connections.ask_bootstrap_broker(&request).await else { return named };
    let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
    partition.filter(|one| one.error_code == 0 && one.leader_id.0 >= 0).map_or(named, |one| Some(one.leader_id.0))
}
