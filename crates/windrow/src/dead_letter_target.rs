//! Where the workers of a process write dead letters: nowhere, to a file or to a topic.

use windrow_connectors::file::FileDeadLetters;
use windrow_connectors::kafka::{KafkaDeadLetters, MissingTopicPolicy, wait_for_topic};
use windrow_engine::{DeadLetterSink, Halt, NoDeadLetterSink, StopSignal};
use windrow_spec::{DeadLetterSpec, Pipeline};

/// The destination that the pipeline file names for dead letters. All workers of a process share one destination.
pub(crate) enum DeadLetterTarget {
    Nowhere,
    File(FileDeadLetters),
    Topic(KafkaDeadLetters),
}

impl DeadLetterTarget {
    pub(crate) fn open(pipeline: &Pipeline, stop: &StopSignal) -> Result<Self, Halt> {
        match &pipeline.dead_letters {
            None => Ok(Self::Nowhere),
            Some(DeadLetterSpec::File(path)) => FileDeadLetters::open_for_append(path).map(Self::File),
            Some(DeadLetterSpec::Topic(topic)) => {
                wait_for_topic(&pipeline.source.kafka().brokers, topic, MissingTopicPolicy::Refuse, None, stop)?;
                KafkaDeadLetters::new(&pipeline.source.kafka().brokers, topic, stop.clone()).map(Self::Topic)
            }
        }
    }

    pub(crate) fn create_worker_sink(&self) -> Result<Box<dyn DeadLetterSink + Send>, Halt> {
        Ok(match self {
            Self::Nowhere => Box::new(NoDeadLetterSink),
            Self::File(file) => Box::new(file.open_worker_sink()?),
            Self::Topic(topic) => Box::new(topic.create_worker_sink()),
        })
    }
}
