//! `[source.kafka]`: the brokers, the topic and the consumer group from which events are read.

use windrow_core::{MisplacedRecordPolicy, Partitioner};

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::pipeline::{
    GroupProtocol, KafkaSourceSpec, LostOffsetPolicy, PartitionFaultSetting, SourceSpec, StartPosition,
};
use crate::read::duration::DurationRange;
use crate::read::name::{TOPIC_NAME_RULE, read_topic_name};
use crate::read::section::{ReadableValue, SectionDefinition, SettingDefinition};
use crate::read::setting::PipelineSetting;
use crate::read::table_reader::TableReader;
use crate::read::text::{TextDefinition, TextPattern};
use crate::read::word_choice::WordChoice;

const DEFAULT_SESSION_TIMEOUT_MS: i64 = 45_000;
const MIN_SESSION_TIMEOUT_MS: i64 = 1_000;
/// The largest allowed session timeout: the default of the broker setting `group.max.session.timeout.ms`. By default,
/// brokers reject a longer timeout.
const MAX_SESSION_TIMEOUT_MS: i64 = 30 * 60 * 1_000;

pub(super) static SOURCE: SettingDefinition<&SectionDefinition> = SettingDefinition::required(
    "source",
    "[source.kafka]",
    &SectionDefinition { expected: "a table: `[source.kafka]`", alternatives: &[], settings: &[&KAFKA] },
    "Where events are read.",
);
static KAFKA: SettingDefinition<&SectionDefinition> = SettingDefinition::required(
    "kafka",
    "[source.kafka]",
    &SectionDefinition {
        expected: "a table: `[source.kafka]`",
        alternatives: &[],
        settings: &[
            &BROKERS,
            &TOPIC,
            &GROUP,
            &START,
            &ON_LOST_OFFSET,
            &ON_PARTITION_FAULT,
            &ON_MISPLACED,
            &PARTITIONER,
            &GROUP_PROTOCOL,
            &SESSION_TIMEOUT,
        ],
    },
    "The brokers, the topic and the consumer group from which events are read.",
);
static BROKERS: SettingDefinition<TextDefinition> = SettingDefinition::required(
    "brokers",
    "brokers = \"localhost:9092\"",
    TextDefinition::with_pattern(TextPattern::Regex(r"^\s*[^\s,]+\s*(?:,\s*[^\s,]+\s*)*$")),
    "The bootstrap servers: `host:port`, several separated by commas.",
);
static TOPIC: SettingDefinition<TextDefinition> = SettingDefinition::required(
    "topic",
    "topic = \"ecommerce-events\"",
    TextDefinition::with_pattern(TextPattern::Name(TOPIC_NAME_RULE)),
    "The topic with the events.",
);
static GROUP: SettingDefinition<TextDefinition> = SettingDefinition::required(
    "group",
    "group = \"feature-engineering-group\"",
    TextDefinition::NOT_BLANK,
    "The consumer group. All instances of a job share it.",
);
static START: SettingDefinition<WordChoice<StartPosition>> = SettingDefinition::optional(
    "start",
    WordChoice {
        words: &[("earliest", StartPosition::Earliest), ("latest", StartPosition::Latest)],
        is_optional: true,
        noun: None,
    },
    "Where reading a partition begins if the partition has neither a checkpoint nor a committed offset.",
);
static ON_LOST_OFFSET: SettingDefinition<WordChoice<LostOffsetPolicy>> = SettingDefinition::optional(
    "on_lost_offset",
    WordChoice {
        words: &[("halt", LostOffsetPolicy::Halt), ("earliest", LostOffsetPolicy::Earliest)],
        is_optional: true,
        noun: None,
    },
    "What happens if Kafka has deleted the record at which a worker must continue: the partition has a fault \
     (`on_partition_fault`), or it continues at the oldest record without the deleted ones.",
);
static ON_PARTITION_FAULT: SettingDefinition<WordChoice<PartitionFaultSetting>> = SettingDefinition::optional(
    "on_partition_fault",
    WordChoice {
        words: &[
            (PartitionFaultSetting::Park.name(), PartitionFaultSetting::Park),
            (PartitionFaultSetting::Halt.name(), PartitionFaultSetting::Halt),
        ],
        is_optional: true,
        noun: None,
    },
    "What happens if one partition has a fault of its own, such as damaged state or a lost offset: the partition is \
     parked and opened again later while the others continue, or the job halts.",
);
static ON_MISPLACED: SettingDefinition<WordChoice<MisplacedRecordPolicy>> = SettingDefinition::optional(
    "on_misplaced",
    WordChoice {
        words: &[
            (MisplacedRecordPolicy::Warn.name(), MisplacedRecordPolicy::Warn),
            (MisplacedRecordPolicy::DeadLetter.name(), MisplacedRecordPolicy::DeadLetter),
            (MisplacedRecordPolicy::Halt.name(), MisplacedRecordPolicy::Halt),
        ],
        is_optional: true,
        noun: None,
    },
    "What happens to a record in another partition than the other records of its entity: it is processed and shown, it \
     becomes a dead letter (only with `partitioner`), or the job halts.",
);
static PARTITIONER: SettingDefinition<WordChoice<Partitioner>> = SettingDefinition::optional(
    "partitioner",
    WordChoice {
        words: &[(Partitioner::Murmur2.name(), Partitioner::Murmur2), (Partitioner::Crc32.name(), Partitioner::Crc32)],
        // Without this setting, no partitioner is known: there is no default.
        is_optional: false,
        noun: None,
    },
    "The partitioner of all producers: `murmur2` of Java clients, or `crc32`, the default of librdkafka.",
);
static GROUP_PROTOCOL: SettingDefinition<WordChoice<GroupProtocolName>> = SettingDefinition::optional(
    "group_protocol",
    WordChoice {
        words: &[("classic", GroupProtocolName::Classic), ("consumer", GroupProtocolName::Consumer)],
        is_optional: true,
        noun: None,
    },
    "The rebalance protocol of the consumer group. `consumer` (KIP-848) needs brokers of Kafka 4.",
);
static SESSION_TIMEOUT: SettingDefinition<DurationRange> = SettingDefinition::optional(
    "session_timeout",
    DurationRange::with_default(MIN_SESSION_TIMEOUT_MS, MAX_SESSION_TIMEOUT_MS, DEFAULT_SESSION_TIMEOUT_MS),
    "The time without a heartbeat after which the broker removes a member from the group. Not with \
     `group_protocol = \"consumer\"`.",
);

