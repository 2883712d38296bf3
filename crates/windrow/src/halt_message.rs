//! Turns a halt of the job into an exit code and a message for the operator.
//!
//! Owns: the exit code, the text and the hint of every [`Halt`]. A hint names the flags and settings that remove the
//! cause. Does not own: the facts of a halt and their descriptions (the engine), printing (`print`).

use std::fmt::Write;

use windrow_connectors::kafka::GroupRefusalReason;
use windrow_engine::Halt;
use windrow_engine::checkpoint::partition_folder;
use windrow_engine::halt::{
    ChangedViews, CheckpointStoreFault, DamagedState, DroppedFeature, DroppedView, ErrorChain, ForeignState,
    InputFault, LostOffset, OutputFault, RecreatedTopic, ServiceRefusal, UnreachableService, ViewChange,
};

use crate::exit::{CommandFailure, ExitStatus};

/// The largest number of similar names that the message about an unknown topic lists.
const MAX_SIMILAR_TOPICS: usize = 3;

/// The exit code and texts with which the binary reports a halt to the operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HaltMessage {
    pub(crate) exit_status: ExitStatus,
    /// The description of the fault, without a remedy.
    pub(crate) text: String,
    /// What the operator can do to remove the cause of the halt. Empty if no remedy is known.
    pub(crate) hint: String,
}

impl From<Halt> for CommandFailure {
    fn from(halt: Halt) -> Self {
        let HaltMessage { exit_status: exit, text, hint } = describe_halt(&halt);
        let end = if hint.is_empty() { "" } else { ". " };
        Self::new(exit, format!("error: {text}{end}{hint}"))
    }
}

/// Returns the exit code, the text and the hint of `halt`.
pub(crate) fn describe_halt(halt: &Halt) -> HaltMessage {
    let text = match halt {
        Halt::ChangedViews(views) => describe_changed_views(views),
        _ => ErrorChain(halt).to_string(),
    };
    let (exit, hint) = match halt {
        Halt::Input(fault) => (ExitStatus::UnusableInput, input_fault_hint(fault)),
        Halt::Output(fault) => (ExitStatus::UnwritableOutput, output_fault_hint(fault)),
        Halt::Unreachable(fault) => (ExitStatus::NotReachable, unreachable_service_hint(fault)),
        Halt::Refused(fault) => (ExitStatus::Refused, service_refusal_hint(fault)),
        Halt::LostOffset(lost) => (ExitStatus::LostOffset, lost_offset_hint(lost)),
        Halt::TopicRecreated(topic) => (ExitStatus::TopicRecreated, recreated_topic_hint(topic)),
        Halt::PartitionsAdded(_) => (ExitStatus::PartitionsAdded, added_partitions_hint()),
        Halt::ForeignState(state) => (ExitStatus::ForeignState, foreign_state_hint(state)),
        Halt::ChangedViews(views) => (ExitStatus::ChangedViews, changed_views_hint(views)),
        Halt::NewerState(_) => {
            (ExitStatus::NewerState, "Run the version of Windrow that wrote this state, or a newer one".to_owned())
        }
        Halt::DamagedState(state) => (ExitStatus::DamagedState, damaged_state_hint(state)),
        Halt::CheckpointStore(fault) => (ExitStatus::CheckpointStore, checkpoint_store_hint(fault)),
        Halt::PartitionContested(_) => (ExitStatus::Fenced, "Give each job its own `source.kafka.group`".to_owned()),
    };
    HaltMessage { exit_status: exit, text, hint }
}

fn input_fault_hint(fault: &InputFault) -> String {
    match fault {
        InputFault::RecordsWithoutKeys { key_field, .. } => {
            format!("Make the producer send `{key_field}` as the key of each record, or use a topic with one partition")
        }
        InputFault::UnknownTopic { topic, existing_topics, .. } => unknown_topic_hint(topic, existing_topics),
        InputFault::MisplacedRecord(record) => format!(
            "Make all producers send `{}` as the record key, with the same partitioner, or set \
             `source.kafka.on_misplaced = \"warn\"` to process such records",
            record.key_field
        ),
        InputFault::TopicNotCreated { .. } => {
            "Create the topic with the number of partitions you want, or correct `source.kafka.topic`".to_owned()
        }
        InputFault::TopicDeleted { .. } => {
            "Create the topic and start with a new `source.kafka.group`, or correct `source.kafka.topic`".to_owned()
        }
        InputFault::InvalidEndpoint { .. } => "Correct `source.kafka.brokers`".to_owned(),
        InputFault::Unreadable { .. } | InputFault::NotSeekable { .. } => String::new(),
    }
}

