//! Decodes the answer of a broker, which may be broken or hostile.
//!
//! Invariant: memory stays a small multiple of the answer's size, whatever the answer announces.

use bytes::Bytes;
use kafka_protocol::messages::ResponseHeader;
use kafka_protocol::protocol::{Decodable, HeaderVersion};

use super::announced_lengths::check_announced_lengths;

/// The most bytes that an answer may have; a longer answer is an error. An answer with the metadata of 100,000 partitions
/// is smaller.
pub(super) const MAX_ANSWER_BYTES: usize = 16 << 20;

/// Decodes an answer without its length: the header of the answer, and the answer of version `version`. Only the Kafka UI
/// and the fuzzer call this function.
///
/// # Errors
/// Returns the reason if the answer is not valid, announces more than it contains, or belongs to another request than
/// the one with `correlation_id`.
pub fn decode_answer<A: Decodable + HeaderVersion>(
    answer: &Bytes,
    version: i16,
    correlation_id: i32,
) -> Result<A, String> {
    let header_version = A::header_version(version);
    check_announced_lengths::<ResponseHeader>(answer, header_version)?;
    let mut answer = answer.clone();
    let header = ResponseHeader::decode(&mut answer, header_version).map_err(|error| error.to_string())?;
    if header.correlation_id != correlation_id {
        return Err("the answer belongs to another request".to_owned());
    }
    check_announced_lengths::<A>(&answer, version)?;
    A::decode(&mut answer, version).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use bytes::{Bytes, BytesMut};
    use kafka_protocol::messages::consumer_group_describe_response::{Assignment, Member, TopicPartitions};
    use kafka_protocol::messages::describe_configs_response::{
        DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
    };
    use kafka_protocol::messages::describe_groups_response::DescribedGroupMember;
    use kafka_protocol::messages::describe_log_dirs_response::{
        DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
    };
    use kafka_protocol::messages::describe_quorum_response::{Listener, Node, PartitionData, ReplicaState, TopicData};
    use kafka_protocol::messages::list_groups_response::ListedGroup;
    use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
    use kafka_protocol::messages::metadata_response::{
        MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
    };
    use kafka_protocol::messages::offset_fetch_response::{
        OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
        OffsetFetchResponseTopic, OffsetFetchResponseTopics,
    };
    use kafka_protocol::messages::{
        ApiVersionsResponse, BrokerId, ConsumerGroupDescribeResponse, DescribeConfigsResponse, DescribeGroupsResponse,
        DescribeLogDirsResponse, DescribeQuorumResponse, GroupId, ListGroupsResponse, ListOffsetsResponse,
        MetadataResponse, OffsetFetchResponse, TopicName, api_versions_response, consumer_group_describe_response,
        describe_groups_response,
    };
    use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, StrBytes};

    use super::{check_announced_lengths, decode_answer};

    const CORRELATION_ID: i32 = 7;

    fn text(text: &'static str) -> StrBytes {
        StrBytes::from_static_str(text)
    }

    fn topic() -> TopicName {
        TopicName(text("topic"))
    }

    fn api_versions(version: i16) -> ApiVersionsResponse {
        let feature = api_versions_response::FinalizedFeatureKey::default().with_name(text("feature"));
        ApiVersionsResponse::default()
            .with_api_keys(vec![api_versions_response::ApiVersion::default(); 3])
            .with_finalized_features(if version >= 3 { vec![feature] } else { Vec::new() })
    }

    fn metadata(_version: i16) -> MetadataResponse {
        let partition = MetadataResponsePartition::default()
            .with_leader_id(BrokerId(300_000))
            .with_replica_nodes(vec![BrokerId(300_000), BrokerId(2)])
            .with_isr_nodes(vec![BrokerId(300_000)]);
        let topic = MetadataResponseTopic::default().with_name(Some(topic())).with_partitions(vec![partition; 2]);
        MetadataResponse::default()
            .with_brokers(vec![MetadataResponseBroker::default().with_host(text("host")).with_port(2_000_000_000)])
            .with_topics(vec![topic; 2])
    }

    fn list_offsets(_version: i16) -> ListOffsetsResponse {
        let partitions = vec![ListOffsetsPartitionResponse::default(); 2];
        let topic = ListOffsetsTopicResponse::default().with_name(topic()).with_partitions(partitions);
        ListOffsetsResponse::default().with_topics(vec![topic; 2])
    }

    fn list_groups(_version: i16) -> ListGroupsResponse {
        ListGroupsResponse::default().with_groups(vec![ListedGroup::default().with_group_id(GroupId(text("group"))); 2])
    }

    fn describe_groups(_version: i16) -> DescribeGroupsResponse {
        let member = DescribedGroupMember::default().with_member_assignment(Bytes::from_static(&[1; 200]));
        let group = describe_groups_response::DescribedGroup::default().with_members(vec![member; 2]);
        DescribeGroupsResponse::default().with_groups(vec![group; 2])
    }

    fn consumer_group_describe(_version: i16) -> ConsumerGroupDescribeResponse {
        let partitions = TopicPartitions::default().with_topic_name(topic()).with_partitions(vec![1, 2, 3]);
        let assignment = Assignment::default().with_topic_partitions(vec![partitions]);
        let member = Member::default().with_subscribed_topic_names(vec![topic()]).with_assignment(assignment);
        let group = consumer_group_describe_response::DescribedGroup::default().with_members(vec![member; 2]);
        ConsumerGroupDescribeResponse::default().with_groups(vec![group])
    }

    fn offset_fetch(version: i16) -> OffsetFetchResponse {
        if version < 8 {
            let partitions = vec![OffsetFetchResponsePartition::default(); 2];
            let topic = OffsetFetchResponseTopic::default().with_name(topic()).with_partitions(partitions);
            return OffsetFetchResponse::default().with_topics(vec![topic]);
        }
        let partitions = vec![OffsetFetchResponsePartitions::default(); 2];
        let topics = OffsetFetchResponseTopics::default().with_partitions(partitions);
        let topics = if version < 10 { topics.with_name(topic()) } else { topics };
        let group = OffsetFetchResponseGroup::default().with_group_id(GroupId(text("group"))).with_topics(vec![topics]);
        OffsetFetchResponse::default().with_groups(vec![group])
    }

    fn describe_quorum(version: i16) -> DescribeQuorumResponse {
        let replicas = vec![ReplicaState::default(); 2];
        let partition = PartitionData::default().with_current_voters(replicas.clone()).with_observers(replicas);
        let topic = TopicData::default().with_topic_name(topic()).with_partitions(vec![partition]);
        let node = Node::default().with_listeners(vec![Listener::default().with_host(text("host"))]);
        DescribeQuorumResponse::default().with_topics(vec![topic]).with_nodes(if version >= 2 {
            vec![node]
        } else {
            Vec::new()
        })
    }

    fn describe_log_dirs(_version: i16) -> DescribeLogDirsResponse {
        let partitions = vec![DescribeLogDirsPartition::default(); 2];
        let topic = DescribeLogDirsTopic::default().with_name(topic()).with_partitions(partitions);
        let result = DescribeLogDirsResult::default().with_log_dir(text("/data")).with_topics(vec![topic]);
        DescribeLogDirsResponse::default().with_results(vec![result; 2])
    }

    fn describe_configs(_version: i16) -> DescribeConfigsResponse {
        let synonyms = vec![DescribeConfigsSynonym::default().with_name(text("name")); 2];
        let config = DescribeConfigsResourceResult::default().with_name(text("name")).with_synonyms(synonyms);
        DescribeConfigsResponse::default()
            .with_results(vec![DescribeConfigsResult::default().with_configs(vec![config])])
    }

    /// Returns the answer with its header.
    fn encode<A: Encodable + HeaderVersion>(answer: &A, version: i16) -> BytesMut {
        let mut bytes = BytesMut::from(&CORRELATION_ID.to_be_bytes()[..]);
        if A::header_version(version) >= 1 {
            bytes.extend_from_slice(&[0]); // no tagged fields
        }
        answer.encode(&mut bytes, version).expect("an answer");
        bytes
    }

    /// A number of elements that no answer of these tests has. The memory for so many elements is no problem, so a check
    /// that lets the number through fails the assertion instead of ending the process.
    const TOO_MANY_ELEMENTS: i32 = 10_000;

    /// Checks for all versions of an answer: it is decoded as it was encoded; and with a large number at any position, the
    /// check refuses the answer, or the number is no length, so that the answer can be decoded.
    fn check_versions<A>(create: fn(i16) -> A)
    where
        A: Decodable + Encodable + HeaderVersion + Message + PartialEq + Debug,
    {
        for version in A::VERSIONS.min..=A::VERSIONS.max {
            let answer = create(version);
            let bytes = encode(&answer, version).freeze();
            assert_eq!(decode_answer(&bytes, version, CORRELATION_ID), Ok(answer), "version {version}");
            assert!(decode_answer::<A>(&bytes, version, CORRELATION_ID + 1).is_err());
            for position in 0..bytes.len() {
                let (before, after) = (&bytes[..position], &bytes[position..]);
                let _ = decode_answer::<A>(&Bytes::copy_from_slice(before), version, CORRELATION_ID);
                let replace_bytes = |length: usize, number: &[u8]| {
                    let end = length.min(after.len());
                    Bytes::from([before, number, &after[end..]].concat())
                };
                // Numbers beyond the memory of the machine.
                let assert_no_abort = |length: usize, number: &[u8]| {
                    let _ = decode_answer::<A>(&replace_bytes(length, number), version, CORRELATION_ID);
                };
                let assert_refused_or_decoded = |length: usize, number: &[u8]| {
                    let changed = replace_bytes(length, number);
                    let header_bytes = 4 + usize::from(A::header_version(version) >= 1);
                    let Some(mut body) = (position >= header_bytes).then(|| changed.slice(header_bytes..)) else {
                        return;
                    };
                    let is_refused = check_announced_lengths::<A>(&body, version).is_err();
                    assert!(
                        is_refused || A::decode(&mut body, version).is_ok(),
                        "version {version}: the check accepts {number:?} at byte {position}, which the answer lacks"
                    );
                };
                assert_refused_or_decoded(4, &TOO_MANY_ELEMENTS.to_be_bytes());
                assert_refused_or_decoded(1, &[0x90, 0x4E]); // the same number in variable size
                assert_refused_or_decoded(2, &[0x90, 0x4E]);
                // A flag that looks like the beginning of a number.
                assert_refused_or_decoded(2, &[0x80, 0x90, 0x4E]);
                assert_no_abort(4, &i32::MAX.to_be_bytes());
                assert_no_abort(4, &0x4000_0000_i32.to_be_bytes());
                assert_no_abort(1, &[0xFF, 0xFF, 0xFF, 0xFF, 0x07]);
                assert_no_abort(1, &[0xFF, 0xFF, 0xFF, 0x7F]);
                assert_no_abort(2, &[0x80, 0xFF, 0xFF, 0xFF, 0xFF, 0x07]);
            }
        }
    }

    #[test]
    fn answers_are_decoded_and_announce_no_more_than_they_contain() {
        check_versions(api_versions);
        check_versions(metadata);
        check_versions(list_offsets);
        check_versions(list_groups);
        check_versions(describe_groups);
        check_versions(consumer_group_describe);
        check_versions(offset_fetch);
        check_versions(describe_quorum);
        check_versions(describe_log_dirs);
        check_versions(describe_configs);
    }

    /// How often each answer is changed. `WINDROW_ANSWER_CHANGES` sets more, for a search of minutes.
    fn read_change_count() -> u32 {
        std::env::var("WINDROW_ANSWER_CHANGES").map_or(200, |count| count.parse().expect("a number"))
    }

    /// Changes valid answers at random, as the fuzz target `kafka_answer` does. An answer that is decoded nevertheless
    /// stays the same when it is encoded and decoded again. Encoding sorts optional fields. So the check may refuse the
    /// tag of an unknown field that now has fewer bytes behind it.
    fn check_random_changes<A>(create: fn(i16) -> A, random: &mut fastrand::Rng)
    where
        A: Decodable + Encodable + HeaderVersion + Message + PartialEq + Debug,
    {
        for version in A::VERSIONS.min..=A::VERSIONS.max {
            let valid = encode(&create(version), version);
            let (mut decoded_count, mut same_count) = (0, 0);
            for _ in 0..read_change_count() {
                let mut bytes = valid.to_vec();
                for _ in 0..random.usize(1..6) {
                    let position = random.usize(4..bytes.len());
                    match random.u8(..4) {
                        0 => bytes[position] = random.u8(..),
                        1 => bytes[position] = [0, 1, 0x7F, 0x80, 0xFF][random.usize(..5)],
                        2 => bytes.insert(position, random.u8(..)),
                        _ if bytes.len() > 6 => drop(bytes.remove(position)),
                        _ => {}
                    }
                }
                let Ok(answer) = decode_answer::<A>(&Bytes::from(bytes), version, CORRELATION_ID) else { continue };
                decoded_count += 1;
                // A broker may send a field that this version does not have as an optional field. It cannot be encoded.
                let mut encoded = BytesMut::from(&CORRELATION_ID.to_be_bytes()[..]);
                if A::header_version(version) >= 1 {
                    encoded.extend_from_slice(&[0]);
                }
                if answer.encode(&mut encoded, version).is_err() {
                    continue;
                }
                let encoded = encoded.freeze();
                if let Ok(again) = decode_answer::<A>(&encoded, version, CORRELATION_ID) {
                    assert_eq!(again, answer, "version {version}");
                    same_count += 1;
                } else {
                    let mut body = encoded.slice(4 + usize::from(A::header_version(version) >= 1)..);
                    assert_eq!(A::decode(&mut body, version).ok(), Some(answer), "version {version}");
                }
            }
            assert!(same_count > 0, "version {version}: of {decoded_count} decoded answers none is decoded again");
        }
    }

    #[test]
    fn changed_answers_are_refused_or_stay_the_same() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        check_random_changes(api_versions, &mut random);
        check_random_changes(metadata, &mut random);
        check_random_changes(list_offsets, &mut random);
        check_random_changes(list_groups, &mut random);
        check_random_changes(describe_groups, &mut random);
        check_random_changes(consumer_group_describe, &mut random);
        check_random_changes(offset_fetch, &mut random);
        check_random_changes(describe_quorum, &mut random);
        check_random_changes(describe_log_dirs, &mut random);
        check_random_changes(describe_configs, &mut random);
    }

    #[test]
    fn a_large_answer_is_decoded() {
        let partition =
            MetadataResponsePartition::default().with_replica_nodes(vec![BrokerId(1), BrokerId(2), BrokerId(3)]);
        let topic = MetadataResponseTopic::default().with_name(Some(topic())).with_partitions(vec![partition; 100_000]);
        let answer = MetadataResponse::default().with_topics(vec![topic]);
        let bytes = encode(&answer, MetadataResponse::VERSIONS.max);
        assert!(bytes.len() < super::MAX_ANSWER_BYTES / 2, "{} bytes", bytes.len());
        assert_eq!(decode_answer(&bytes.freeze(), MetadataResponse::VERSIONS.max, CORRELATION_ID), Ok(answer));
    }
}
