//! The copies that a Redis makes of its keys: a replica, and the append-only file on its disk.
//!
//! A pipeline with `wait_replicas` or `wait_aof` waits for them. The replies to these waits are true: a copy confirms a
//! write exactly when it has the write.
//! Owns: what the copies have, and the waiting connections. Does not own: the keys of the master (`redis_server`).
//! Invariant: a copy gets all writes in their order. A copy that begins anew first copies all keys of the master.

use std::collections::VecDeque;
use std::time::Duration;

use crate::faults::ActiveFaults;
use crate::redis_keys::{RedisKey, StoredKeys, StoredValue};
use crate::redis_protocol::{ConnectionNumber, RedisReply};
use crate::simulation_core::SimulationCore;

/// What must have a row before it counts as acknowledged, beside the master.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RequiredCopies {
    None,
    /// `wait_replicas = 1`
    Replica,
    /// `wait_aof = true`
    Disk,
    /// `wait_replicas = 1` and `wait_aof = true`
    Both,
}

impl RequiredCopies {
    fn needs_replica(self) -> bool {
        matches!(self, Self::Replica | Self::Both)
    }

    fn needs_disk(self) -> bool {
        matches!(self, Self::Disk | Self::Both)
    }
}

/// The number of writes of the master up to one of them.
type WriteCount = u64;

/// The keys that one transaction has changed, with their new values.
pub(crate) type KeyChanges = Vec<(RedisKey, StoredValue)>;

#[derive(Debug)]
struct PendingWrite {
    write_count: WriteCount,
    changes: KeyChanges,
    arrives_at: Duration,
}

/// A copy of the master's keys.
#[derive(Debug, Default)]
struct KeyCopy {
    keys: StoredKeys,
    confirmed_count: WriteCount,
    pending_writes: VecDeque<PendingWrite>,
    /// The time at which the copy copies all keys; `None` once it has.
    begins_at: Option<Duration>,
}

impl KeyCopy {
    fn next_arrival(&self, stalled_until: Duration) -> Option<Duration> {
        let next = self.begins_at.or_else(|| self.pending_writes.front().map(|write| write.arrives_at));
        next.map(|at| at.max(stalled_until))
    }

    fn advance(&mut self, now: Duration, stalled_until: Duration, master_keys: &StoredKeys, write_count: WriteCount) {
        if now < stalled_until {
            return;
        }
        match self.begins_at {
            Some(begins_at) if begins_at > now => return,
            Some(_) => self.copy_all(master_keys, write_count),
            None => {}
        }
        while self.pending_writes.front().is_some_and(|write| write.arrives_at <= now)
            && let Some(write) = self.pending_writes.pop_front()
        {
            self.keys.extend(write.changes);
            self.confirmed_count = write.write_count;
        }
    }

    fn copy_all(&mut self, master_keys: &StoredKeys, write_count: WriteCount) {
        self.keys.clone_from(master_keys);
        self.confirmed_count = write_count;
        self.pending_writes.clear();
        self.begins_at = None;
    }

    fn append_write(&mut self, write_count: WriteCount, changes: KeyChanges, arrives_at: Duration) {
        let arrives_at = self.pending_writes.back().map_or(arrives_at, |newest| newest.arrives_at.max(arrives_at));
        self.pending_writes.push_back(PendingWrite { write_count, changes, arrives_at });
    }

    fn confirms(&self, write_count: WriteCount) -> bool {
        self.begins_at.is_none() && self.confirmed_count >= write_count
    }
}

/// The command that waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WaitCommand {
    /// `WAIT`
    Replicas { required: usize },
    /// `WAITAOF`
    Disks { own: usize, required_replicas: usize },
}

/// A connection that waits until copies have what it has written.
#[derive(Debug)]
struct PendingWait {
    connection: ConnectionNumber,
    command: WaitCommand,
    write_count: WriteCount,
    deadline: Duration,
}

/// A wait that has ended, and the reply to it.
pub(crate) struct EndedWait {
    pub(crate) connection: ConnectionNumber,
    pub(crate) reply: RedisReply,
    pub(crate) is_acknowledged: bool,
}

/// The copies of a Redis.
#[derive(Debug)]
pub(crate) struct RedisCopies {
    required: RequiredCopies,
    write_count: WriteCount,
    replica: KeyCopy,
    disk: KeyCopy,
    pending_waits: Vec<PendingWait>,
}

impl RedisCopies {
    pub(crate) fn new(required: RequiredCopies) -> Self {
        Self {
            required,
            write_count: 0,
            replica: KeyCopy::default(),
            disk: KeyCopy::default(),
            pending_waits: Vec::new(),
        }
    }

