//! Records from a Kafka topic.
//!
//! Two ways to get partitions: as a member of the consumer group (the live job), or by a fixed share (bounded reading,
//! where nobody joins or leaves). Either way one reader brings the records, and nothing but the worker says where it
//! starts.
//! Invariants: (1) records of a partition come in offset order, each once per assignment; (2) an offset that Kafka no
//! longer has is never skipped silently; (3) while an announcement of the group waits for its answer, the other
//! partitions go on.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset as KafkaOffset, TopicPartitionList};
use tracing::{info, warn};
use windrow_engine::{Halt, Offset, Partition, Polled, Positions, Record, Source};
use windrow_spec::{KafkaSource as Settings, Start};

use super::bounds::Bounds;
use super::faults::{self, Fault};
use super::group_guard::GroupGuard;
use super::membership::{Announcement, Member};
use super::outage::Outage;
use super::patience;
use super::reader::Reader;
use super::topic_guard::TopicGuard;
use super::unreadable;

/// Records handed over in one poll, so that the worker looks at its clock now and then.
const RECORDS_PER_POLL: usize = 1024;
/// How long a commit that is waited for may take.
const COMMIT_PATIENCE: Duration = Duration::from_secs(4);

/// Where a worker's records come from.
pub struct KafkaSource {
    reader: Reader,
    share: Share,
    settings: Settings,
    instance: Option<String>,
    guard: Arc<TopicGuard>,
    outage: Outage,
    /// Kafka said that an offset is gone, and did not yet say where its partitions begin.
    lost_offset: bool,
}

/// Who decides which partitions are read.
enum Share {
    /// The consumer group.
    Group(Member),
    /// Whoever started the job.
    Fixed { bounds: Bounds, announced: bool },
}

