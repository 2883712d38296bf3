//! The source of a simulated worker: it reads the topic as a member of the consumer group.
//!
//! Owns: the reading positions, and the order in which the worker hears of rebalances. Does not own: the assignment
//! (`consumer_group`). Invariant: as with librdkafka, the worker hears of a rebalance only after it has acknowledged the
//! one before, or its process has done so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use windrow_engine::halt::{LostOffset, share_error};
use windrow_engine::{
    CommitWait, GroupDeparture, Halt, HeldOffsets, LogHistory, LogHistoryFault, LogPosition, Offset, Partition,
    PartitionOffsets, PollOutcome, Source, SourceRecord, StartOffset, StartOffsets, Wakeup,
};

use crate::consumer_group::{GroupRebalance, MemberNumber};
use crate::producer::MALFORMED_PAYLOAD;
use crate::scenario::DeletedRecords;
use crate::services::SimulatedServices;
use crate::simulation_core::{InstanceIndex, InstanceProcess};
use crate::topic::TOPIC;

/// How often a malformed record is deleted before a source reads it, in records of a thousand.
const DELETIONS_PER_MILLE: u64 = 300;
/// The most records of one poll.
const MAX_RECORDS_PER_POLL: u64 = 12;

/// The source of one worker.
pub(crate) struct SimulatedSource {
    services: Arc<SimulatedServices>,
    process: InstanceProcess,
    /// The topic as it was when the process started.
    known_topic_id: &'static str,
    known_partition_count: Partition,
    wakeup: Arc<Wakeup>,
    member: MemberNumber,
    /// The partitions that the worker has heard of and not released.
    held_partitions: BTreeSet<Partition>,
    /// The partitions of the rebalance that the worker has not acknowledged, if any.
    unacknowledged_partitions: Option<Vec<Partition>>,
    has_left_group: bool,
    positions: BTreeMap<Partition, LogPosition>,
    /// The positions at which reading will start, as far as the worker has told them.
    start_positions: BTreeMap<Partition, LogPosition>,
}

impl SimulatedSource {
    pub(crate) fn join_group(services: Arc<SimulatedServices>, instance: InstanceIndex) -> Self {
        let process = services.current_process(instance);
        let wakeup = services.instance_wakeup(instance);
        let member = services.group.join_group(process, Arc::clone(&wakeup));
        let (known_topic_id, known_partition_count) = (services.topic.topic_id(), services.topic.partition_count());
        Self {
            services,
            process,
            known_topic_id,
            known_partition_count,
            wakeup,
            member,
            held_partitions: BTreeSet::new(),
            unacknowledged_partitions: None,
            has_left_group: false,
            positions: BTreeMap::new(),
            start_positions: BTreeMap::new(),
        }
    }

    /// Returns the next rebalance, if the worker has acknowledged the one before.
    fn take_rebalance(&mut self) -> Option<PollOutcome> {
        if !self.services.faults.reaches_group(self.process.instance)
            || (self.unacknowledged_partitions.is_some() && !self.services.group.has_pending_loss(self.member))
        {
            return None;
        }
        let (outcome, partitions) = if self.services.group.is_member(self.member) {
            match self.services.group.take_pending_rebalance(self.member)? {
                GroupRebalance::Assigned(partitions) => {
                    self.held_partitions.extend(&partitions);
                    (PollOutcome::Assigned(partitions.clone()), partitions)
                }
                GroupRebalance::Revoked(partitions) => (PollOutcome::Revoked(partitions.clone()), partitions),
                GroupRebalance::Lost(partitions) => {
                    self.held_partitions.retain(|partition| !partitions.contains(partition));
                    (PollOutcome::Lost(partitions.clone()), partitions)
                }
            }
        } else {
            if !self.has_left_group {
                self.member = self.services.group.join_group(self.process, Arc::clone(&self.wakeup));
            }
            let lost: Vec<Partition> = self.held_partitions.iter().copied().collect();
            if lost.is_empty() {
                return None;
            }
            (PollOutcome::Lost(lost.clone()), lost)
        };
        self.unacknowledged_partitions = Some(partitions);
        self.services.core.record(|| format!("worker hears: {outcome:?}"));
        Some(outcome)
    }

    fn begin_at(&mut self, partition: Partition, offset: Offset) {
        let noted = self.start_positions.remove(&partition).filter(|noted| noted.offset == offset);
        self.positions.insert(partition, noted.unwrap_or(LogPosition { offset, leader_epoch: None }));
    }

