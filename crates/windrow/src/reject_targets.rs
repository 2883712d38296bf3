//! Where the workers of a process write dead letters and late events: nowhere, to a file or to a topic.

use windrow_connectors::file::FileDeadLetters;
use windrow_connectors::kafka::{KafkaDeadLetters, MissingTopicPolicy, wait_for_topic};
use windrow_engine::{
    DeadLetter, DeadLetterSink, Halt, LateRecord, NoDeadLetterSink, RefusedRow, RejectedContent, StopSignal,
};
use windrow_spec::{Pipeline, RejectDestination};

/// The destinations that the pipeline file names. All workers of a process share them.
pub(crate) struct RejectTargets {
    dead_letters: RejectTarget,
    late_events: RejectTarget,
}

enum RejectTarget {
    Nowhere,
    File(FileDeadLetters),
    Topic(KafkaDeadLetters),
}

/// Writes the dead letters and the late events of one worker to their destinations.
pub(crate) struct WorkerRejectSink {
    pub(crate) dead_letters: Box<dyn DeadLetterSink + Send>,
    pub(crate) late_events: Box<dyn DeadLetterSink + Send>,
}

impl RejectTargets {
    pub(crate) fn open(pipeline: &Pipeline, stop: &StopSignal) -> Result<Self, Halt> {
        let brokers = &pipeline.source.kafka().brokers;
        let open = |destination: Option<&RejectDestination>, content| match destination {
            None => Ok(RejectTarget::Nowhere),
            Some(RejectDestination::File(path)) => {
                FileDeadLetters::open_for_append(path, content).map(RejectTarget::File)
            }
            Some(RejectDestination::Topic(topic)) => {
                wait_for_topic(brokers, topic, MissingTopicPolicy::Refuse, None, stop)?;
                KafkaDeadLetters::new(brokers, topic, content, stop.clone()).map(RejectTarget::Topic)
            }
        };
        Ok(Self {
            dead_letters: open(pipeline.dead_letters.as_ref(), RejectedContent::DeadLetters)?,
            late_events: open(pipeline.late_events.as_ref(), RejectedContent::LateEvents)?,
        })
    }

    pub(crate) fn create_worker_sink(&self) -> Result<Box<dyn DeadLetterSink + Send>, Halt> {
        let dead_letters = self.dead_letters.create_worker_sink()?;
        let late_events = self.late_events.create_worker_sink()?;
        Ok(Box::new(WorkerRejectSink { dead_letters, late_events }))
    }
}

impl RejectTarget {
    fn create_worker_sink(&self) -> Result<Box<dyn DeadLetterSink + Send>, Halt> {
        Ok(match self {
            Self::Nowhere => Box::new(NoDeadLetterSink),
            Self::File(file) => Box::new(file.open_worker_sink()?),
            Self::Topic(topic) => Box::new(topic.create_worker_sink()),
        })
    }
}

impl DeadLetterSink for WorkerRejectSink {
    fn write_record(&mut self, letter: DeadLetter<'_>) -> Result<(), Halt> {
        self.dead_letters.write_record(letter)
    }

    fn write_refused_row(&mut self, row: &RefusedRow) -> Result<(), Halt> {
        self.dead_letters.write_refused_row(row)
    }

    fn write_late_record(&mut self, late: LateRecord<'_>) -> Result<(), Halt> {
        self.late_events.write_late_record(late)
    }

    fn flush(&mut self) -> Result<(), Halt> {
        self.dead_letters.flush()?;
        self.late_events.flush()
    }
}
