//! `[source.kafka]`: the brokers, the topic and the consumer group from which events are read.

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::pipeline::{GroupProtocol, KafkaSourceSpec, LostOffsetPolicy, SourceSpec, StartPosition};
use crate::read::duration::read_duration_ms;
use crate::read::name::read_topic_name;
use crate::read::table_reader::{PipelineSetting, TableReader};
use crate::suggestion::build_closest_name_hint;

const DEFAULT_SESSION_TIMEOUT_MS: i64 = 45_000;
const MIN_SESSION_TIMEOUT_MS: i64 = 1_000;
/// The largest allowed session timeout: the default of the broker setting `group.max.session.timeout.ms`. By default,
/// brokers reject a longer timeout.
const MAX_SESSION_TIMEOUT_MS: i64 = 30 * 60 * 1_000;

pub(super) fn read_source(root: &mut TableReader<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<SourceSpec> {
    let mut source = root.required_table("source", "[source.kafka]", mistakes)?;
    let kafka = source.required_table("kafka", "[source.kafka]", mistakes);
    source.report_unknown_and_missing_fields(mistakes);
    let mut kafka = kafka?;
    let brokers = kafka.required_setting("brokers", "brokers = \"localhost:9092\"");
    let brokers = brokers.and_then(|setting| read_brokers(&setting, mistakes));
    let topic = kafka.required_setting("topic", "topic = \"ecommerce-events\"");
    let topic = topic.and_then(|setting| read_topic_name(&setting, mistakes));
    let group = kafka.required_setting("group", "group = \"feature-engineering-group\"");
    let group = group.and_then(|setting| setting.read_text("the name of a consumer group", mistakes));
    let start = match kafka.optional_setting("start") {
        Some(setting) => read_one_of_two_words(
            &setting,
            [("earliest", StartPosition::Earliest), ("latest", StartPosition::Latest)],
            mistakes,
        ),
        None => Some(StartPosition::Earliest),
    };
    let on_lost_offset = match kafka.optional_setting("on_lost_offset") {
        Some(setting) => read_one_of_two_words(
            &setting,
            [("halt", LostOffsetPolicy::Halt), ("earliest", LostOffsetPolicy::Earliest)],
            mistakes,
        ),
        None => Some(LostOffsetPolicy::Halt),
    };
    let group_protocol = read_group_protocol(&mut kafka, mistakes);
    kafka.report_unknown_and_missing_fields(mistakes);
    Some(SourceSpec::Kafka(KafkaSourceSpec {
        brokers: brokers?,
        topic: topic?,
        consumer_group: group?.to_owned(),
        start_position: start?,
        lost_offset_policy: on_lost_offset?,
        group_protocol: group_protocol?,
    }))
}

fn read_group_protocol(kafka: &mut TableReader<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<GroupProtocol> {
    let consumer = match kafka.optional_setting("group_protocol") {
        Some(setting) => read_one_of_two_words(&setting, [("classic", false), ("consumer", true)], mistakes),
        None => Some(false),
    };
    let session_timeout = kafka.optional_setting("session_timeout");
    if let (Some(true), Some(setting)) = (consumer, &session_timeout) {
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
        Some(setting) => read_duration_ms(&setting, MIN_SESSION_TIMEOUT_MS, MAX_SESSION_TIMEOUT_MS, mistakes),
        None => Some(DEFAULT_SESSION_TIMEOUT_MS),
    };
    Some(if consumer? {
        GroupProtocol::Consumer
    } else {
        GroupProtocol::Classic { session_timeout_ms: session_timeout_ms? }
    })
}

fn read_brokers(setting: &PipelineSetting<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<String> {
    const EXPECTED_BROKERS: &str = "host:port, several separated by commas";
    let text = setting.read_text(EXPECTED_BROKERS, mistakes)?;
    if text.split(',').any(|broker| broker.trim().is_empty() || broker.trim().contains(char::is_whitespace)) {
        let message = format!("`{}` is not a list of brokers", setting.path);
        mistakes.report(DiagnosticCode::BadValue, setting.location, message, EXPECTED_BROKERS);
        return None;
    }
    Some(text.to_owned())
}

/// Reads a setting that must be one of two words. Returns the value that is paired with this word in `words`.
fn read_one_of_two_words<T>(
    setting: &PipelineSetting<'_>,
    words: [(&str, T); 2],
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<T> {
    let [(first, one), (second, other)] = words;
    let expected = format!("\"{first}\" or \"{second}\"");
    match setting.read_text(&expected, mistakes)? {
        text if text == first => Some(one),
        text if text == second => Some(other),
        text => {
            let message = format!("`{}` is neither {first} nor {second}", setting.path);
            mistakes
                .report(DiagnosticCode::BadValue, setting.location, message, expected)
                .set_hint(build_closest_name_hint(text, [first, second]));
            None
        }
    }
}