    /// Stops reading the partitions that have lost records before the position of the worker, as librdkafka does when it
    /// hears of a new leader. Returns them; `None` if there are none.
    fn take_truncated_partitions(&mut self) -> Option<BTreeMap<Partition, HeldOffsets>> {
        let mut truncated = BTreeMap::new();
        for (&partition, &position) in &self.positions {
            let end_offset = self.services.topic.end_offset(partition);
            let held = HeldOffsets { first_offset: 0, end_offset };
            let shared = self.services.topic.find_shared_offsets(partition, position).unwrap_or(held);
            if shared.end_offset < position.offset {
                truncated.insert(partition, shared);
            }
        }
        self.positions.retain(|partition, _| !truncated.contains_key(partition));
        (!truncated.is_empty()).then_some(truncated)
    }

    /// Returns what the worker hears of a malformed record that was deleted before this source could read it. The source does
    /// not read it: it is the next record of its partition.
    fn take_deleted_record(&mut self) -> Option<PollOutcome> {
        let deleted_records = self.services.scenario.deleted_records;
        if deleted_records == DeletedRecords::Never || self.services.faults.have_healed() {
            return None;
        }
        let is_malformed = |(&partition, position): (&Partition, &LogPosition)| {
            let record = self.services.topic.read_record(partition, position.offset)?;
            (record.payload == MALFORMED_PAYLOAD.as_bytes()).then_some((partition, record.leader_epoch))
        };
        let (partition, leader_epoch) = self.positions.iter().find_map(is_malformed)?;
        if !self.services.core.happens(DELETIONS_PER_MILLE) {
            return None;
        }
        let offset = self.positions.get(&partition)?.offset;
        self.services.core.record(|| format!("topic: record {offset} of partition {partition} is deleted unread"));
        let mut oracle = self.services.oracle.lock();
        if deleted_records == DeletedRecords::Skipped {
            oracle.observe_skipped_record(&self.services.core, self.process, partition, offset);
            let position = LogPosition { offset: offset + 1, leader_epoch: Some(leader_epoch) };
            self.positions.insert(partition, position);
            return Some(PollOutcome::OffsetsSkipped(vec![partition]));
        }
        oracle.observe_lost_offset(partition);
        self.positions.remove(&partition);
        let end_offset = self.services.topic.end_offset(partition);
        let first_kept_offset = offset + 1;
        let lost =
            LostOffset { topic: TOPIC.to_owned(), partition, lost_offset: offset, first_kept_offset, end_offset };
        Some(PollOutcome::OffsetsLost(vec![lost]))
    }

