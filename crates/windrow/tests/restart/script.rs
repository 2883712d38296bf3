//! Records from a script: which events are handed over, where a checkpoint is waited for, where everything ends.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use windrow_engine::{Halt, Offset, Partition, Polled, Positions, Record, Source};

/// The only partition.
pub(crate) const PARTITION: Partition = 0;
/// What a killed worker halts with.
pub(crate) const KILLED: &str = "killed";

/// What happens when reading gets to an offset.
#[derive(Clone)]
pub(crate) enum Then {
    /// Goes on once a checkpoint at this offset is complete.
    AwaitCheckpoint,
    /// Goes on once any checkpoint is complete.
    AwaitAny,
    /// Goes on once the worker has gone back.
    AwaitSeek,
    /// The process dies.
    Kill,
    /// The group gives the partition to somebody else, and says so; the worker's run ends when it has let go.
    Revoke,
    /// The process sleeps while somebody else, here, takes the partition over; then it wakes up and goes on.
    Sleep(Arc<dyn Fn() + Send + Sync>),
}

/// A partition's records.
pub(crate) struct Script {
    pub(crate) events: Arc<Vec<String>>,
    /// What happens at which offset, in order.
    pub(crate) then: Vec<(Offset, Then)>,
    position: Option<Offset>,
    committed: Option<Offset>,
    announced: bool,
    sought: bool,
    /// Since when a checkpoint is waited for.
    waiting: Option<Instant>,
    ending: Ending,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    NotYet,
    Revoked,
    Finished,
    Over,
}

impl Script {
    pub(crate) fn new(events: &Arc<Vec<String>>, then: Vec<(Offset, Then)>) -> Self {
        Self {
            events: Arc::clone(events),
            then,
            position: None,
            committed: None,
            announced: false,
            sought: false,
            waiting: None,
            ending: Ending::NotYet,
        }
    }

    fn idle() -> Result<Polled, Halt> {
        thread::sleep(Duration::from_millis(1));
        Ok(Polled::Idle)
    }
}

impl Source for Script {
    fn poll(&mut self, _: Duration, each: &mut dyn FnMut(Record<'_>) -> Result<(), Halt>) -> Result<Polled, Halt> {
        if !self.announced {
            self.announced = true;
            return Ok(Polled::Assigned(vec![PARTITION]));
        }
        match self.ending {
            Ending::Finished => {
                self.ending = Ending::Over;
                return Ok(Polled::Exhausted);
            }
            Ending::Over => return Ok(Polled::Exhausted),
            Ending::Revoked => return Self::idle(),
            Ending::NotYet => {}
        }
        let Some(position) = self.position else { return Self::idle() };
        // What lies behind is done with, also where the worker began later.
        self.then.retain(|(at, _)| *at >= position);
        if let Some((at, then)) = self.then.first().cloned()
            && at == position
        {
            match then {
                Then::AwaitCheckpoint if self.committed < Some(position) => {
                    let waiting = *self.waiting.get_or_insert_with(Instant::now);
                    assert!(waiting.elapsed() < Duration::from_secs(20), "no checkpoint at {position}");
                    return Self::idle();
                }
                Then::AwaitSeek if !self.sought => return Self::idle(),
                Then::AwaitAny if self.committed.is_none() => return Self::idle(),
                Then::AwaitCheckpoint | Then::AwaitAny | Then::AwaitSeek => self.waiting = None,
                Then::Kill => return Err(Halt::Input(KILLED.to_owned())),
                Then::Revoke => {
                    self.ending = Ending::Revoked;
                    return Ok(Polled::Revoked { partitions: vec![PARTITION], lost: false });
                }
                Then::Sleep(meanwhile) => meanwhile(),
            }
            self.then.remove(0);
            return Ok(Polled::Records);
        }
        let end = Offset::try_from(self.events.len()).expect("small");
        let until = self.then.first().map_or(end, |(at, _)| (*at).min(end)).min(position + 512);
        for offset in position..until {
            let payload = Some(self.events[usize::try_from(offset).expect("small")].as_bytes());
            each(Record { partition: PARTITION, offset, key: None, payload, timestamp_ms: None, unreadable: None })?;
        }
        self.position = Some(until);
        if position < end {
            return Ok(Polled::Records);
        }
        self.ending = Ending::Finished;
        Ok(Polled::Finished(PARTITION))
    }

    fn starts(&mut self, _: &[Partition], positions: &Positions) -> Result<Positions, Halt> {
        Ok(Positions::from([(PARTITION, positions.get(&PARTITION).copied().unwrap_or(0))]))
    }

    fn begin(&mut self, partitions: &[Partition], starts: &Positions) -> Result<(), Halt> {
        assert_eq!(partitions, [PARTITION]);
        self.position = starts.get(&PARTITION).copied();
        Ok(())
    }

    fn seek(&mut self, positions: &Positions) -> Result<(), Halt> {
        self.position = positions.get(&PARTITION).copied();
        self.sought = true;
        Ok(())
    }

    fn confirm(&mut self, _: &Positions) -> Result<bool, Halt> {
        Ok(true)
    }

    fn release(&mut self, _: &[Partition]) -> Result<(), Halt> {
        self.ending = Ending::Over;
        Ok(())
    }

    fn commit(&mut self, positions: &Positions, _: bool) -> Result<(), Halt> {
        self.committed = positions.get(&PARTITION).copied().max(self.committed);
        Ok(())
    }
}
