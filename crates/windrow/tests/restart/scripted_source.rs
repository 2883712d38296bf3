//! A source that follows a script: it waits for checkpoints, kills or revokes at chosen offsets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use windrow_engine::halt::InputFault;
use windrow_engine::{
    CommitWait, Halt, HeldOffsets, Offset, Partition, PartitionOffsets, PollOutcome, Source, SourceRecord, StartOffset,
    StartOffsets,
};
use windrow_test_support::HANG_TIMEOUT;

/// The source has only this partition.
pub(crate) const PARTITION: Partition = 0;
/// The reason with which a killed worker halts.
pub(crate) const KILLED: &str = "killed";

/// What happens when the worker reaches an offset.
#[derive(Clone)]
pub(crate) enum ScriptAction {
    /// Waits for a complete checkpoint at this offset.
    AwaitCheckpoint,
    /// Waits for any complete checkpoint.
    AwaitAnyCheckpoint,
    /// Waits until the worker starts the partition a second time.
    AwaitSecondStart,
    /// Ends the worker as a crash does.
    Kill,
    /// Revokes the partition. The run ends when the worker has released it.
    Revoke,
    /// Runs this function while the worker is paused, for example another worker that claims the partition.
    Run(Arc<dyn Fn() + Send + Sync>),
}

/// Hands over a partition's records as the script demands.
pub(crate) struct ScriptedSource {
    pub(crate) events: Arc<Vec<String>>,
    /// Actions by offset, in order.
    pub(crate) actions: Vec<(Offset, ScriptAction)>,
    /// The log that takes the place of `events` at the next poll. It ends before the worker's position.
    pub(crate) shorter_log: Arc<Mutex<Option<Arc<Vec<String>>>>>,
    /// The log that takes the place of `shorter_log` once the worker knows of the loss: other records were added.
    pub(crate) grown_log: Option<Arc<Vec<String>>>,
    position: Option<Offset>,
    committed: Option<Offset>,
    announced: bool,
    start_count: u32,
    /// Start of the wait for a checkpoint.
    waiting_since: Option<Instant>,
    ending: ScriptEnd,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ScriptEnd {
    NotYet,
    Revoked,
    Finished,
    Over,
}

impl ScriptedSource {
    pub(crate) fn new(events: &Arc<Vec<String>>, actions: Vec<(Offset, ScriptAction)>) -> Self {
        Self {
            events: Arc::clone(events),
            actions,
            shorter_log: Arc::default(),
            grown_log: None,
            position: None,
            committed: None,
            announced: false,
            start_count: 0,
            waiting_since: None,
            ending: ScriptEnd::NotYet,
        }
    }

    fn idle() -> Result<PollOutcome, Halt> {
        thread::sleep(Duration::from_millis(1));
        Ok(PollOutcome::Idle)
    }
}

fn held_offsets(log: &[String]) -> HeldOffsets {
    HeldOffsets { first_offset: 0, end_offset: Offset::try_from(log.len()).expect("small") }
}

impl Source for ScriptedSource {
    fn poll(
        &mut self,
        _: Duration,
        each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<PollOutcome, Halt> {
        if !self.announced {
            self.announced = true;
            return Ok(PollOutcome::Assigned(vec![PARTITION]));
        }
        match self.ending {
            ScriptEnd::Finished => {
                self.ending = ScriptEnd::Over;
                return Ok(PollOutcome::InputExhausted);
            }
            ScriptEnd::Over => return Ok(PollOutcome::InputExhausted),
            ScriptEnd::Revoked => return Self::idle(),
            ScriptEnd::NotYet => {}
        }
        if let Some(shorter) = self.shorter_log.lock().take() {
            let held = held_offsets(&shorter);
            self.events = self.grown_log.take().unwrap_or(shorter);
            self.position = None;
            return Ok(PollOutcome::LogTruncated(BTreeMap::from([(PARTITION, held)])));
        }
        let Some(position) = self.position else { return Self::idle() };
        // Drop actions before the position, also when the worker started after them.
        self.actions.retain(|(at, _)| *at >= position);
        if let Some((at, then)) = self.actions.first().cloned()
            && at == position
        {
            match then {
                ScriptAction::AwaitCheckpoint if self.committed < Some(position) => {
                    let waiting = *self.waiting_since.get_or_insert_with(Instant::now);
                    assert!(waiting.elapsed() < HANG_TIMEOUT, "no checkpoint at {position}");
                    return Self::idle();
                }
                ScriptAction::AwaitSecondStart if self.start_count < 2 => return Self::idle(),
                ScriptAction::AwaitAnyCheckpoint if self.committed.is_none() => return Self::idle(),
                ScriptAction::AwaitCheckpoint | ScriptAction::AwaitAnyCheckpoint | ScriptAction::AwaitSecondStart => {
                    self.waiting_since = None;
                }
                ScriptAction::Kill => return Err(InputFault::NotSeekable { input: KILLED.to_owned() }.into()),
                ScriptAction::Revoke => {
                    self.ending = ScriptEnd::Revoked;
                    return Ok(PollOutcome::Revoked(vec![PARTITION]));
                }
                ScriptAction::Run(meanwhile) => meanwhile(),
            }
            self.actions.remove(0);
            return Ok(PollOutcome::Records);
        }
        let end = Offset::try_from(self.events.len()).expect("small");
        let until = self.actions.first().map_or(end, |(at, _)| (*at).min(end)).min(position + 512);
        for offset in position..until {
            let payload = Some(self.events[usize::try_from(offset).expect("small")].as_bytes());
            each(SourceRecord {
                partition: PARTITION,
                offset,
                key: None,
                payload,
                timestamp_ms: None,
                leader_epoch: None,
                unreadable_reason: None,
            })?;
        }
        self.position = Some(until);
        if position < end {
            return Ok(PollOutcome::Records);
        }
        self.ending = ScriptEnd::Finished;
        Ok(PollOutcome::PartitionFinished(PARTITION))
    }

    fn resolve_start_offsets(&mut self, _: &[Partition], positions: &PartitionOffsets) -> Result<StartOffsets, Halt> {
        let held = held_offsets(&self.events);
        let offset = positions.get(&PARTITION).copied().unwrap_or(0);
        if !held.contains_offset(offset) {
            let truncated_partitions = BTreeMap::from([(PARTITION, held)]);
            return Ok(StartOffsets { truncated_partitions, ..StartOffsets::default() });
        }
        Ok(StartOffsets::from_iter([(PARTITION, StartOffset { offset, held_offsets: Some(held) })]))
    }

    fn accept_assignment(&mut self, _: &[Partition]) -> Result<(), Halt> {
        Ok(())
    }

    fn start_partitions(&mut self, partitions: &[Partition], starts: &PartitionOffsets) -> Result<(), Halt> {
        assert_eq!(partitions, [PARTITION]);
        self.start_count += 1;
        self.position = starts.get(&PARTITION).copied();
        Ok(())
    }

    fn confirm_ownership_by_commit(&mut self, _: &PartitionOffsets) -> Result<bool, Halt> {
        Ok(true)
    }

    fn stop_partitions(&mut self, _: &[Partition]) -> Result<(), Halt> {
        self.position = None;
        Ok(())
    }

    fn release_partitions(&mut self, _: &[Partition]) -> Result<(), Halt> {
        self.ending = ScriptEnd::Over;
        Ok(())
    }

    fn commit_offsets(&mut self, positions: &PartitionOffsets, _: CommitWait) -> Result<(), Halt> {
        self.committed = positions.get(&PARTITION).copied().max(self.committed);
        Ok(())
    }
}
