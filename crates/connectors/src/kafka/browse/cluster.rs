//! The brokers of a cluster: their addresses, replicas and disks.

use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
use kafka_protocol::messages::{DescribeQuorumRequest, MetadataResponse};
use serde::Serialize;

use super::browser::KafkaBrowser;
use super::disks::{BrokerDisks, fetch_broker_disks};
use super::error::BrowseError;
use super::wire::session::{ClusterSession, topic_name};

/// A cluster at a glance.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterOverview {
    /// The cluster's own id.
    pub cluster_id: Option<String>,
    /// The node that is the controller; in KRaft mode it need not be a broker.
    pub controller: Option<i32>,
    /// All brokers, by id.
    pub brokers: Vec<BrokerSummary>,
    /// Number of topics, internal ones included.
    pub topics: usize,
    /// Number of partitions of all topics.
    pub partitions: usize,
    /// Number of partitions with fewer in-sync replicas than replicas.
    pub under_replicated: usize,
    /// Number of partitions without a leader: they can be neither read nor written.
    pub leaderless: usize,
}

/// A broker.
#[derive(Clone, Debug, Serialize)]
pub struct BrokerSummary {
    /// Its number.
    pub id: i32,
    /// The host at which clients reach it.
    pub host: String,
    /// The port on that host.
    pub port: i32,
    /// Its rack, where one is configured.
    pub rack: Option<String>,
    /// Number of partitions it leads.
    pub leads: usize,
    /// Number of partitions it has a replica of.
    pub replicas: usize,
    /// Bytes of all replicas on its disks; `None` where it does not report them.
    pub bytes: Option<i64>,
    /// Size of the disks that its logs are on.
    pub disk_total_bytes: Option<i64>,
    /// What is free of that.
    pub disk_free_bytes: Option<i64>,
    /// Why it does not report its disks.
    pub trouble: Option<String>,
}

impl KafkaBrowser {
    /// Returns the cluster with its brokers.
    ///
    /// # Errors
    /// When Kafka is unreachable or refuses.
    pub async fn fetch_cluster(&self) -> Result<ClusterOverview, BrowseError> {
        let mut session = ClusterSession::open(self).await?;
        let metadata = session.fetch_metadata(None).await?;
        let disks = fetch_broker_disks(&mut session).await;
        let mut brokers: Vec<_> =
            metadata.brokers.iter().map(|broker| BrokerSummary::new(broker, &metadata, &disks)).collect();
        brokers.sort_by_key(|broker| broker.id);
        let partitions = || metadata.topics.iter().flat_map(|topic| &topic.partitions);
        Ok(ClusterOverview {
            cluster_id: metadata.cluster_id.as_ref().map(ToString::to_string),
            controller: fetch_controller(&mut session, &metadata).await,
            brokers,
            topics: metadata.topics.len(),
            partitions: partitions().count(),
            under_replicated: partitions().filter(|one| one.isr_nodes.len() < one.replica_nodes.len()).count(),
            leaderless: partitions().filter(|one| one.leader_id.0 < 0).count(),
        })
    }
}

impl BrokerSummary {
    fn new(broker: &MetadataResponseBroker, metadata: &MetadataResponse, disks: &BrokerDisks) -> Self {
        let id = broker.node_id;
        let partitions = || metadata.topics.iter().flat_map(|topic| &topic.partitions);
        let disk = disks.get(&id.0).map(Result::as_ref);
        let reported = disk.and_then(Result::ok);
        Self {
            id: id.0,
            host: broker.host.to_string(),
            port: broker.port,
            rack: broker.rack.as_ref().map(ToString::to_string),
            leads: partitions().filter(|partition| partition.leader_id == id).count(),
            replicas: partitions().filter(|partition| partition.replica_nodes.contains(&id)).count(),
            bytes: reported.map(|disk| disk.replica_bytes.values().sum()),
            disk_total_bytes: reported.and_then(|disk| disk.total_bytes),
            disk_free_bytes: reported.and_then(|disk| disk.free_bytes),
            trouble: disk.and_then(Result::err).map(ToString::to_string),
        }
    }
}

/// Returns the controller. In KRaft mode the metadata names any broker as controller; only the quorum knows the real one.
async fn fetch_controller(session: &mut ClusterSession, metadata: &MetadataResponse) -> Option<i32> {
    let named = Some(metadata.controller_id.0).filter(|id| *id >= 0);
    let log = TopicData::default()
        .with_topic_name(topic_name("__cluster_metadata"))
        .with_partitions(vec![PartitionData::default()]);
    let request = DescribeQuorumRequest::default().with_topics(vec![log]);
    let Ok(answer) = session.ask_bootstrap_broker(&request).await else { return named };
    let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
    partition.filter(|one| one.error_code == 0 && one.leader_id.0 >= 0).map_or(named, |one| Some(one.leader_id.0))
}
