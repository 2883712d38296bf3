//! What lies on the disks of brokers.

use std::collections::BTreeMap;

use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};

use super::error::BrowseError;
use super::offsets::PartitionKey;
use super::wire::session::ClusterSession;

/// The disks of one broker.
pub(super) struct BrokerDisk {
    /// Bytes of the broker's replica of each partition.
    pub(super) replica_bytes: BTreeMap<PartitionKey, i64>,
    pub(super) total_bytes: Option<i64>,
    pub(super) free_bytes: Option<i64>,
}

/// What each broker answered about its disks.
pub(super) type BrokerDisks = BTreeMap<i32, Result<BrokerDisk, BrowseError>>;

/// Asks all brokers of `session` for the content of their disks.
pub(super) async fn fetch_broker_disks(session: &mut ClusterSession) -> BrokerDisks {
    let all_topics = DescribeLogDirsRequest::default().with_topics(None);
    let requests = session.broker_ids().into_iter().map(|broker| (broker, all_topics.clone())).collect();
    let answers = session.ask_brokers(requests).await.into_iter();
    answers
        .map(|answer| {
            let subject = format!("the disks of broker {}", answer.broker);
            (answer.broker, answer.result.and_then(|response| sum_folders(response, &subject)))
        })
        .collect()
}

fn sum_folders(response: DescribeLogDirsResponse, subject: &str) -> Result<BrokerDisk, BrowseError> {
    if let Some(error) = BrowseError::from_code(response.error_code, subject) {
        return Err(error);
    }
    let mut disk = BrokerDisk { replica_bytes: BTreeMap::new(), total_bytes: None, free_bytes: None };
    for folder in response.results {
        let folder_subject = format!("{subject} ({})", folder.log_dir);
        if let Some(error) = BrowseError::from_code(folder.error_code, &folder_subject) {
            return Err(error);
        }
        add_reported(&mut disk.total_bytes, folder.total_bytes);
        add_reported(&mut disk.free_bytes, folder.usable_bytes);
        for topic in folder.topics {
            for partition in topic.partitions {
                // While a replica moves between two folders, it lies in both.
                if !partition.is_future_key {
                    let key = PartitionKey::new(&topic.name, partition.partition_index);
                    disk.replica_bytes.insert(key, partition.partition_size);
                }
            }
        }
    }
    Ok(disk)
}

/// Adds `bytes`, unless the broker does not know it: those before 3.3 report −1.
fn add_reported(sum: &mut Option<i64>, bytes: i64) {
    if bytes >= 0 {
        *sum = Some(sum.unwrap_or_default() + bytes);
    }
}
