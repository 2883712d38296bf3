//! The connections of one request of the Kafka UI, with one connection to each broker that has part of the answer.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::{Request, StrBytes};

use super::connection::BrokerConnection;
use crate::kafka::browse::browser::KafkaBrowser;
use crate::kafka::browse::error::BrowseError;

const DEFAULT_PORT: &str = "9092";

/// The connections to a cluster that one request of the Kafka UI uses.
pub(crate) struct ClusterSession {
    bootstrap_connection: BrokerConnection,
    links_by_broker: BTreeMap<i32, BrokerLink>,
}

/// The address of a broker, and the connection to it if one is open.
struct BrokerLink {
    address: String,
    connection: Option<BrokerConnection>,
}

/// The answer of one broker, or the error of the request to it.
pub(crate) struct BrokerAnswer<R: Request> {
    pub(crate) broker: i32,
    pub(crate) result: Result<R::Response, BrowseError>,
}

impl ClusterSession {
    /// Connects to the first broker in the list of `browser` that answers.
    pub(crate) async fn open(browser: &KafkaBrowser) -> Result<Self, BrowseError> {
        let mut last_error = BrowseError::Unreachable("no address of Kafka is given".to_owned());
        for address in parse_bootstrap_addresses(browser.brokers()) {
            match BrokerConnection::connect(&address).await {
                Ok(bootstrap) => return Ok(Self { bootstrap_connection: bootstrap, links_by_broker: BTreeMap::new() }),
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }

    /// Returns all brokers with the given `topics`, or with all topics for `None`. Must precede all other requests,
    /// because the session learns the brokers from the answer.
    pub(crate) async fn fetch_metadata(&mut self, topics: Option<&[&str]>) -> Result<MetadataResponse, BrowseError> {
        let topics = topics.map(|names| {
            names.iter().map(|name| MetadataRequestTopic::default().with_name(Some(to_topic_name(name)))).collect()
        });
        let request = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false);
        let metadata = self.bootstrap_connection.send_request(&request).await?;
        for broker in &metadata.brokers {
            let address = format!("{}:{}", bracket_ipv6(&broker.host), broker.port);
            self.links_by_broker.entry(broker.node_id.0).or_insert(BrokerLink { address, connection: None });
        }
        Ok(metadata)
    }

    pub(crate) fn broker_ids(&self) -> Vec<i32> {
        self.links_by_broker.keys().copied().collect()
    }

    /// Sends `request` to the broker to which the session connected first.
    pub(crate) async fn ask_bootstrap_broker<R: Request>(&mut self, request: &R) -> Result<R::Response, BrowseError> {
        self.bootstrap_connection.send_request(request).await
    }

    /// Sends all requests at once, each to its broker. Returns the answers in the order of the requests.
    pub(crate) async fn ask_brokers<R: Request>(&mut self, requests: Vec<(i32, R)>) -> Vec<BrokerAnswer<R>> {
        let exchanges = requests.into_iter().map(|(broker, request)| {
            let link = self
                .links_by_broker
                .get_mut(&broker)
                .map(|link| BrokerLink { address: link.address.clone(), connection: link.connection.take() });
            async move {
                match link {
                    Some(link) => link.send_and_keep_connection(broker, request).await,
                    None => BrokerExchange::failed(
                        broker,
                        BrowseError::Unreachable(format!("broker {broker} is not in the cluster")),
                    ),
                }
            }
        });
        let exchanges: Vec<_> = exchanges.collect();
        let mut answers = Vec::new();
        for exchange in join_all(exchanges).await {
            let broker = exchange.answer.broker;
            if let (Some(link), Some(connection)) = (self.links_by_broker.get_mut(&broker), exchange.connection) {
                link.connection = Some(connection);
            }
            answers.push(exchange.answer);
        }
        answers
    }
}

/// The answer of a broker, and the connection for the next request if it can be reused.
struct BrokerExchange<R: Request> {
    answer: BrokerAnswer<R>,
    connection: Option<BrokerConnection>,
}

impl<R: Request> BrokerExchange<R> {
    fn failed(broker: i32, error: BrowseError) -> Self {
        Self { answer: BrokerAnswer { broker, result: Err(error) }, connection: None }
    }
}

impl BrokerLink {
    /// Sends `request` to `broker` over the open connection, or over a new one.
    async fn send_and_keep_connection<R: Request>(self, broker: i32, request: R) -> BrokerExchange<R> {
        let connected = match self.connection {
            Some(connection) => Ok(connection),
            None => BrokerConnection::connect(&self.address).await,
        };
        match connected {
            Ok(mut connection) => {
                let result = connection.send_request(&request).await;
                // After a failure, the next frame may still answer this request, so the connection cannot be reused.
                let connection = result.is_ok().then_some(connection);
                BrokerExchange { answer: BrokerAnswer { broker, result }, connection }
            }
            Err(error) => BrokerExchange::failed(broker, error),
        }
    }
}

pub(crate) fn to_topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// Returns the addresses in `brokers`, which has the format of librdkafka's `bootstrap.servers`.
fn parse_bootstrap_addresses(brokers: &str) -> Vec<String> {
    let with_port = |broker: &str| {
        let broker = broker.rsplit_once("://").map_or(broker, |(_, address)| address);
        let has_port = broker.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
        if has_port { broker.to_owned() } else { format!("{}:{DEFAULT_PORT}", bracket_ipv6(broker)) }
    };
    brokers.split(',').map(str::trim).filter(|broker| !broker.is_empty()).map(with_port).collect()
}

/// Puts an IPv6 address into brackets, as required before a port.
fn bracket_ipv6(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::parse_bootstrap_addresses;

    #[test]
    fn addresses_are_read_as_librdkafka_reads_them() {
        assert_eq!(parse_bootstrap_addresses("kafka"), ["kafka:9092"]);
        assert_eq!(parse_bootstrap_addresses("a:1, b:2,"), ["a:1", "b:2"]);
        assert_eq!(parse_bootstrap_addresses("PLAINTEXT://a:1"), ["a:1"]);
        assert_eq!(parse_bootstrap_addresses("[::1]:7,::1,[::2]"), ["[::1]:7", "[::1]:9092", "[::2]:9092"]);
    }
}
