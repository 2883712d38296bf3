//! `[source.kafka]`: where events come from.

use super::{Fields, Setting, name, suggestion::did_you_mean};
use crate::{
    KafkaSource, Start,
    diagnostics::{Code, Mistakes},
};

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
        Some(setting) => start(&setting, mistakes),
        None => Some(Start::Earliest),
    };
    kafka.finish(mistakes);
    Some(KafkaSource { brokers: brokers?, topic: topic?, group: group?.to_owned(), start: start? })
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

fn start(setting: &Setting<'_>, mistakes: &mut Mistakes<'_>) -> Option<Start> {
    const EXPECTED: &str = "\"earliest\" or \"latest\"";
    match setting.text(EXPECTED, mistakes)? {
        "earliest" => Some(Start::Earliest),
        "latest" => Some(Start::Latest),
        other => {
            let message = format!("`{}` is neither earliest nor latest", setting.path);
            mistakes
                .add(Code::BadValue, setting.at, message, EXPECTED)
                .hint(did_you_mean(other, ["earliest", "latest"]));
            None
        }
    }
}