fn unknown_topic_hint(topic: &str, existing_topics: &[String]) -> String {
    const WAY_OUT: &str = "Correct the name, or create the topic first: `windrow run --create-topic PARTITIONS` creates \
         the topic of `source.kafka.topic`";
    // Kafka's own topics begin with two underscores.
    let user_topics = existing_topics.iter().map(String::as_str).filter(|name| !name.starts_with("__"));
    let similar_topics = windrow_spec::find_similar_names(topic, user_topics, MAX_SIMILAR_TOPICS);
    if similar_topics.is_empty() {
        return WAY_OUT.to_owned();
    }
    let names: Vec<String> = similar_topics.iter().map(|name| format!("`{name}`")).collect();
    format!("Topics with a similar name exist: {}. {WAY_OUT}", names.join(", "))
}

fn output_fault_hint(fault: &OutputFault) -> String {
    match fault {
        OutputFault::RejectTopicUnwritable { content, .. } => format!(
            "Correct the topic or `{}.topic`, then start again. The job reads the affected records again",
            content.section_name()
        ),
        OutputFault::UnfinishedPartitions { .. } => {
            "Run the same command again to continue from the last checkpoints".to_owned()
        }
        OutputFault::Unwritable { .. }
        | OutputFault::RejectFileNotOpened { .. }
        | OutputFault::RejectFileUnwritable { .. }
        | OutputFault::TopicUnwritable { .. }
        | OutputFault::WriterNotStarted { .. }
        | OutputFault::WriterBrokeDown
        | OutputFault::WriterBug { .. } => String::new(),
    }
}

fn unreachable_service_hint(fault: &UnreachableService) -> String {
    match fault {
        UnreachableService::Source { .. } => {
            "Check that Kafka is running and that `source.kafka.brokers` is correct".to_owned()
        }
        UnreachableService::RowStoreAtStart { .. } => {
            "Start Redis, correct sink.redis.url, or allow more time with --start-timeout".to_owned()
        }
        UnreachableService::TopicEndsUnknown { .. }
        | UnreachableService::StoppedWaitingForRowStore { .. }
        | UnreachableService::StoppedWaitingForCheckpointStore { .. }
        | UnreachableService::StoppedWaitingForLogHistory { .. }
        | UnreachableService::UnansweredClaim { .. }
        | UnreachableService::SavepointUnderWay { .. }
        | UnreachableService::UnconfirmedSavepoint { .. } => String::new(),
    }
}

fn service_refusal_hint(fault: &ServiceRefusal) -> String {
    match fault {
        ServiceRefusal::Source { source, .. } => source.downcast_ref().map_or_else(String::new, group_refusal_hint),
        // The error of the row store names the setting to correct.
        ServiceRefusal::RowStoreAccess { .. }
        | ServiceRefusal::RowStoreAddress { .. }
        | ServiceRefusal::RowStoreUnsuitable { .. } => String::new(),
    }
}

fn group_refusal_hint(refusal: &GroupRefusalReason) -> String {
    match refusal {
        GroupRefusalReason::InstanceInUse { .. } => {
            "Give each process its own name with `--instance`, or stop the other process"
        }
        GroupRefusalReason::SessionTimeoutNotAllowed { .. } => {
            "Change `source.kafka.session_timeout`, or the limits that the broker sets for session timeouts"
        }
        GroupRefusalReason::UnsupportedProtocol { .. } => {
            "Set `source.kafka.group_protocol = \"classic\"`, which every broker supports"
        }
        GroupRefusalReason::GroupProtocolMismatch { .. } => {
            "Use another `source.kafka.group`, or stop the other members of this group"
        }
        GroupRefusalReason::NotAuthorized { .. } | GroupRefusalReason::ConsumerEnded { .. } => "",
    }
    .to_owned()
}

fn lost_offset_hint(lost: &LostOffset) -> String {
    if lost.lost_offset > lost.end_offset {
        return "Open windows contain events of the lost records. Set `source.kafka.on_lost_offset = \"earliest\"` to go \
                back to a checkpoint whose offset still exists, or to begin anew if there is none. Or use a new \
                `source.kafka.group` to read the whole topic again"
            .to_owned();
    }
    format!(
        "Windows would lack the missing records. Set `source.kafka.on_lost_offset = \"earliest\"` to accept this loss \
         and continue at offset {}, or use a new `source.kafka.group` to read the whole topic again",
        lost.first_kept_offset
    )
}

