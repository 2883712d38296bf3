//! `[source.kafka]`: where events come from.

use super::{Fields, Setting, duration, name, suggestion::did_you_mean};
use crate::{
    GroupProtocol, KafkaSource, OnLostOffset, Start,
    diagnostics::{Code, Mistakes},
};

const SESSION_TIMEOUT_MS: i64 = 45_000;
const MIN_SESSION_TIMEOUT_MS: i64 = 1_000;
/// What brokers allow at most, unless told otherwise.
const MAX_SESSION_TIMEOUT_MS: i64 = 30 * 60 * 1_000;

pub(super) fn read(root: &mut Fields<'_>, mistakes: &mut Mistakes<'_>) -> Option<KafkaSource> {
    let mut source = root.required_table("source", "[source.kafka]", mistakes)?;
    let kafka = source.required_table("kafka", "[source.kafka]", mistakes);
    source.finish(mistakes);
    let mut kafka = kafka?;
    let brokers = kafka.required("brokers", "brokers = \"localhost:9092\"");
    let brokers = brokers.and_then(|setting| brokers_list(&setting, mistakes));
    let topic = kafka.required("topic", "topic = \"ecommerce-events\"");
    let topic = topic.and_then(|setting| name::topic(&setting, mistakes));
    let group = kafka.required("group", "group = \"feature-engineering-group\"");
    let group = group.and_then(|setting| setting.text("the name of a consumer group", mistakes));
    let start = match kafka.optional("start") {
        Some(setting) => either(&setting, [("earliest", Start::Earliest), ("latest", Start::Latest)], mistakes),
        None => Some(Start::Earliest),
    };
    let on_lost_offset = match kafka.optional("on_lost_offset") {
        Some(setting) => {
            either(&setting, [("halt", OnLostOffset::Halt), ("earliest", OnLostOffset::Earliest)], mistakes)
        }
        None => Some(OnLostOffset::Halt),
    };
    let group_protocol = group_protocol(&mut kafka, mistakes);
    kafka.finish(mistakes);
    Some(KafkaSource {
        brokers: brokers?,
        topic: topic?,
        group: group?.to_owned(),
        start: start?,
        on_lost_offset: on_lost_offset?,
        group_protocol: group_protocol?,
    })
}

fn group_protocol(kafka: &mut Fields<'_>, mistakes: &mut Mistakes<'_>) -> Option<GroupProtocol> {
    let consumer = match kafka.optional("group_protocol") {
        Some(setting) => either(&setting, [("classic", false), ("consumer", true)], mistakes),
        None => Some(false),
    };
    let session_timeout = kafka.optional("session_timeout");
    if let (Some(true), Some(setting)) = (consumer, &session_timeout) {
        let message = format!("`{}` means nothing with `group_protocol = \"consumer\"`", setting.path);
        mistakes
            .add(Code::ConflictingFields, setting.at, message, "one of the two")
            .hint("there the broker decides: its group.consumer.session.timeout.ms, or the group's own".to_owned());
        return None;
    }
    let session_timeout_ms = match session_timeout {
        Some(setting) => duration::read(&setting, MIN_SESSION_TIMEOUT_MS, MAX_SESSION_TIMEOUT_MS, mistakes),
        None => Some(SESSION_TIMEOUT_MS),
    };
    Some(if consumer? {
        GroupProtocol::Consumer
    } else {
        GroupProtocol::Classic { session_timeout_ms: session_timeout_ms? }
    })
}

fn brokers_list(setting: &Setting<'_>, mistakes: &mut Mistakes<'_>) -> Option<String> {
    const EXPECTED: &str = "host:port, several separated by commas";
    let text = setting.text(EXPECTED, mistakes)?;
    if text.split(',').any(|broker| broker.trim().is_empty() || broker.trim().contains(char::is_whitespace)) {
        let message = format!("`{}` is not a list of brokers", setting.path);
        mistakes.add(Code::BadValue, setting.at, message, EXPECTED);
        return None;
    }
    Some(text.to_owned())
}

/// A word out of two.
fn either<T>(setting: &Setting<'_>, words: [(&str, T); 2], mistakes: &mut Mistakes<'_>) -> Option<T> {
    let [(first, one), (second, other)] = words;
    let expected = format!("\"{first}\" or \"{second}\"");
    match setting.text(&expected, mistakes)? {
        text if text == first => Some(one),
        text if text == second => Some(other),
        text => {
            let message = format!("`{}` is neither {first} nor {second}", setting.path);
            mistakes.add(Code::BadValue, setting.at, message, expected).hint(did_you_mean(text, [first, second]));
            None
        }
    }
}
