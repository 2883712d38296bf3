//! Records from a Kafka topic.
//!
//! Two ways to get partitions: as a member of the consumer group (the live job), or by a fixed share (bounded reading,
//! where nobody joins or leaves). Both read with the group's committed offsets and commit to them.
//! Invariants: (1) records of a partition come in offset order, each once per assignment; (2) an offset that Kafka no
//! longer has halts the worker instead of being skipped.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset as KafkaOffset, TopicPartitionList};
use tracing::{info, warn};
use windrow_engine::{Halt, Offset, Partition, Polled, Positions, Record, Source, Stop};
use windrow_spec::{KafkaSource as Settings, Start};

use super::bounds::Bounds;
use super::client;
use super::membership::{Announcement, Membership};
use super::outage::Outage;
use super::unreadable::{self, Standstills};

/// Records handed over in one poll, so that the worker looks at its clock now and then.
const RECORDS_PER_POLL: usize = 1024;
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// One worker's consumer.
pub struct KafkaSource {
    consumer: BaseConsumer<Membership>,
    settings: Settings,
    bounds: Option<Bounds>,
    announced_share: bool,
    stop: Stop,
    outage: Outage,
    standstills: Standstills,
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
            .map_err(|error| Halt::Refused(format!("cannot create a Kafka consumer: {error}")))?;
        Ok(Self {
            consumer,
            settings: settings.clone(),
            bounds,
            announced_share: false,
            stop,
            outage: Outage::default(),
            standstills: Standstills::default(),
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
        self.consumer.context().next().map(|announcement| match announcement {
            Announcement::Assigned(partitions) => Polled::Assigned(partitions),
            Announcement::Revoked { partitions, lost } => Polled::Revoked { partitions, lost },
        })
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

    fn committed(&mut self, partitions: &[Partition]) -> Result<Positions, Halt> {
        let list = self.list(partitions);
        loop {
            match self.consumer.committed_offsets(list.clone(), ASK_TIMEOUT) {
                Ok(committed) => {
                    let known = committed.elements().into_iter().filter_map(|element| match element.offset() {
                        KafkaOffset::Offset(offset) => Some((element.partition(), offset)),
                        _ => None,
                    });
                    return Ok(known.collect());
                }
                Err(error) if self.stop.requested() => {
                    return Err(Halt::NotReachable(format!(
                        "stopped while waiting for the committed offsets of group `{}`: {error}",
                        self.settings.group
                    )));
                }
                Err(error) => self.fault(&error)?,
            }
        }
    }

    fn begin(&mut self, partitions: &[Partition], positions: &Positions) -> Result<(), Halt> {
        let refused = |error: KafkaError| Halt::Refused(format!("cannot start reading: {error}"));
        let mut list = TopicPartitionList::new();
        for &partition in partitions {
            let offset = match (positions.get(&partition), self.settings.start) {
                (Some(&position), _) => KafkaOffset::Offset(position),
                (None, Start::Earliest) => KafkaOffset::Beginning,
                (None, Start::Latest) => KafkaOffset::End,
            };
            list.add_partition_offset(&self.settings.topic, partition, offset).map_err(refused)?;
            if let Some(next) = positions.get(&partition).copied().or_else(|| self.edge(partition)) {
                self.standstills.moved(partition, next);
            }
        }
        if !partitions.is_empty() {
            info!(topic = %self.settings.topic, ?partitions, "reading partitions");
        }
        let Some(bounds) = &mut self.bounds else {
            return self.consumer.incremental_assign(&list).map_err(refused);
        };
        for (&partition, &position) in positions {
            bounds.advance(partition, position);
        }
        self.consumer.assign(&list).map_err(refused)
    }

    fn release(&mut self, partitions: &[Partition]) -> Result<(), Halt> {
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
        let mode = if wait { CommitMode::Sync } else { CommitMode::Async };
        if let Err(error) = self.consumer.commit(&list, mode) {
            warn!(%error, "offsets were not committed; what follows them is read again after a restart");
        }
        Ok(())
    }
}

impl Drop for KafkaSource {
    /// Leaves the group. An announcement the worker never got to is answered first, or the group would wait for it.
    fn drop(&mut self) {
        self.consumer.context().close();
        if let Some(Announcement::Revoked { partitions, .. }) = self.consumer.context().next()
            && let Err(error) = self.consumer.incremental_unassign(&self.list(&partitions))
        {
            warn!(%error, "could not give partitions up");
        }
    }
}