fn recreated_topic_hint(topic: &RecreatedTopic) -> String {
    match &topic.known_from_checkpoint {
        Some(checkpoint) => format!(
            "To read the new topic, use another `source.kafka.group`, or delete {} and this job's keys \
             `windrow:fence:…` in Redis",
            checkpoint.store_place
        ),
        None => "The job's offsets and state do not fit the new topic. Stop the job, then start it with a new \
             `source.kafka.group`, or delete its checkpoints and its keys `windrow:fence:…` in Redis before the start"
            .to_owned(),
    }
}

fn added_partitions_hint() -> String {
    "Start with `--accept-partitions` to accept that open windows may be split, or with a new `source.kafka.group` to \
     read the whole topic again"
        .to_owned()
}

fn foreign_state_hint(state: &ForeignState) -> String {
    match state {
        ForeignState::OtherJob { .. } => {
            "Correct the pipeline file or --from. For another pipeline or topic use another `source.kafka.group`: \
             each group has its own state"
        }
        ForeignState::NoPartition { .. } => {
            "Name another location with --from; `windrow state show` lists the partitions in a location"
        }
        ForeignState::NoCheckpoint { .. } => {
            "Either no job has run with this pipeline file and group, or its first checkpoint is not complete yet"
        }
    }
    .to_owned()
}

fn describe_changed_views(views: &ChangedViews) -> String {
    let mut text = format!(
        "feature views changed since checkpoint {} of partition {}; the state of these views can no longer be used:",
        views.checkpoint_id, views.partition
    );
    for view in &views.dropped_views {
        let name = &view.view_name;
        let _ = match &view.view_change {
            ViewChange::Redefined { stored_definition: stored, pipeline_definition: current } => {
                write!(text, "\n    `{name}` was  {stored}\n      and is {current}")
            }
            ViewChange::Removed => write!(text, "\n    `{name}` was removed from the pipeline file"),
            ViewChange::FeaturesChanged { dropped_features, kept_feature_names } => {
                for feature in dropped_features {
                    describe_dropped_feature(&mut text, name, feature);
                }
                let kept =
                    if kept_feature_names.is_empty() { "none".to_owned() } else { kept_feature_names.join(", ") };
                write!(text, "\n    The state of these features of `{name}` is kept: {kept}")
            }
        };
    }
    let kept = if views.kept_view_names.is_empty() { "none".to_owned() } else { views.kept_view_names.join(", ") };
    let _ = write!(text, "\n  The state of these views is kept: {kept}");
    text
}

fn describe_dropped_feature(text: &mut String, view_name: &str, feature: &DroppedFeature) {
    let DroppedFeature { feature_name, stored_definition, pipeline_definition } = feature;
    let _ = match pipeline_definition {
        Some(current) => {
            write!(text, "\n    `{view_name}.{feature_name}` was  {stored_definition}\n      and is {current}")
        }
        None => write!(
            text,
            "\n    `{view_name}.{feature_name}` was removed from the pipeline file; it was  {stored_definition}"
        ),
    };
}

/// Returns the names with which `--drop-state` permits to drop the state of `view`.
fn dropped_state_names(view: &DroppedView) -> Vec<String> {
    match &view.view_change {
        ViewChange::Redefined { .. } | ViewChange::Removed => vec![view.view_name.clone()],
        ViewChange::FeaturesChanged { dropped_features, .. } => {
            let name = |feature: &DroppedFeature| format!("{}.{}", view.view_name, feature.feature_name);
            dropped_features.iter().map(name).collect()
        }
    }
}

fn changed_views_hint(views: &ChangedViews) -> String {
    let names: Vec<String> = views.dropped_views.iter().flat_map(dropped_state_names).collect();
    format!(
        "Restore the definitions in the pipeline file, or drop this state with {}. Open windows will then lack the earlier \
         events. `windrow check PIPELINE --against STATE` shows what is kept",
        format_drop_state_flags(names.iter().map(String::as_str))
    )
}

/// Returns a text that contains one flag `--drop-state NAME` for each of `names`. A name is `VIEW` or `VIEW.FEATURE`.
pub(crate) fn format_drop_state_flags<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let flag = |name: &str| {
        let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if is_plain {
            format!("--drop-state {name}")
        } else {
            format!("--drop-state '{}'", name.replace('\'', r"'\''"))
        }
    };
    names.map(flag).collect::<Vec<_>>().join(" ")
}

fn damaged_state_hint(state: &DamagedState) -> String {
    match state {
        DamagedState::NoReadableCheckpoint { place, partition, .. } => format!(
            "Nothing was changed. Restore the folder from a backup, start from a savepoint with `--from`, or delete \
             {place}/{} and the partition's key `windrow:fence:…` in Redis to read the partition from its beginning",
            partition_folder(*partition)
        ),
        DamagedState::MissingCheckpoint { .. } => {
            "Check that `checkpoint.store` is the correct location and is mounted. To start with empty state anyway, \
             use another `source.kafka.group`, or delete this job's keys `windrow:fence:…` in Redis"
                .to_owned()
        }
    }
}

