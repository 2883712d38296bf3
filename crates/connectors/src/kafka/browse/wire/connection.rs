//! A connection to a broker, for requests that librdkafka does not support or that the crate `rdkafka` does not expose.
//!
//! Owns: one TCP connection, the frames on this connection, and the version of each request. Does not own: the choice
//! of the broker for a request (`cluster_connections.rs`), decoding an answer (`answer_decoder.rs`).
//! Invariants: an answer longer than [`MAX_ANSWER_BYTES`] is not read. At most one request is unanswered, so an answer
//! belongs to the last request. The connection is plain TCP without TLS, as for all Kafka clients of Windrow.

use std::collections::HashMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, RequestHeader};
use kafka_protocol::protocol::{Message, Request, StrBytes, VersionRange, encode_request_header_into_buffer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::answer_decoder::{MAX_ANSWER_BYTES, decode_answer};
use crate::kafka::browse::error::BrowseError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(6);

/// A connection to one broker.
pub(super) struct BrokerConnection {
    address: String,
    stream: TcpStream,
    request_versions: HashMap<i16, VersionRange>,
    last_correlation_id: i32,
}

impl BrokerConnection {
    /// Connects to the broker at `address`, and asks which versions of each request the broker supports.
    pub(super) async fn connect_and_fetch_versions(address: &str) -> Result<Self, BrowseError> {
        let unreachable =
            |reason: String| BrowseError::Unreachable(format!("Kafka at {address} does not answer: {reason}"));
        let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(address))
            .await
            .map_err(|_| unreachable(format!("no connection within {CONNECT_TIMEOUT:?}")))?
            .map_err(|error| unreachable(error.to_string()))?;
        // A failure is ignored: without `nodelay`, each answer only takes a few milliseconds longer.
        let _ = stream.set_nodelay(true);
        let mut connection =
            Self { address: address.to_owned(), stream, request_versions: HashMap::new(), last_correlation_id: 0 };
        // Every broker supports version 0 of this request.
        let known = connection.send_request_with_version(&ApiVersionsRequest::default(), 0).await?;
        connection.request_versions = known
            .api_keys
            .iter()
            .map(|api| (api.api_key, VersionRange { min: api.min_version, max: api.max_version }))
            .collect();
        Ok(connection)
    }

    /// Sends `request` and returns the answer. Uses the newest version of the request that both the broker and the
    /// crate `kafka_protocol` support.
    pub(super) async fn send_request<R: Request>(&mut self, request: &R) -> Result<R::Response, BrowseError> {
        let broker_versions = self.request_versions.get(&R::KEY);
        let common = broker_versions.map(|versions| versions.intersect(&R::VERSIONS)).filter(|both| !both.is_empty());
        // The crate `kafka_protocol` may support a version for the request, but not for the answer. So the version must
        // be supported for both.
        let answer_versions = <R::Response as Message>::VERSIONS;
        let common = common.map(|both| both.intersect(&answer_versions)).filter(|both| !both.is_empty());
        let Some(common) = common else {
            let name = ApiKey::try_from(R::KEY).map_or_else(|()| R::KEY.to_string(), |key| format!("{key:?}"));
            return Err(BrowseError::Unsupported(format!(
                "the broker at {} does not support the request {name}",
                self.address
            )));
        };
        self.send_request_with_version(request, common.max).await
    }

    async fn send_request_with_version<R: Request>(
        &mut self,
        request: &R,
        version: i16,
    ) -> Result<R::Response, BrowseError> {
        let answer = timeout(ANSWER_TIMEOUT, self.exchange_frames(request, version)).await;
        answer.unwrap_or_else(|_| {
            Err(BrowseError::Unreachable(format!("Kafka at {} did not answer within {ANSWER_TIMEOUT:?}", self.address)))
        })
    }

    async fn exchange_frames<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response, BrowseError> {
        self.last_correlation_id += 1;
        let correlation_id = self.last_correlation_id;
        let frame = encode_frame(request, version, correlation_id).map_err(|error| {
            BrowseError::Refused(format!("a request to Kafka at {} cannot be encoded: {error}", self.address))
        })?;
        let address = &self.address;
        let broken = |error: std::io::Error| {
            BrowseError::Unreachable(format!("the connection to Kafka at {address} broke: {error}"))
        };
        self.stream.write_all(&frame).await.map_err(broken)?;
        let length = self.stream.read_i32().await.map_err(broken)?;
        let length = usize::try_from(length).ok().filter(|length| (4..=MAX_ANSWER_BYTES).contains(length));
        let length = length.ok_or_else(|| {
            BrowseError::Refused(format!(
                "the server at {address} is not Kafka, or its answer is longer than {MAX_ANSWER_BYTES} bytes"
            ))
        })?;
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await.map_err(broken)?;
        decode_answer(&Bytes::from(answer), version, correlation_id).map_err(|fault| {
            BrowseError::Refused(format!("the answer of Kafka at {address} cannot be decoded: {fault}"))
        })
    }
}

/// Encodes `request` as a frame: the length in bytes of the rest, the request header and the request.
fn encode_frame<R: Request>(request: &R, version: i16, correlation_id: i32) -> Result<BytesMut, String> {
    let mut frame = BytesMut::zeroed(4);
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(StrBytes::from_static_str("windrow")));
    encode_request_header_into_buffer(&mut frame, &header).map_err(|error| error.to_string())?;
    request.encode(&mut frame, version).map_err(|error| error.to_string())?;
    let length = i32::try_from(frame.len() - 4).map_err(|_| "the request is too long".to_owned())?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}
