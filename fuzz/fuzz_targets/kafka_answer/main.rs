//! Any bytes as the answer of a Kafka broker. The first two bytes choose the kind and the version of the answer.
//!
//! Laws: no panic, and no allocation far beyond the size of the answer: run with `-malloc_limit_mb=512`. A decoded answer
//! is still the same after it was encoded and decoded once more. Encoding sorts optional fields. So the second decoding
//! may refuse the large tag of an unknown field, which then has fewer bytes behind it.

#![no_main]

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiVersionsResponse, ConsumerGroupDescribeResponse, DescribeConfigsResponse, DescribeGroupsResponse,
    DescribeLogDirsResponse, DescribeQuorumResponse, ListGroupsResponse, ListOffsetsResponse, MetadataResponse,
    OffsetFetchResponse, OffsetForLeaderEpochResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message};
use libfuzzer_sys::fuzz_target;
use windrow_connectors::kafka::browse::decode_answer;

const CORRELATION_ID: i32 = 1;

fuzz_target!(|input: &[u8]| {
    let [kind, version, body @ ..] = input else { return };
    let version = i16::from(*version);
    match kind {
        0 => check_answer::<ApiVersionsResponse>(version, body),
        1 => check_answer::<ConsumerGroupDescribeResponse>(version, body),
        2 => check_answer::<DescribeConfigsResponse>(version, body),
        3 => check_answer::<DescribeGroupsResponse>(version, body),
        4 => check_answer::<DescribeLogDirsResponse>(version, body),
        5 => check_answer::<DescribeQuorumResponse>(version, body),
        6 => check_answer::<ListGroupsResponse>(version, body),
        7 => check_answer::<ListOffsetsResponse>(version, body),
        8 => check_answer::<MetadataResponse>(version, body),
        9 => check_answer::<OffsetFetchResponse>(version, body),
        10 => check_answer::<OffsetForLeaderEpochResponse>(version, body),
        _ => {}
    }
});

fn check_answer<A>(version: i16, body: &[u8])
where
    A: Decodable + Encodable + HeaderVersion + Message + PartialEq + Debug,
{
    if !(A::VERSIONS.min..=A::VERSIONS.max).contains(&version) {
        return;
    }
    let Ok(answer) = decode_answer::<A>(&with_header::<A>(version, body), version, CORRELATION_ID) else { return };
    let mut encoded = BytesMut::new();
    // A broker may send a field that this version does not have as an optional field. It cannot be encoded.
    if answer.encode(&mut encoded, version).is_err() {
        return;
    }
    let again = decode_answer::<A>(&with_header::<A>(version, &encoded), version, CORRELATION_ID);
    if let Ok(again) = again {
        assert_eq!(again, answer);
    }
}

fn with_header<A: HeaderVersion>(version: i16, body: &[u8]) -> Bytes {
    let optional_fields: &[u8] = if A::header_version(version) >= 1 { &[0] } else { &[] };
    Bytes::from([&CORRELATION_ID.to_be_bytes(), optional_fields, body].concat())
}