    /// Appends a write of the master, which the copies get later. Returns its number.
    pub(crate) fn append_write(&mut self, core: &SimulationCore, changes: KeyChanges) -> WriteCount {
        self.write_count += 1;
        let delay =
            if core.happens(50) { core.duration_between_ms(100, 3_000) } else { core.duration_between_ms(1, 8) };
        self.replica.append_write(self.write_count, changes.clone(), core.now() + delay);
        // The disk gets all writes at once, from time to time.
        let flushed_at = Duration::from_millis(300 * (1 + u64::try_from(core.now().as_millis()).unwrap_or(0) / 300));
        self.disk.append_write(self.write_count, changes, flushed_at);
        self.write_count
    }

    /// Gives the copies the writes that have arrived.
    pub(crate) fn advance(&mut self, core: &SimulationCore, faults: &ActiveFaults, master_keys: &StoredKeys) {
        let (now, stalled_until) = (core.now(), faults.copies_stalled_until());
        self.replica.advance(now, stalled_until, master_keys, self.write_count);
        self.disk.advance(now, stalled_until, master_keys, self.write_count);
    }

    /// Makes all copies equal to `keys`.
    pub(crate) fn copy_all(&mut self, keys: &StoredKeys) {
        self.replica.copy_all(keys, self.write_count);
        self.disk.copy_all(keys, self.write_count);
    }

    /// Returns the keys of the replica, which becomes the master. The former master becomes its replica after a while.
    /// Returns `None` if the replica has not copied all keys yet: then it cannot be promoted.
    pub(crate) fn promote_replica(&mut self, core: &SimulationCore) -> Option<StoredKeys> {
        if self.replica.begins_at.is_some() {
            return None;
        }
        let keys = self.replica.keys.clone();
        self.begin_anew_from(core, &keys);
        Some(keys)
    }

    /// Returns the keys on the disk, with which the master starts again. The replica then begins anew.
    pub(crate) fn restart_from_disk(&mut self, core: &SimulationCore) -> StoredKeys {
        let keys = self.disk.keys.clone();
        self.begin_anew_from(core, &keys);
        keys
    }

    fn begin_anew_from(&mut self, core: &SimulationCore, keys: &StoredKeys) {
        self.pending_waits.clear();
        self.disk.copy_all(keys, self.write_count);
        self.replica.begins_at = Some(core.now() + core.duration_between_ms(10, 4_000));
    }

    /// Begins a wait of `connection`, which has written up to `write_count`.
    pub(crate) fn begin_wait(
        &mut self,
        connection: ConnectionNumber,
        command: WaitCommand,
        write_count: WriteCount,
        deadline: Duration,
    ) {
        self.pending_waits.push(PendingWait { connection, command, write_count, deadline });
    }

    /// Removes and returns the waits that have ended at `now`.
    pub(crate) fn take_ended_waits(&mut self, now: Duration) -> Vec<EndedWait> {
        let mut ended = Vec::new();
        let waits = std::mem::take(&mut self.pending_waits);
        for wait in waits {
            let replica_count = usize::from(self.replica.confirms(wait.write_count));
            let disk_count = usize::from(self.disk.confirms(wait.write_count));
            let is_acknowledged = match wait.command {
                WaitCommand::Replicas { required } => replica_count >= required,
                WaitCommand::Disks { own, required_replicas } => {
                    disk_count >= own && replica_count >= required_replicas
                }
            };
            if !is_acknowledged && now < wait.deadline {
                self.pending_waits.push(wait);
                continue;
            }
            let reply = match wait.command {
                WaitCommand::Replicas { .. } => RedisReply::Integer(replica_count),
                WaitCommand::Disks { .. } => {
                    RedisReply::Array(vec![RedisReply::Integer(disk_count), RedisReply::Integer(replica_count)])
                }
            };
            ended.push(EndedWait { connection: wait.connection, reply, is_acknowledged });
        }
        ended
    }

    /// Removes all waits, and returns their connections.
    pub(crate) fn take_waiting_connections(&mut self) -> Vec<ConnectionNumber> {
        self.pending_waits.drain(..).map(|wait| wait.connection).collect()
    }

    /// Returns the time at which a wait may end; `None` if nothing waits.
    pub(crate) fn next_event_at(&self, faults: &ActiveFaults) -> Option<Duration> {
        let deadline = self.pending_waits.iter().map(|wait| wait.deadline).min()?;
        let stalled_until = faults.copies_stalled_until();
        let arrivals = [&self.replica, &self.disk].map(|copy| copy.next_arrival(stalled_until));
        arrivals.into_iter().flatten().chain([deadline]).min()
    }

    /// Returns the keys of the copies that must have every acknowledged row, with a name for each copy.
    pub(crate) fn acknowledged_keys(&self) -> Vec<(&'static str, &StoredKeys)> {
        let mut copies = Vec::new();
        // A replica that begins anew has confirmed nothing.
        if self.required.needs_replica() && self.replica.begins_at.is_none() {
            copies.push(("the replica", &self.replica.keys));
        }
        if self.required.needs_disk() {
            copies.push(("the disk", &self.disk.keys));
        }
        copies
    }
}