/// The value of `group_protocol`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GroupProtocolName {
    Classic,
    Consumer,
}

pub(super) fn read_source(root: &mut TableReader<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<SourceSpec> {
    let mut source = root.read_setting(&SOURCE, mistakes)?;
    let kafka = source.read_setting(&KAFKA, mistakes);
    source.report_unknown_and_missing_fields(mistakes);
    let mut kafka = kafka?;
    let brokers = kafka.find_setting(&BROKERS).and_then(|setting| read_brokers(&setting, mistakes));
    let topic = kafka.find_setting(&TOPIC).and_then(|setting| read_topic_name(&setting, mistakes));
    let group = kafka
        .find_setting(&GROUP)
        .and_then(|setting| setting.read_text_without_references("the name of a consumer group", mistakes));
    let start = kafka.read_setting(&START, mistakes);
    let on_lost_offset = kafka.read_setting(&ON_LOST_OFFSET, mistakes);
    let on_partition_fault = kafka.read_setting(&ON_PARTITION_FAULT, mistakes);
    let placement = read_record_placement(&mut kafka, mistakes);
    let group_protocol = read_group_protocol(&mut kafka, mistakes);
    kafka.report_unknown_and_missing_fields(mistakes);
    let placement = placement?;
    Some(SourceSpec::Kafka(KafkaSourceSpec {
        brokers: brokers?,
        topic: topic?,
        consumer_group: group?.to_owned(),
        start_position: start?,
        lost_offset_policy: on_lost_offset?,
        partition_fault_setting: on_partition_fault?,
        misplaced_record_policy: placement.misplaced_record_policy,
        partitioner: placement.partitioner,
        group_protocol: group_protocol?,
    }))
}

/// The settings of a topic's placement of records in partitions.
struct RecordPlacementSettings {
    misplaced_record_policy: MisplacedRecordPolicy,
    partitioner: Option<Partitioner>,
}

fn read_record_placement(
    kafka: &mut TableReader<'_>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<RecordPlacementSettings> {
    let on_misplaced = kafka.find_setting(&ON_MISPLACED);
    let policy = match &on_misplaced {
        Some(setting) => ON_MISPLACED.value.read_value(setting, mistakes),
        None => ON_MISPLACED.value.default_content(),
    };
    let partitioner = kafka.find_setting(&PARTITIONER);
    if let (Some(MisplacedRecordPolicy::DeadLetter), Some(setting), None) = (policy, &on_misplaced, &partitioner) {
        let message =
            format!("`{}` is \"dead_letter\", but the partitioner of the producers is not known", setting.path);
        mistakes
            .report(DiagnosticCode::MissingField, setting.location, message, "also a line `partitioner = …`")
            .set_hint(
                "`partitioner = \"murmur2\"` for producers in Java, or `\"crc32\"` for librdkafka with its default"
                    .to_owned(),
            );
        return None;
    }
    let partitioner = match partitioner {
        Some(setting) => Some(PARTITIONER.value.read_value(&setting, mistakes)?),
        None => None,
    };
    Some(RecordPlacementSettings { misplaced_record_policy: policy?, partitioner })
}

fn read_group_protocol(kafka: &mut TableReader<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<GroupProtocol> {
    let protocol = kafka.read_setting(&GROUP_PROTOCOL, mistakes);
    let session_timeout = kafka.find_setting(&SESSION_TIMEOUT);
    if let (Some(GroupProtocolName::Consumer), Some(setting)) = (protocol, &session_timeout) {
        let message = format!("`{}` cannot be set with `group_protocol = \"consumer\"`", setting.path);
        mistakes
            .report(DiagnosticCode::ConflictingFields, setting.location, message, "only one of the two settings")
            .set_hint(
                "with this protocol, group.consumer.session.timeout.ms of the broker or of the group decides"
                    .to_owned(),
            );
        return None;
    }
    let session_timeout_ms = match session_timeout {
        Some(setting) => SESSION_TIMEOUT.value.read_value(&setting, mistakes),
        None => SESSION_TIMEOUT.value.default_ms,
    };
    Some(match protocol? {
        GroupProtocolName::Consumer => GroupProtocol::Consumer,
        GroupProtocolName::Classic => GroupProtocol::Classic { session_timeout_ms: session_timeout_ms? },
    })
}

fn read_brokers(setting: &PipelineSetting<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<String> {
    const EXPECTED_BROKERS: &str = "host:port, several separated by commas";
    let text = setting.read_text_without_references(EXPECTED_BROKERS, mistakes)?;
    if text.split(',').any(|broker| broker.trim().is_empty() || broker.trim().contains(char::is_whitespace)) {
        let message = format!("`{}` is not a list of brokers", setting.path);
        mistakes.report(DiagnosticCode::BadValue, setting.location, message, EXPECTED_BROKERS);
        return None;
    }
    Some(text.to_owned())
}
