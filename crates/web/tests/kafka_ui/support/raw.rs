//! Records that no well-behaved client sends.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ApiKey, ProduceRequest, ProduceResponse, RequestHeader, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes, encode_request_header_into_buffer};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

const VERSION: i16 = 9;
/// The position of the checksum in a batch; the checksum covers everything behind it.
const CHECKSUM: usize = 17;

/// Sends a record with value `after` and a header named `name`, which need not be text, to partition 0.
pub(crate) fn produce_with_header_name(brokers: &str, topic: &str, name: &[u8]) {
    let stand_in = "x".repeat(name.len());
    let record = Record {
        transactional: false,
        control: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        delete_horizon: false,
        sequence: -1,
        timestamp: 1,
        key: None,
        value: Some(Bytes::from_static(b"after")),
        headers: IndexMap::from([(StrBytes::from_string(stand_in.clone()), None)]),
    };
    let mut batch = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut batch, [&record], &options).expect("a batch");
    let at = batch.windows(name.len()).rposition(|part| part == stand_in.as_bytes()).expect("the name");
    batch[at..at + name.len()].copy_from_slice(name);
    let checksum = crc32c::crc32c(&batch[CHECKSUM + 4..]);
    batch[CHECKSUM..CHECKSUM + 4].copy_from_slice(&checksum.to_be_bytes());

    let partition = PartitionProduceData::default().with_records(Some(batch.freeze()));
    let topic = TopicProduceData::default()
        .with_name(TopicName(StrBytes::from_string(topic.to_owned())))
        .with_partition_data(vec![partition]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic]);
    let mut frame = BytesMut::zeroed(4);
    let header =
        RequestHeader::default().with_request_api_key(ApiKey::Produce as i16).with_request_api_version(VERSION);
    encode_request_header_into_buffer(&mut frame, &header).expect("a header");
    request.encode(&mut frame, VERSION).expect("a request");
    let length = u32::try_from(frame.len() - 4).expect("short");
    frame[..4].copy_from_slice(&length.to_be_bytes());

    let mut stream = TcpStream::connect(brokers).expect("Kafka");
    stream.write_all(&frame).expect("sent");
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("an answer");
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).expect("short")];
    stream.read_exact(&mut answer).expect("an answer");
    let mut answer = Bytes::from(answer);
    ResponseHeader::decode(&mut answer, ProduceResponse::header_version(VERSION)).expect("a header");
    let answer = ProduceResponse::decode(&mut answer, VERSION).expect("an answer");
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0, "Kafka takes it");
}