fn checkpoint_store_hint(fault: &CheckpointStoreFault) -> String {
    match fault {
        CheckpointStoreFault::Refused { .. } => {
            "Correct `checkpoint.store`, or extend this user's permissions in the store".to_owned()
        }
        CheckpointStoreFault::ParkedPartitionInSavepoint { .. } => {
            "Resolve the fault, as the job's pages say, and take the savepoint again. The incomplete savepoint can be \
             deleted"
                .to_owned()
        }
        CheckpointStoreFault::SavepointFailed { .. }
        | CheckpointStoreFault::UnreadableSavepoint { .. }
        | CheckpointStoreFault::ThreadNotStarted { .. }
        | CheckpointStoreFault::IllegalTransition { .. }
        | CheckpointStoreFault::ThreadBrokeDown => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use windrow_engine::checkpoint::{CheckpointId, ObjectFault};
    use windrow_engine::halt::{NewerState, ServiceAddress, share_error};

    use super::*;

    fn rendered(halt: impl Into<Halt>) -> (u8, String) {
        let HaltMessage { exit_status: exit, text, hint } = describe_halt(&halt.into());
        (exit as u8, format!("{text}. {hint}"))
    }

    #[test]
    fn changed_views_are_listed_with_the_flags_that_drop_their_state() {
        let dropped_views = vec![
            DroppedView {
                view_name: "sessions".to_owned(),
                view_change: ViewChange::Redefined {
                    stored_definition: "gap 10m".to_owned(),
                    pipeline_definition: "gap 20m".to_owned(),
                },
            },
            DroppedView { view_name: "totals".to_owned(), view_change: ViewChange::Removed },
            DroppedView {
                view_name: "carts".to_owned(),
                view_change: ViewChange::FeaturesChanged {
                    dropped_features: vec![
                        DroppedFeature {
                            feature_name: "sum".to_owned(),
                            stored_definition: "long sum(price)".to_owned(),
                            pipeline_definition: Some("double sum(price)".to_owned()),
                        },
                        DroppedFeature {
                            feature_name: "it's".to_owned(),
                            stored_definition: "count(*)".to_owned(),
                            pipeline_definition: None,
                        },
                    ],
                    kept_feature_names: vec!["events".to_owned()],
                },
            },
        ];
        let checkpoint_id = CheckpointId { epoch: 3, checkpoint_number: 7 };
        let (exit, message) = rendered(ChangedViews {
            checkpoint_id,
            partition: 1,
            dropped_views,
            kept_view_names: vec!["users".to_owned()],
        });
        assert_eq!(exit, 14);
        for part in [
            "checkpoint 7 of epoch 3 of partition 1",
            "\n    `sessions` was  gap 10m\n      and is gap 20m",
            "\n    `totals` was removed from the pipeline file",
            "\n    `carts.sum` was  long sum(price)\n      and is double sum(price)",
            "\n    `carts.it's` was removed from the pipeline file; it was  count(*)",
            "\n    The state of these features of `carts` is kept: events",
            "The state of these views is kept: users. Restore the definitions",
            r"--drop-state sessions --drop-state totals --drop-state carts.sum --drop-state 'carts.it'\''s'",
        ] {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    }

    #[test]
    fn a_service_is_named_with_its_fault_and_the_setting_to_correct() {
        let service = ServiceAddress { product_name: "Redis", address: "localhost:1".to_owned() };
        let waited = std::time::Duration::from_secs(3);
        let source = share_error("connection refused");
        let (exit, message) = rendered(UnreachableService::RowStoreAtStart { service, waited, attempts: 4, source });
        assert_eq!(exit, 6);
        assert_eq!(
            message,
            "Redis at localhost:1 was not ready within 3 s and 4 attempts; the last error: connection refused. Start Redis, \
             correct sink.redis.url, or allow more time with --start-timeout"
        );
    }

    #[test]
    fn state_of_a_newer_version_names_both_versions() {
        let (object_name, store_place) = ("partition-0/checkpoint/1".to_owned(), "file:/state".to_owned());
        let source = ObjectFault::Newer { found: 2, known: 1 };
        let (exit, message) = rendered(NewerState { object_name, store_place, source });
        assert_eq!(exit, 15);
        assert!(
            message.contains(
                "the object has format 2, which is newer than the formats that this version of Windrow reads (up to 1)"
            ),
            "{message}"
        );
        assert!(message.ends_with("Run the version of Windrow that wrote this state, or a newer one"), "{message}");
    }
}
