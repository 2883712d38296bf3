//! The connections that one request of the Kafka UI opens: a bootstrap connection, and at most one connection to each
//! broker.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::{Request, StrBytes};

use super::connection::BrokerConnection;
use crate::kafka::browse::browser::KafkaBrowser;
use crate::kafka::browse::error::BrowseError;

const DEFAULT_PORT: &str = "9092";

pub(crate) struct ClusterConnections {
    bootstrap_connection: BrokerConnection,
    endpoints_by_broker: BTreeMap<i32, BrokerEndpoint>,
}

/// The address of a broker, and the open connection to the broker, if any.
struct BrokerEndpoint {
    address: String,
    connection: Option<BrokerConnection>,
}

/// The answer of one broker to a request, or the reason why the request failed.
pub(crate) struct BrokerAnswer<R: Request> {
    pub(crate) broker_id: i32,
    pub(crate) result: Result<R::Response, BrowseError>,
}

impl ClusterConnections {
    /// Tries the broker addresses in `browser` in order, and connects to the first broker that answers.
    pub(crate) async fn open(browser: &KafkaBrowser) -> Result<Self, BrowseError> {
        let mut last_error = BrowseError::Unreachable("the list of Kafka brokers contains no address".to_owned());
        for address in parse_bootstrap_addresses(browser.broker_addresses()) {
            match BrokerConnection::connect_and_fetch_versions(&address).await {
                Ok(bootstrap) => {
                    return Ok(Self { bootstrap_connection: bootstrap, endpoints_by_broker: BTreeMap::new() });
                }
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }

    /// Fetches the metadata of all brokers and of `topics`, or of all topics if `topics` is `None`. Callers must fetch
    /// the metadata before they call [`Self::ask_brokers`], because the metadata contains the addresses of the brokers.
    pub(crate) async fn fetch_metadata(&mut self, topics: Option<&[&str]>) -> Result<MetadataResponse, BrowseError> {
        let topics = topics.map(|names| {
            names.iter().map(|name| MetadataRequestTopic::default().with_name(Some(to_topic_name(name)))).collect()
        });
        let request = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false);
        let metadata = self.bootstrap_connection.send_request(&request).await?;
        for broker in &metadata.brokers {
            let address = format!("{}:{}", bracket_ipv6(&broker.host), broker.port);
            self.endpoints_by_broker.entry(broker.node_id.0).or_insert(BrokerEndpoint { address, connection: None });
        }
        Ok(metadata)
    }

    pub(crate) fn broker_ids(&self) -> Vec<i32> {
        self.endpoints_by_broker.keys().copied().collect()
    }

    /// Sends `request` to the broker to which [`Self::open`] connected.
    pub(crate) async fn ask_bootstrap_broker<R: Request>(&mut self, request: &R) -> Result<R::Response, BrowseError> {
        self.bootstrap_connection.send_request(request).await
    }

    /// Sends all `requests` at the same time. The number before each request is the id of the broker that receives it.
    /// Returns the answers in the order of the requests.
    pub(crate) async fn ask_brokers<R: Request>(&mut self, requests: Vec<(i32, R)>) -> Vec<BrokerAnswer<R>> {
        let exchanges = requests.into_iter().map(|(broker, request)| {
            let endpoint = self
                .endpoints_by_broker
                .get_mut(&broker)
                .map(|known| BrokerEndpoint { address: known.address.clone(), connection: known.connection.take() });
            async move {
                match endpoint {
                    Some(endpoint) => endpoint.send_and_keep_connection(broker, request).await,
                    None => AnswerWithConnection::from_error(
                        broker,
                        BrowseError::Unreachable(format!("broker {broker} is not in the cluster")),
                    ),
                }
            }
        });
        let exchanges: Vec<_> = exchanges.collect();
        let mut answers = Vec::new();
        for exchange in join_all(exchanges).await {
            let broker = exchange.answer.broker_id;
            if let (Some(endpoint), Some(connection)) = (self.endpoints_by_broker.get_mut(&broker), exchange.connection)
            {
                endpoint.connection = Some(connection);
            }
            answers.push(exchange.answer);
        }
        answers
    }
}

/// The answer of a broker, and the connection if a later request can reuse the connection.
struct AnswerWithConnection<R: Request> {
    answer: BrokerAnswer<R>,
    connection: Option<BrokerConnection>,
}

impl<R: Request> AnswerWithConnection<R> {
    fn from_error(broker_id: i32, error: BrowseError) -> Self {
        Self { answer: BrokerAnswer { broker_id, result: Err(error) }, connection: None }
    }
}

impl BrokerEndpoint {
    /// Sends `request` over the open connection, or opens a connection first. Returns the answer, which names the
    /// broker by `broker_id`, and the connection if a later request can reuse it.
    async fn send_and_keep_connection<R: Request>(self, broker_id: i32, request: R) -> AnswerWithConnection<R> {
        let connected = match self.connection {
            Some(connection) => Ok(connection),
            None => BrokerConnection::connect_and_fetch_versions(&self.address).await,
        };
        match connected {
            Ok(mut connection) => {
                let result = connection.send_request(&request).await;
                // After a failure, the answer to this request may still arrive. A later request would receive that
                // answer instead of its own, so the connection is not reused.
                let connection = result.is_ok().then_some(connection);
                AnswerWithConnection { answer: BrokerAnswer { broker_id, result }, connection }
            }
            Err(error) => AnswerWithConnection::from_error(broker_id, error),
        }
    }
}

pub(crate) fn to_topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// Returns the addresses in `brokers`, a text in the format of librdkafka's setting `bootstrap.servers`.
fn parse_bootstrap_addresses(brokers: &str) -> Vec<String> {
    let with_port = |broker: &str| {
        let broker = broker.rsplit_once("://").map_or(broker, |(_, address)| address);
        let has_port = broker.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
        if has_port { broker.to_owned() } else { format!("{}:{DEFAULT_PORT}", bracket_ipv6(broker)) }
    };
    brokers.split(',').map(str::trim).filter(|broker| !broker.is_empty()).map(with_port).collect()
}

/// Puts an IPv6 address into brackets, so that a port can follow the address.
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
