//! Records from a Kafka topic.
//!
//! Two ways to get partitions: as a member of the consumer group (the live job), or by a fixed share (bounded reading,
//! where nobody joins or leaves). Both read with the group's committed offsets and commit to them.
//! Invariants: (1) records of a partition come in offset order, each once per assignment; (2) an offset that Kafka no
//! longer has halts the worker instead of being skipped.

use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset as KafkaOffset, TopicPartitionList};
use tracing::{info, warn};
use windrow_engine::{Halt, Offset, Partition, Polled, Positions, Record, Source, Stop};
use windrow_spec::{KafkaSource as Settings, Start};

use super::bounds::Bounds;
use super::client;
use super::membership::{Announcement, Member, Membership};
use super::outage::Outage;
use super::patience;
use super::unreadable::{self, Standstills};

/// Records handed over in one poll, so that the worker looks at its clock now and then.
const RECORDS_PER_POLL: usize = 1024;
const ASK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a commit that is waited for may take.
const COMMIT_PATIENCE: Duration = Duration::from_secs(4);

/// One worker's consumer.
pub struct KafkaSource {
    consumer: Member,
    settings: Settings,
    bounds: Option<Bounds>,
    announced_share: bool,
    stop: Stop,
    outage: Outage,
    standstills: Standstills,
    /// The announcement the worker was told of and has not answered yet.
    unanswered: Option<Polled>,
}

impl KafkaSource {
    /// A member of the consumer group; the group decides which partitions it reads.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn join(settings: &Settings, stop: Stop) -> Result<Self, Halt> {
        let source = Self::create(settings, None, stop)?;
        source
            .consumer
            .subscribe(&[&settings.topic])
            .map_err(|error| Halt::Refused(format!("cannot subscribe to topic `{}`: {error}", settings.topic)))?;
        Ok(source)
    }

    /// A reader of the partitions in `ends`, each up to its offset there.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn bounded(settings: &Settings, ends: Positions, stop: Stop) -> Result<Self, Halt> {
        Self::create(settings, Some(Bounds::new(ends)), stop)
    }

    fn create(settings: &Settings, bounds: Option<Bounds>, stop: Stop) -> Result<Self, Halt> {
        let consumer = client::consumer(&settings.brokers, &settings.group)
            .create_with_context(Membership::default())
            .map(Member::new)
            .map_err(|error| Halt::Refused(format!("cannot create a Kafka consumer: {error}")))?;
        Ok(Self {
            consumer,
            settings: settings.clone(),
            bounds,
            announced_share: false,
            stop,
            outage: Outage::default(),
            standstills: Standstills::default(),
            unanswered: None,
        })
    }

    fn list<'p>(&self, partitions: impl IntoIterator<Item = &'p Partition>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.settings.topic, *partition);
        }
        list
    }

    /// Where a partition without a committed offset is read from; `None` while Kafka does not say.
    fn edge(&self, partition: Partition) -> Option<Offset> {
        let (first, end) = self.consumer.fetch_watermarks(&self.settings.topic, partition, ASK_TIMEOUT).ok()?;
        Some(match self.settings.start {
            Start::Earliest => first,
            Start::Latest => end,
        })
    }

    /// What the worker has to hear before it gets further records.
    fn announcement(&mut self) -> Option<Polled> {
        if let Some(bounds) = &mut self.bounds {
            if !self.announced_share {
                self.announced_share = true;
                return Some(Polled::Assigned(bounds.partitions()));
            }
            if let Some(partition) = bounds.next_reached() {
                return Some(Polled::Finished(partition));
            }
            return bounds.is_exhausted().then_some(Polled::Exhausted);
        }
        let announced = self.consumer.context().next().map(|announcement| match announcement {
            Announcement::Assigned(partitions) => Polled::Assigned(partitions),
            Announcement::Revoked { partitions, lost } => Polled::Revoked { partitions, lost },
        });
        if announced.is_some() {
            self.unanswered.clone_from(&announced);
        }
        announced
    }

    /// Gets past a batch that cannot be unpacked, once it is clear which partition it holds up.
    fn pass_unreadable(&mut self, each: &mut dyn FnMut(Record<'_>) -> Result<(), Halt>) -> Result<(), Halt> {
        let Settings { brokers, topic, .. } = &self.settings;
        for (partition, from) in self.standstills.reported() {
            let Some(end) = unreadable::end_of_batch(brokers, topic, partition, from) else { continue };
            let reason = format!(
                "the records from offset {from} to {} cannot be unpacked: their batch is damaged, or unpacks to more than \
                 the Kafka client allows (100 MB)",
                end - 1
            );
            each(Record { partition, offset: end - 1, key: None, payload: None, unreadable: Some(&reason) })?;
            self.consumer.seek(topic, partition, KafkaOffset::Offset(end), ASK_TIMEOUT).map_err(|error| {
                Halt::Refused(format!("cannot go on behind an unreadable batch of topic `{topic}`: {error}"))
            })?;
            self.standstills.moved(partition, end);
            if let Some(bounds) = &mut self.bounds {
                bounds.advance(partition, end);
            }
        }
        Ok(())
    }

    /// Decides about an error that came instead of a record.
    fn fault(&mut self, error: &KafkaError) -> Result<(), Halt> {
        let settings = &self.settings;
        if let KafkaError::MessageConsumptionFatal(code) = error {
            return Err(Halt::Refused(format!("Kafka at {} ended the consumer: {code}", settings.brokers)));
        }
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => Err(Halt::Input(format!(
                "an offset committed by group `{}` is no longer in topic `{}`: the records in between were deleted by \
                 Kafka's retention, or the topic was recreated. Rows computed without them would be wrong. Reset the \
                 group's offsets deliberately (kafka-consumer-groups.sh --reset-offsets) or use another \
                 `source.kafka.group`.",
                settings.group, settings.topic
            ))),
            Some(
                code @ (RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::InconsistentGroupProtocol
                | RDKafkaErrorCode::InvalidGroupId),
            ) => Err(Halt::Refused(format!(
                "Kafka at {} does not let group `{}` read topic `{}`: {code}",
                settings.brokers, settings.group, settings.topic
            ))),
            _ => {
                if self.outage.due() {
                    warn!(brokers = %settings.brokers, %error, "Kafka is away or in trouble; reading goes on when it is back");
                }
                Ok(())
            }
        }
    }
}

