//! The brokers of a cluster: where they are, what they hold, how full their disks are.

use std::collections::BTreeMap;

use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeQuorumRequest, MetadataResponse};
use serde::Serialize;

use super::edges::PartitionKey;
use super::session::{ClusterSession, topic_name};
use super::{BrowseError, KafkaBrowser};

/// A cluster at a glance.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterOverview {
    /// Its own id.
    pub cluster_id: Option<String>,
    /// The node that decides; in KRaft mode it need not be a broker.
    pub controller: Option<i32>,
    /// All brokers, by id.
    pub brokers: Vec<BrokerSummary>,
    /// Number of topics, internal ones included.
    pub topics: usize,
    /// Number of partitions of all topics.
    pub partitions: usize,
    /// Partitions with fewer replicas in sync than they should have.
    pub under_replicated: usize,
    /// Partitions that nobody leads: they can be neither read nor written.
    pub leaderless: usize,
}

/// A broker.
#[derive(Clone, Debug, Serialize)]
pub struct BrokerSummary {
    /// Its number.
    pub id: i32,
    /// Where clients reach it.
    pub host: String,
    /// The port there.
    pub port: i32,
    /// Its rack, where it was given one.
    pub rack: Option<String>,
    /// Partitions it leads.
    pub leads: usize,
    /// Partitions it has a replica of.
    pub replicas: usize,
    /// Bytes of all replicas on its disks; `None` where it does not tell.
    pub bytes: Option<i64>,
    /// Size of the disks that its logs are on.
    pub disk_total_bytes: Option<i64>,
    /// What is free of that.
    pub disk_free_bytes: Option<i64>,
    /// Why it does not tell about its disks.
    pub trouble: Option<String>,
}

impl KafkaBrowser {
    /// The brokers and how they are.
    ///
    /// # Errors
    /// When Kafka does not answer or refuses.
    pub async fn fetch_cluster(&self) -> Result<ClusterOverview, BrowseError> {
        let mut session = ClusterSession::open(self).await?;
        let metadata = session.fetch_metadata(None).await?;
        let disks = fetch_broker_disks(&mut session).await;
        let partitions = || metadata.topics.iter().flat_map(|topic| &topic.partitions);
        let broker = |broker: &kafka_protocol::messages::metadata_response::MetadataResponseBroker| {
            let id = broker.node_id;
            let disk = disks.get(&id.0);
            let known = disk.and_then(|disk| disk.as_ref().ok());
            BrokerSummary {
                id: id.0,
                host: broker.host.to_string(),
                port: broker.port,
                rack: broker.rack.as_ref().map(ToString::to_string),
                leads: partitions().filter(|partition| partition.leader_id == id).count(),
                replicas: partitions().filter(|partition| partition.replica_nodes.contains(&id)).count(),
                bytes: known.map(|disk| disk.sizes.values().sum()),
                disk_total_bytes: known.and_then(|disk| disk.total_bytes),
                disk_free_bytes: known.and_then(|disk| disk.free_bytes),
                trouble: disk.and_then(|disk| disk.as_ref().err()).map(ToString::to_string),
            }
        };
        let mut brokers: Vec<_> = metadata.brokers.iter().map(broker).collect();
        brokers.sort_by_key(|broker| broker.id);
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

/// In KRaft mode brokers name any of themselves as controller; who it really is, only the quorum knows.
async fn fetch_controller(session: &mut ClusterSession, metadata: &MetadataResponse) -> Option<i32> {
    let named = Some(metadata.controller_id.0).filter(|id| *id >= 0);
    let log = TopicData::default()
        .with_topic_name(topic_name("__cluster_metadata"))
        .with_partitions(vec![PartitionData::default()]);
    let Ok((answer, _)) = session.ask_bootstrap_broker(&DescribeQuorumRequest::default().with_topics(vec![log])).await
    else {
        return named;
    };
    let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
    partition.filter(|one| one.error_code == 0 && one.leader_id.0 >= 0).map_or(named, |one| Some(one.leader_id.0))
}

/// What lies on a broker's disks.
pub(super) struct BrokerDisk {
    /// Bytes by partition.
    pub(super) sizes: BTreeMap<PartitionKey, i64>,
    total_bytes: Option<i64>,
    free_bytes: Option<i64>,
}

/// The disks of all brokers.
pub(super) async fn fetch_broker_disks(session: &mut ClusterSession) -> BTreeMap<i32, Result<BrokerDisk, BrowseError>> {
    let all = DescribeLogDirsRequest::default().with_topics(None);
    let requests = session.broker_ids().into_iter().map(|broker| (broker, all.clone())).collect();
    let mut disks = BTreeMap::new();
    for (broker, answer) in session.ask_brokers(requests).await {
        let what = format!("the disks of broker {broker}");
        let disk = answer.and_then(|(answer, _)| {
            if let Some(error) = BrowseError::from_code(answer.error_code, &what) {
                return Err(error);
            }
            let mut disk = BrokerDisk { sizes: BTreeMap::new(), total_bytes: None, free_bytes: None };
            for folder in answer.results {
                if let Some(error) = BrowseError::from_code(folder.error_code, &format!("{what} ({})", folder.log_dir))
                {
                    return Err(error);
                }
                add_reported(&mut disk.total_bytes, folder.total_bytes);
                add_reported(&mut disk.free_bytes, folder.usable_bytes);
                for topic in folder.topics {
                    for partition in topic.partitions {
                        // While a replica moves between two folders, it lies in both.
                        if !partition.is_future_key {
                            let at = (topic.name.0.to_string(), partition.partition_index);
                            disk.sizes.insert(at, partition.partition_size);
                        }
                    }
                }
            }
            Ok(disk)
        });
        disks.insert(broker, disk);
    }
    disks
}

/// Brokers before 3.3 do not tell, and say −1.
fn add_reported(sum: &mut Option<i64>, bytes: i64) {
    if bytes >= 0 {
        *sum = Some(sum.unwrap_or_default() + bytes);
    }
}