impl KafkaSource {
    /// A member of the consumer group; the group decides which partitions it reads. A process that is started again with
    /// the same `instance` within the session timeout gets the same partitions, without the others noticing; `group` looks
    /// after what that leaves to nobody.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn join(
        settings: &Settings,
        guard: Arc<TopicGuard>,
        instance: Option<&str>,
        group: Option<Arc<GroupGuard>>,
    ) -> Result<Self, Halt> {
        let member = Member::join(settings, instance, group)?;
        Self::create(settings, Share::Group(member), instance, guard)
    }

    /// A reader of the partitions in `ends`, each up to its offset there.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn bounded(settings: &Settings, guard: Arc<TopicGuard>, ends: Positions) -> Result<Self, Halt> {
        let share = Share::Fixed { bounds: Bounds::new(ends), announced: false };
        Self::create(settings, share, None, guard)
    }

    fn create(settings: &Settings, share: Share, instance: Option<&str>, guard: Arc<TopicGuard>) -> Result<Self, Halt> {
        Ok(Self {
            reader: Reader::new(settings)?,
            share,
            settings: settings.clone(),
            instance: instance.map(str::to_owned),
            guard,
            outage: Outage::default(),
            lost_offset: false,
        })
    }

    /// What the worker has to hear before it gets further records.
    fn announcement(&mut self) -> Result<Option<Polled>, Halt> {
        match &mut self.share {
            Share::Group(member) => {
                member.join_again_if_wanted()?;
                let error = member.poll();
                let announced = member.announcement().map(|announcement| match announcement {
                    Announcement::Assigned(partitions) => Polled::Assigned(partitions),
                    Announcement::Revoked { partitions, lost } => Polled::Revoked { partitions, lost },
                });
                if let Some(error) = error {
                    self.fault(&error)?;
                }
                Ok(announced)
            }
            Share::Fixed { bounds, announced } => {
                if !*announced {
                    *announced = true;
                    return Ok(Some(Polled::Assigned(bounds.partitions())));
                }
                if let Some(partition) = bounds.next_reached() {
                    return Ok(Some(Polled::Finished(partition)));
                }
                Ok(bounds.is_exhausted().then_some(Polled::Exhausted))
            }
        }
    }

    fn bounds(&mut self) -> Option<&mut Bounds> {
        match &mut self.share {
            Share::Group(_) => None,
            Share::Fixed { bounds, .. } => Some(bounds),
        }
    }

    /// The next record of `partition` has `position`, or a larger offset.
    fn moved(&mut self, partition: Partition, position: Offset) {
        self.reader.standstills.moved(partition, position);
        if let Some(bounds) = self.bounds() {
            bounds.advance(partition, position);
        }
    }

    /// Gets past a batch that cannot be unpacked, once it is clear which partition it holds up.
    fn pass_unreadable(&mut self, each: &mut dyn FnMut(Record<'_>) -> Result<(), Halt>) -> Result<(), Halt> {
        for (partition, from) in self.reader.standstills.reported() {
            let Settings { brokers, topic, .. } = &self.settings;
            let Some(end) = unreadable::end_of_batch(brokers, topic, partition, from) else { continue };
            let reason = format!(
                "the records from offset {from} to {} cannot be unpacked: their batch is damaged, or unpacks to more than \
                 the Kafka client allows (100 MB)",
                end - 1
            );
            each(Record {
                partition,
                offset: end - 1,
                key: None,
                payload: None,
                timestamp_ms: None,
                unreadable: Some(&reason),
            })?;
            self.reader.restart(partition, end).map_err(|error| {
                Halt::Refused(format!("cannot go on behind an unreadable batch of topic `{topic}`: {error}"))
            })?;
            self.moved(partition, end);
        }
        Ok(())
    }

    /// Decides about an error that came instead of a record.
    fn fault(&mut self, error: &KafkaError) -> Result<(), Halt> {
        let fatal = match &self.share {
            Share::Group(member) => member.fatal_error(),
            Share::Fixed { .. } => None,
        };
        match faults::classify(error, fatal, &self.settings, self.instance.as_deref()) {
            Fault::Final(halt) => Err(halt),
            Fault::LostOffset => {
                self.lost_offset = true;
                Ok(())
            }
            Fault::Passing => {
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
                    self.guard.reach().away("no broker answers");
                }
                if self.outage.due() {
                    warn!(brokers = %self.settings.brokers, %error, "Kafka is away or in trouble; reading goes on when it is back");
                }
                Ok(())
            }
        }
    }

    /// Kafka said that it no longer has an offset, but not in which partition: the one whose position lies outside of
    /// what Kafka holds. librdkafka has stopped reading it. The partitions that go on elsewhere.
    fn settle_lost_offset(&mut self) -> Result<Vec<Partition>, Halt> {
        // Of a topic that was created anew no offset fits, and that is another fault.
        self.guard.check()?;
        let positions = self.reader.standstills.positions();
        let partitions: Vec<Partition> = positions.keys().copied().collect();
        let edges = self.reader.edges(&partitions);
        if edges.is_empty() {
            return Ok(Vec::new()); // asked again with the next poll
        }
        self.lost_offset = false;
        let refused = |error: KafkaError| Halt::Refused(format!("cannot go on reading: {error}"));
        let outside = |(partition, position): (&Partition, &Offset)| {
            let edges = edges.get(partition)?;
            (!edges.include(*position)).then_some((*partition, *position, *edges))
        };
        let lost: Vec<_> = positions.iter().filter_map(outside).collect();
        for &(partition, position, edges) in &lost {
            let start = edges.instead_of(position, partition, &self.settings)?;
            self.reader.restart(partition, start).map_err(refused)?;
            self.moved(partition, start);
        }
        if lost.is_empty() {
            // It was a passing confusion of Kafka's, in a partition that stands still now.
            for (&partition, &position) in &positions {
                self.reader.restart(partition, position).map_err(refused)?;
            }
        }
        Ok(lost.into_iter().map(|(partition, ..)| partition).collect())
    }

    fn list(&self, positions: &Positions) -> Result<TopicPartitionList, Halt> {
        let mut list = TopicPartitionList::new();
        for (&partition, &position) in positions {
            list.add_partition_offset(&self.settings.topic, partition, KafkaOffset::Offset(position))
                .map_err(|error| Halt::Refused(format!("cannot commit offset {position}: {error}")))?;
        }
        Ok(list)
    }

    /// Does `work` with the consumer that speaks for this worker in the group, for at most `patience`.
    fn commit_with(&self, list: TopicPartitionList, wait: bool) -> Option<KafkaResult<()>> {
        fn commit<C: ConsumerContext + 'static>(
            consumer: Arc<BaseConsumer<C>>,
            list: TopicPartitionList,
            wait: bool,
        ) -> Option<KafkaResult<()>> {
            if wait {
                patience::within(COMMIT_PATIENCE, move || consumer.commit(&list, CommitMode::Sync))
            } else {
                Some(consumer.commit(&list, CommitMode::Async))
            }
        }
        match &self.share {
            Share::Group(member) => commit(member.share(), list, wait),
            Share::Fixed { .. } => commit(self.reader.share(), list, wait),
        }
    }
}

