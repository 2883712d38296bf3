//! Where dead letters of all workers go.

use windrow_connectors::file::FileDeadLetters;
use windrow_connectors::kafka::{KafkaDeadLetters, await_topic};
use windrow_engine::{CountOnly, DeadLetters, Halt, Stop};
use windrow_spec::{DeadLetters as DeadLetterPlace, Pipeline};

/// The place that the pipeline file names.
pub(crate) enum DeadLetterOffice {
    Nowhere,
    File(FileDeadLetters),
    Topic(KafkaDeadLetters),
}

impl DeadLetterOffice {
    pub(crate) fn open(pipeline: &Pipeline, stop: &Stop) -> Result<Self, Halt> {
        match &pipeline.dead_letters {
            None => Ok(Self::Nowhere),
            Some(DeadLetterPlace::File(path)) => FileDeadLetters::append(path).map(Self::File),
            Some(DeadLetterPlace::Topic(topic)) => {
                await_topic(&pipeline.source.brokers, topic, None, stop)?;
                KafkaDeadLetters::new(&pipeline.source.brokers, topic, stop.clone()).map(Self::Topic)
            }
        }
    }

    /// One worker's access to it.
    pub(crate) fn desk(&self) -> Box<dyn DeadLetters + Send> {
        match self {
            Self::Nowhere => Box::new(CountOnly),
            Self::File(file) => Box::new(file.clone()),
            Self::Topic(topic) => Box::new(topic.clone()),
        }
    }
}
