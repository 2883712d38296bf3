//! Records from a script: which events are handed over, where a checkpoint is waited for, where everything ends.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use windrow_engine::{Halt, Offset, Partition, PartitionOffsets, PollOutcome, Source, SourceRecord};

/// The only partition.
pub(crate) const PARTITION: Partition = 0;
/// What a killed worker halts with.
pub(crate) const KILLED: &str = "killed";

/// What happens when reading gets to an offset.
#[derive(Clone)]
pub(crate) enum ScriptAction {
    /// Goes on once a checkpoint at this offset is complete.
    AwaitCheckpoint,
    /// Goes on once any checkpoint is complete.
    AwaitAnyCheckpoint,
    /// Goes on once the worker has gone back.
    AwaitSeek,
    /// The process dies.
    Kill,
    /// The group gives the partition to somebody else, and says so; the worker's run ends when it has let go.
    Revoke,
    /// The process sleeps while somebody else, here, takes the partition over; then it wakes up and goes on.
    Run(Arc<dyn Fn() + Send + Sync>),
}

/// A partition's records.
pub(crate) struct ScriptedSource {
    pub(crate) events: Arc<Vec<String>>,
    /// What happens at which offset, in order.
    pub(crate) actions: Vec<(Offset, ScriptAction)>,
    position: Option<Offset>,
    committed: Option<Offset>,
    announced: bool,
    has_sought: bool,
    /// Since when a checkpoint is waited for.
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
            position: None,
            committed: None,
            announced: false,
            has_sought: false,
            waiting_since: None,
            ending: ScriptEnd::NotYet,
        }
    }

    fn idle() -> Result<PollOutcome, Halt> {
        thread::sleep(Duration::from_millis(1));
        Ok(PollOutcome::Idle)
    }
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
        let Some(position) = self.position else { return Self::idle() };
        // What lies behind is done with, also where the worker began later.
        self.actions.retain(|(at, _)| *at >= position);
        if let Some((at, then)) = self.actions.first().cloned()
            && at == position
        {
            match then {
                ScriptAction::AwaitCheckpoint if self.committed < Some(position) => {
                    let waiting = *self.waiting_since.get_or_insert_with(Instant::now);
                    assert!(waiting.elapsed() < Duration::from_secs(20), "no checkpoint at {position}");
                    return Self::idle();
                }
                ScriptAction::AwaitSeek if !self.has_sought => return Self::idle(),
                ScriptAction::AwaitAnyCheckpoint if self.committed.is_none() => return Self::idle(),
                ScriptAction::AwaitCheckpoint | ScriptAction::AwaitAnyCheckpoint | ScriptAction::AwaitSeek => {
                    self.waiting_since = None
                }
                ScriptAction::Kill => return Err(Halt::Input(KILLED.to_owned())),
                ScriptAction::Revoke => {
                    self.ending = ScriptEnd::Revoked;
                    return Ok(PollOutcome::Revoked { partitions: vec![PARTITION], lost: false });
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

    fn resolve_start_offsets(
        &mut self,
        _: &[Partition],
        positions: &PartitionOffsets,
    ) -> Result<PartitionOffsets, Halt> {
        Ok(PartitionOffsets::from([(PARTITION, positions.get(&PARTITION).copied().unwrap_or(0))]))
    }

    fn start_partitions(&mut self, partitions: &[Partition], starts: &PartitionOffsets) -> Result<(), Halt> {
        assert_eq!(partitions, [PARTITION]);
        self.position = starts.get(&PARTITION).copied();
        Ok(())
    }

    fn seek_partitions(&mut self, positions: &PartitionOffsets) -> Result<(), Halt> {
        self.position = positions.get(&PARTITION).copied();
        self.has_sought = true;
        Ok(())
    }

    fn confirm_ownership(&mut self, _: &PartitionOffsets) -> Result<bool, Halt> {
        Ok(true)
    }

    fn release_partitions(&mut self, _: &[Partition]) -> Result<(), Halt> {
        self.ending = ScriptEnd::Over;
        Ok(())
    }

    fn commit_offsets(&mut self, positions: &PartitionOffsets, _: bool) -> Result<(), Halt> {
        self.committed = positions.get(&PARTITION).copied().max(self.committed);
        Ok(())
    }
}