impl Source for KafkaSource {
    fn poll(&mut self, wait: Duration, each: &mut dyn FnMut(Record<'_>) -> Result<(), Halt>) -> Result<Polled, Halt> {
        if let Some(announcement) = self.announcement()? {
            return Ok(announcement);
        }
        if self.lost_offset {
            let jumped = self.settle_lost_offset()?;
            if !jumped.is_empty() {
                return Ok(Polled::Jumped(jumped));
            }
        }
        let mut wait = wait;
        for handed in 0..RECORDS_PER_POLL {
            match self.reader.poll(wait) {
                None => {
                    let idle = if handed == 0 { Polled::Idle } else { Polled::Records };
                    return Ok(self.announcement()?.unwrap_or(idle));
                }
                Some(Ok(message)) => {
                    if self.outage.over() {
                        info!(brokers = %self.settings.brokers, "Kafka is back");
                        self.guard.reach().back();
                    }
                    let (partition, offset) = (message.partition(), message.offset());
                    let wanted = match &self.share {
                        Share::Group(_) => true,
                        Share::Fixed { bounds, .. } => bounds.includes(partition, offset),
                    };
                    if wanted {
                        let (key, payload) = (message.key(), message.payload());
                        let timestamp_ms = message.timestamp().to_millis();
                        each(Record { partition, offset, key, payload, timestamp_ms, unreadable: None })?;
                    }
                    drop(message);
                    self.moved(partition, offset + 1);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    if let Some(bounds) = self.bounds() {
                        bounds.reach(partition);
                    }
                }
                Some(Err(error)) if unreadable::is_report(&error) => self.pass_unreadable(each)?,
                Some(Err(error)) => self.fault(&error)?,
            }
            wait = Duration::ZERO;
        }
        Ok(self.announcement()?.unwrap_or(Polled::Records))
    }

    fn starts(&mut self, partitions: &[Partition], positions: &Positions) -> Result<Positions, Halt> {
        if !partitions.is_empty() {
            self.guard.check()?;
        }
        let edges = self.reader.edges(partitions);
        let mut starts = Positions::new();
        for &partition in partitions {
            let start = match (positions.get(&partition), edges.get(&partition)) {
                (Some(&position), Some(edges)) if !edges.include(position) => {
                    Some(edges.instead_of(position, partition, &self.settings)?)
                }
                (Some(&position), _) => Some(position),
                // "Latest" is settled once: asked for again after a restart, it would skip what came in between.
                (None, Some(edges)) => Some(match self.settings.start {
                    Start::Earliest => edges.first,
                    Start::Latest => edges.end,
                }),
                (None, None) => None,
            };
            starts.extend(start.map(|start| (partition, start)));
        }
        Ok(starts)
    }

    fn begin(&mut self, partitions: &[Partition], starts: &Positions) -> Result<(), Halt> {
        if !partitions.is_empty() {
            info!(topic = %self.settings.topic, ?partitions, "reading partitions");
        }
        let refused = |error: KafkaError| Halt::Refused(format!("cannot start reading: {error}"));
        self.reader.start(partitions, starts, self.settings.start).map_err(refused)?;
        match &mut self.share {
            Share::Group(member) => member.taken_over().map_err(refused)?,
            Share::Fixed { bounds, .. } => {
                starts.iter().for_each(|(&partition, &start)| bounds.advance(partition, start));
            }
        }
        Ok(())
    }

    fn seek(&mut self, positions: &Positions) -> Result<(), Halt> {
        for (&partition, &position) in positions {
            self.reader
                .restart(partition, position)
                .map_err(|error| Halt::Refused(format!("cannot go back to offset {position}: {error}")))?;
            self.moved(partition, position);
        }
        Ok(())
    }

    fn release(&mut self, partitions: &[Partition]) -> Result<(), Halt> {
        info!(topic = %self.settings.topic, ?partitions, "giving partitions up");
        let refused = |error: KafkaError| Halt::Refused(format!("cannot give partitions up: {error}"));
        self.reader.stop(partitions).map_err(refused)?;
        match &mut self.share {
            Share::Group(member) => member.given_up().map_err(refused),
            Share::Fixed { .. } => Ok(()),
        }
    }

    fn confirm(&mut self, positions: &Positions) -> Result<bool, Halt> {
        let list = self.list(positions)?;
        Ok(matches!(self.commit_with(list, true), Some(Ok(()))))
    }

    fn commit(&mut self, positions: &Positions, wait: bool) -> Result<(), Halt> {
        let list = self.list(positions)?;
        let error = match self.commit_with(list, wait) {
            Some(Ok(())) => return Ok(()),
            Some(Err(error)) => error.to_string(),
            None => format!("no answer within {} s", COMMIT_PATIENCE.as_secs()),
        };
        // Also from a member that the group no longer knows: whoever has the partition now commits for it.
        warn!(error, "offsets were not committed");
        Ok(())
    }
}
