//! Fetches the sizes of replicas and disks from brokers.

use std::collections::BTreeMap;

use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};

use super::error::BrowseError;
use super::offsets::TopicAndPartition;
use super::wire::cluster_connections::ClusterConnections;

/// The sizes of one broker's replicas, and the total and free bytes of the broker's disks.
pub(super) struct BrokerDiskUsage {
    pub(super) replica_bytes_by_partition: BTreeMap<TopicAndPartition, i64>,
    pub(super) total_bytes: Option<i64>,
    pub(super) free_bytes: Option<i64>,
}

pub(super) type DiskUsageByBroker = BTreeMap<i32, Result<BrokerDiskUsage, BrowseError>>;

pub(super) async fn fetch_disk_usage(connections: &mut ClusterConnections) -> DiskUsageByBroker {
    let all_topics = DescribeLogDirsRequest::default().with_topics(None);
    let requests = connections.broker_ids().into_iter().map(|broker| (broker, all_topics.clone())).collect();
    let answers = connections.ask_brokers(requests).await.into_iter();
    answers
        .map(|answer| {
            let subject = format!("the disks of broker {}", answer.broker_id);
            (answer.broker_id, answer.result.and_then(|response| collect_disk_usage(response, &subject)))
        })
        .collect()
}

fn collect_disk_usage(response: DescribeLogDirsResponse, subject: &str) -> Result<BrokerDiskUsage, BrowseError> {
    if let Some(error) = BrowseError::from_error_code(response.error_code, subject) {
        return Err(error);
    }
    let mut disk = BrokerDiskUsage { replica_bytes_by_partition: BTreeMap::new(), total_bytes: None, free_bytes: None };
    for directory in response.results {
        let directory_subject = format!("{subject} ({})", directory.log_dir);
        if let Some(error) = BrowseError::from_error_code(directory.error_code, &directory_subject) {
            return Err(error);
        }
        add_reported_bytes(&mut disk.total_bytes, directory.total_bytes);
        add_reported_bytes(&mut disk.free_bytes, directory.usable_bytes);
        for topic in directory.topics {
            for partition in topic.partitions {
                // While Kafka moves a replica to another directory, both directories contain the replica. Only the copy
                // in the old directory counts.
                if !partition.is_future_key {
                    let key = TopicAndPartition::new(&topic.name, partition.partition_index);
                    disk.replica_bytes_by_partition.insert(key, partition.partition_size);
                }
            }
        }
    }
    Ok(disk)
}

/// Adds `bytes`, the total or free bytes of a disk, to `sum`. Ignores −1: brokers before Kafka 3.3 send −1, because
/// they do not report the sizes of disks.
fn add_reported_bytes(sum: &mut Option<i64>, bytes: i64) {
    if bytes >= 0 {
        *sum = Some(sum.unwrap_or_default() + bytes);
    }
}