    /// Passes some records to `on_record`. Returns whether there was any.
    fn deliver_records(
        &mut self,
        on_record: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<bool, Halt> {
        let mut remaining = 1 + self.services.core.choose_at_random(|random| random.number_below(MAX_RECORDS_PER_POLL));
        let mut has_delivered = false;
        // A record that may be deleted before it is read is the first of a poll.
        let may_be_deleted = self.services.scenario.deleted_records != DeletedRecords::Never;
        let partitions: Vec<Partition> = self.positions.keys().copied().collect();
        let first = self.services.core.choose_at_random(|random| random.index_below(partitions.len()));
        for &partition in partitions[first..].iter().chain(&partitions[..first]) {
            while remaining > 0
                && let Some(&LogPosition { offset, .. }) = self.positions.get(&partition)
                && let Some(record) = self.services.topic.read_record(partition, offset)
                && (!may_be_deleted || record.payload != MALFORMED_PAYLOAD.as_bytes() || !has_delivered)
            {
                on_record(SourceRecord {
                    partition,
                    offset,
                    key: Some(&record.key),
                    payload: Some(&record.payload),
                    timestamp_ms: Some(record.timestamp_ms),
                    leader_epoch: Some(record.leader_epoch),
                    unreadable_reason: None,
                })?;
                let leader_epoch = Some(record.leader_epoch);
                self.positions.insert(partition, LogPosition { offset: offset + 1, leader_epoch });
                remaining -= 1;
                has_delivered = true;
            }
        }
        Ok(has_delivered)
    }
}

impl Source for SimulatedSource {
    fn poll(
        &mut self,
        timeout: Duration,
        on_record: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<PollOutcome, Halt> {
        // Every poll takes some time, so that the worker's loop does not run forever in one moment.
        self.services.core.pause(Duration::from_micros(500));
        if let Some(outcome) = self.take_rebalance() {
            return Ok(outcome);
        }
        // As with Kafka, a process looks at the topic from time to time.
        if self.services.topic.change().is_some() && self.services.core.happens(20) {
            self.services.topic.verify_unchanged(self.known_topic_id, self.known_partition_count)?;
        }
        let seen = self.wakeup.notification_count();
        if let Some(truncated) = self.take_truncated_partitions() {
            return Ok(PollOutcome::LogTruncated(truncated));
        }
        if let Some(outcome) = self.take_deleted_record() {
            return Ok(outcome);
        }
        if self.deliver_records(on_record)? {
            return Ok(PollOutcome::Records);
        }
        if !timeout.is_zero() {
            self.services.core.wait(&self.wakeup, seen, timeout);
        }
        Ok(self.take_rebalance().unwrap_or(PollOutcome::Idle))
    }

    fn resolve_start_offsets(
        &mut self,
        partitions: &[Partition],
        offsets: &PartitionOffsets,
    ) -> Result<StartOffsets, Halt> {
        let delay = self.services.core.duration_between_ms(1, 20);
        self.services.core.pause(delay);
        self.services.pass_failure_point(self.process.instance);
        self.services.topic.verify_unchanged(self.known_topic_id, self.known_partition_count)?;
        let mut starts = StartOffsets::default();
        for &partition in partitions {
            let (start, end_offset) =
                (offsets.get(&partition).copied().unwrap_or(0), self.services.topic.end_offset(partition));
            if start > end_offset {
                let held = HeldOffsets { first_offset: 0, end_offset };
                starts.truncated_partitions.insert(partition, held);
                continue;
            }
            let held_offsets = Some(HeldOffsets { first_offset: 0, end_offset });
            starts.start_by_partition.insert(partition, StartOffset { offset: start, held_offsets });
        }
        Ok(starts)
    }

    fn leave_group(&mut self) -> GroupDeparture {
        self.has_left_group = true;
        self.services.group.remove_member(self.member, "leaves until its store answers");
        GroupDeparture::Left
    }

    fn rejoin_group(&mut self) -> Result<(), Halt> {
        self.has_left_group = false;
        self.member = self.services.group.join_group(self.process, Arc::clone(&self.wakeup));
        Ok(())
    }

    fn note_start_positions(&mut self, positions: &BTreeMap<Partition, LogPosition>) {
        self.start_positions.extend(positions);
    }

    fn accept_assignment(&mut self, _: &[Partition]) -> Result<(), Halt> {
        self.unacknowledged_partitions = None;
        Ok(())
    }

    fn start_partitions(&mut self, partitions: &[Partition], start_offsets: &PartitionOffsets) -> Result<(), Halt> {
        for &partition in partitions {
            self.begin_at(partition, start_offsets.get(&partition).copied().unwrap_or(0));
        }
        Ok(())
    }

    fn confirm_ownership_by_commit(&mut self, offsets: &PartitionOffsets) -> Result<bool, Halt> {
        let delay = self.services.core.duration_between_ms(1, 50);
        self.services.core.pause(delay);
        let confirmed = self.services.faults.reaches_group(self.process.instance)
            && self.services.group.commit_offsets(self.member, offsets);
        self.services.core.record(|| format!("ownership of {offsets:?} confirmed: {confirmed}"));
        Ok(confirmed)
    }

    fn stop_partitions(&mut self, partitions: &[Partition]) -> Result<(), Halt> {
        self.positions.retain(|partition, _| !partitions.contains(partition));
        Ok(())
    }

    fn release_partitions(&mut self, partitions: &[Partition]) -> Result<(), Halt> {
        self.positions.retain(|partition, _| !partitions.contains(partition));
        // The process may have answered the revocation already.
        if self.unacknowledged_partitions.take_if(|unacknowledged| unacknowledged == partitions).is_some() {
            self.held_partitions.retain(|partition| !partitions.contains(partition));
            self.services.group.release_partitions(self.member, partitions);
        }
        Ok(())
    }

    fn commit_offsets(&mut self, offsets: &PartitionOffsets, wait: CommitWait) -> Result<(), Halt> {
        if wait != CommitWait::Background {
            let delay = self.services.core.duration_between_ms(1, 50);
            self.services.core.pause(delay);
        }
        self.services.verify_committed_offsets(offsets);
        if self.services.faults.reaches_group(self.process.instance) {
            self.services.group.commit_offsets(self.member, offsets);
        }
        Ok(())
    }
}

/// The history of the topic as one instance asks for it.
#[derive(Debug)]
pub(crate) struct SimulatedLogHistory {
    pub(crate) services: Arc<SimulatedServices>,
    pub(crate) instance: InstanceIndex,
}

impl LogHistory for SimulatedLogHistory {
    fn find_shared_offsets(
        &self,
        partition: Partition,
        position: LogPosition,
    ) -> Result<Option<HeldOffsets>, LogHistoryFault> {
        let core = &self.services.core;
        let delay = core.duration_between_ms(1, 20);
        core.pause(delay);
        self.services.pass_failure_point(self.instance);
        if core.happens(20) {
            return Err(LogHistoryFault::NoAnswer(share_error("the leader did not answer")));
        }
        let shared = self.services.topic.find_shared_offsets(partition, position);
        core.record(|| {
            format!("topic: of the records before {position:?} of partition {partition}, it has {shared:?}")
        });
        Ok(shared)
    }
}

impl Drop for SimulatedSource {
    /// Leaves the group, unless the process was killed.
    fn drop(&mut self) {
        if !thread::panicking() {
            self.services.group.remove_member(self.member, "leaves");
        }
    }
}