impl Source for KafkaSource {
    fn poll(&mut self, wait: Duration, each: &mut dyn FnMut(Record<'_>) -> Result<(), Halt>) -> Result<Polled, Halt> {
        if let Some(announcement) = self.announcement() {
            return Ok(announcement);
        }
        let mut wait = wait;
        for handed in 0..RECORDS_PER_POLL {
            match self.consumer.poll(wait) {
                None => {
                    let idle = if handed == 0 { Polled::Idle } else { Polled::Records };
                    return Ok(self.announcement().unwrap_or(idle));
                }
                Some(Ok(message)) => {
                    if self.outage.over() {
                        info!(brokers = %self.settings.brokers, "Kafka is back");
                    }
                    let (partition, offset) = (message.partition(), message.offset());
                    if self.bounds.as_ref().is_none_or(|bounds| bounds.includes(partition, offset)) {
                        let (key, payload) = (message.key(), message.payload());
                        each(Record { partition, offset, key, payload, unreadable: None })?;
                    }
                    self.standstills.moved(partition, offset + 1);
                    if let Some(bounds) = &mut self.bounds {
                        bounds.advance(partition, offset + 1);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    if let Some(bounds) = &mut self.bounds {
                        bounds.reach(partition);
                    }
                }
                Some(Err(error)) if unreadable::is_report(&error) => self.pass_unreadable(each)?,
                Some(Err(error)) => self.fault(&error)?,
            }
            wait = Duration::ZERO;
        }
        Ok(self.announcement().unwrap_or(Polled::Records))
    }

    fn begin(&mut self, partitions: &[Partition], positions: &Positions) -> Result<Positions, Halt> {
        self.unanswered = None;
        let mut starts = Positions::new();
        let refused = |error: KafkaError| Halt::Refused(format!("cannot start reading: {error}"));
        let mut list = TopicPartitionList::new();
        for &partition in partitions {
            // "Latest" is settled once: asked for again after a restart, it would skip what came in between.
            let start = positions.get(&partition).copied().or_else(|| self.edge(partition));
            let offset = match (start, self.settings.start) {
                (Some(start), _) => KafkaOffset::Offset(start),
                (None, Start::Earliest) => KafkaOffset::Beginning,
                (None, Start::Latest) => KafkaOffset::End,
            };
            list.add_partition_offset(&self.settings.topic, partition, offset).map_err(refused)?;
            if let Some(start) = start {
                self.standstills.moved(partition, start);
                starts.insert(partition, start);
            }
        }
        if !partitions.is_empty() {
            info!(topic = %self.settings.topic, ?partitions, "reading partitions");
        }
        let Some(bounds) = &mut self.bounds else {
            self.consumer.incremental_assign(&list).map_err(refused)?;
            return Ok(starts);
        };
        for (&partition, &start) in &starts {
            bounds.advance(partition, start);
        }
        self.consumer.assign(&list).map_err(refused)?;
        Ok(starts)
    }

    fn seek(&mut self, positions: &Positions) -> Result<Positions, Halt> {
        for (&partition, &position) in positions {
            let to = KafkaOffset::Offset(position);
            // A partition that the group has meanwhile taken from us cannot be moved, and need not be.
            if let Err(error) = self.consumer.seek(&self.settings.topic, partition, to, ASK_TIMEOUT) {
                warn!(partition, position, %error, "cannot go back in a partition");
            }
            self.standstills.moved(partition, position);
        }
        Ok(positions.clone())
    }

    fn release(&mut self, partitions: &[Partition]) -> Result<(), Halt> {
        self.unanswered = None;
        let list = self.list(partitions);
        partitions.iter().for_each(|&partition| self.standstills.forget(partition));
        info!(topic = %self.settings.topic, ?partitions, "giving partitions up");
        self.consumer
            .incremental_unassign(&list)
            .map_err(|error| Halt::Refused(format!("cannot give partitions up: {error}")))
    }

    fn commit(&mut self, positions: &Positions, wait: bool) -> Result<(), Halt> {
        let mut list = TopicPartitionList::new();
        for (&partition, &position) in positions {
            list.add_partition_offset(&self.settings.topic, partition, KafkaOffset::Offset(position))
                .map_err(|error| Halt::Refused(format!("cannot commit offset {position}: {error}")))?;
        }
        let committed = if wait {
            let consumer = self.consumer.share();
            patience::within(COMMIT_PATIENCE, move || consumer.commit(&list, CommitMode::Sync))
        } else {
            Some(self.consumer.commit(&list, CommitMode::Async))
        };
        let error = match committed {
            Some(Ok(())) => return Ok(()),
            Some(Err(error)) => error.to_string(),
            None => format!("no answer within {} s", COMMIT_PATIENCE.as_secs()),
        };
        warn!(error, "offsets were not committed; what follows them is read again after a restart");
        Ok(())
    }
}

impl Drop for KafkaSource {
    /// Answers an announcement that has no answer yet, or the group would wait for it; then the consumer leaves.
    fn drop(&mut self) {
        self.consumer.context().close();
        let unanswered = self.unanswered.take().or_else(|| self.announcement());
        let answered = match unanswered {
            Some(Polled::Assigned(partitions)) if self.bounds.is_none() => {
                self.consumer.incremental_assign(&self.list(&partitions))
            }
            Some(Polled::Revoked { partitions, .. }) => self.consumer.incremental_unassign(&self.list(&partitions)),
            _ => Ok(()),
        };
        if let Err(error) = answered {
            warn!(%error, "could not answer the group");
        }
    }
}
