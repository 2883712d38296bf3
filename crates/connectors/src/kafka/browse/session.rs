//! One visitor's question to a cluster: a connection to each broker that has part of the answer, for as long as the
//! question lasts.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::{Request, StrBytes};

use super::wire::BrokerConnection;
use super::{BrowseError, KafkaBrowser};

const DEFAULT_PORT: &str = "9092";

/// Connections to a cluster.
pub(super) struct ClusterSession {
    bootstrap: BrokerConnection,
    brokers: BTreeMap<i32, BrokerLink>,
}

struct BrokerLink {
    address: String,
    connection: Option<BrokerConnection>,
}

/// The answer of one broker, and the version it is in.
pub(super) type BrokerAnswer<R> = Result<(<R as Request>::Response, i16), BrowseError>;

impl ClusterSession {
    /// A connection to the first broker of the list that answers.
    pub(super) async fn open(browser: &KafkaBrowser) -> Result<Self, BrowseError> {
        let mut why = BrowseError::Unreachable("no address of Kafka is given".to_owned());
        for address in bootstrap_addresses(&browser.brokers) {
            match BrokerConnection::connect(&address).await {
                Ok(any) => return Ok(Self { bootstrap: any, brokers: BTreeMap::new() }),
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    /// Brokers, and all topics or those of these names. Asked first: it is how the brokers are known.
    pub(super) async fn fetch_metadata(&mut self, topics: Option<&[&str]>) -> Result<MetadataResponse, BrowseError> {
        let topics = topics.map(|names| {
            names.iter().map(|name| MetadataRequestTopic::default().with_name(Some(topic_name(name)))).collect()
        });
        let request = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false);
        let (metadata, _) = self.bootstrap.send_request(&request).await?;
        for broker in &metadata.brokers {
            let address = format!("{}:{}", bracket_ipv6(&broker.host), broker.port);
            self.brokers.entry(broker.node_id.0).or_insert(BrokerLink { address, connection: None });
        }
        Ok(metadata)
    }

    /// All brokers known.
    pub(super) fn broker_ids(&self) -> Vec<i32> {
        self.brokers.keys().copied().collect()
    }

    /// Asks whichever broker answered first.
    pub(super) async fn ask_bootstrap_broker<R: Request>(&mut self, request: &R) -> BrokerAnswer<R> {
        self.bootstrap.send_request(request).await
    }

    /// Asks brokers, all at once; the answers are in the order of the questions.
    pub(super) async fn ask_brokers<R: Request>(&mut self, requests: Vec<(i32, R)>) -> Vec<(i32, BrokerAnswer<R>)> {
        let asked = requests.into_iter().map(|(broker, request)| {
            let link = self.brokers.get_mut(&broker).map(|link| (link.address.clone(), link.connection.take()));
            async move {
                let Some((address, open)) = link else {
                    return (broker, None, Err(BrowseError::Unreachable(format!("broker {broker} is not there"))));
                };
                let opened = match open {
                    Some(open) => Ok(open),
                    None => BrokerConnection::connect(&address).await,
                };
                match opened {
                    Ok(mut connection) => {
                        let answer = connection.send_request(&request).await;
                        // After a failure its frames may be out of step.
                        let keep = answer.is_ok().then_some(connection);
                        (broker, keep, answer)
                    }
                    Err(error) => (broker, None, Err(error)),
                }
            }
        });
        let asked: Vec<_> = asked.collect();
        let mut answers = Vec::new();
        for (broker, connection, answer) in join_all(asked).await {
            if let (Some(link), Some(connection)) = (self.brokers.get_mut(&broker), connection) {
                link.connection = Some(connection);
            }
            answers.push((broker, answer));
        }
        answers
    }
}

pub(super) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// The addresses in librdkafka's `bootstrap.servers`.
fn bootstrap_addresses(brokers: &str) -> Vec<String> {
    let one = |broker: &str| {
        let broker = broker.rsplit_once("://").map_or(broker, |(_, address)| address);
        let has_port = broker.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
        if has_port { broker.to_owned() } else { format!("{}:{DEFAULT_PORT}", bracket_ipv6(broker)) }
    };
    brokers.split(',').map(str::trim).filter(|broker| !broker.is_empty()).map(one).collect()
}

/// An IPv6 address as it stands before a port.
fn bracket_ipv6(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::bootstrap_addresses;

    #[test]
    fn addresses_are_read_as_librdkafka_reads_them() {
        assert_eq!(bootstrap_addresses("kafka"), ["kafka:9092"]);
        assert_eq!(bootstrap_addresses("a:1, b:2,"), ["a:1", "b:2"]);
        assert_eq!(bootstrap_addresses("PLAINTEXT://a:1"), ["a:1"]);
        assert_eq!(bootstrap_addresses("[::1]:7,::1,[::2]"), ["[::1]:7", "[::1]:9092", "[::2]:9092"]);
    }
}
