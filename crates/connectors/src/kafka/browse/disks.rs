//! Fetches the sizes of replicas and disks from brokers.

use std::collections::BTreeMap;

use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};

use super::error::BrowseError;
use super::offsets::TopicAndPartition;
use super::wire::cluster_connections::ClusterConnections;

/// The sizes of one broker's replicas, and the capacity of its disks.
pub(super) struct BrokerDiskUsage {
    /// The size in bytes of the broker's replica of each partition.
    pub(super) replica_bytes_by_partition: BTreeMap<TopicAndPartition, i64>,
    pub(super) total_bytes: Option<i64>,
    pub(super) free_bytes: Option<i64>,
}

/// The answer of each broker about its disks, by broker id.
pub(super) type DiskUsageByBroker = BTreeMap<i32, Result<BrokerDiskUsage, BrowseError>>;

/// Asks all brokers of `connections` for the sizes of their replicas and disks.
pub(super) async fn fetch_disk_usage(connections: &mut ClusterConnections) -> DiskUsageByBroker {
    let all_topics = DescribeLogDirsRequest::default().with_topics(None);
    let requests = connections.broker_ids().into_iter().map(|broker| (broker, all_topics.clone())).collect();
    let answers = connections.ask_brokers(requests).await.into_iter();
    answers
        .map(|answer| {
            let subject = format!("the disks of broker {}", answer.broker_id);
            (answer.broker_id, answer.result.and_then(|response| sum_log_dirs(response, &subject)))
        })
        .collect()
}

fn sum_log_dirs(response: DescribeLogDirsResponse, subject: &str) -> Result<BrokerDiskUsage, BrowseError> {
    if let Some(error) = BrowseError::from_error_code(response.error_code, subject) {
        return Err(error);
    }
    let mut disk = BrokerDiskUsage { replica_bytes_by_partition: BTreeMap::new(), total_bytes: None, free_bytes: None };
    for folder in response.results {
        let folder_subject = format!("{subject} ({})", folder.log_dir);
        if let Some(error) = BrowseError::from_error_code(folder.error_code, &folder_subject) {
            return Err(error);
        }
        add_reported_bytes(&mut disk.total_bytes, folder.total_bytes);
        add_reported_bytes(&mut disk.free_bytes, folder.usable_bytes);
        for topic in folder.topics {
            for partition in topic.partitions {
                // While Kafka moves a replica to another folder, both folders contain it. The new copy does not count.
                if !partition.is_future_key {
                    let key = TopicAndPartition::new(&topic.name, partition.partition_index);
                    disk.replica_bytes_by_partition.insert(key, partition.partition_size);
                }
            }
        }
    }
    Ok(disk)
}

/// Adds `bytes` to `sum`, unless `bytes` is −1: brokers before Kafka 3.3 do not report sizes of disks.
fn add_reported_bytes(sum: &mut Option<i64>, bytes: i64) {
    if bytes >= 0 {
        *sum = Some(sum.unwrap_or_default() + bytes);
    }
}
