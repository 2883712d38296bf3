//! A Redis inside the simulation: connections, transactions with `WATCH`, and a replica that lags behind the master.
//!
//! The real writer talks to it in its wire format. It knows exactly the commands that the writer sends.
//!
//! Owns: keys, connections, and a replica that no one waits for. The copies that a pipeline requires are in
//! `redis_copies`. Does not own: when faults happen (`faults`), and which rows are right
//! (`oracle`).
//! Invariants: (1) The commands of a connection are executed in the order in which they were sent, also after its client
//! has gone, until the connection is killed. (2) A failover replaces all keys by those of the replica, and ends all
//! connections.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use windrow_engine::Wakeup;

use crate::faults::ActiveFaults;
use crate::oracle::RowOracle;
use crate::redis_copies::{KeyChanges, RedisCopies, RequiredCopies, WaitCommand};
use crate::redis_keys::{RedisKey, StoredHash, StoredKeys, StoredValue};
use crate::redis_protocol::{CommandArguments, ConnectionNumber, RedisReply, parse_commands};
use crate::simulation_core::{InstanceIndex, SimulationCore};

/// The most transactions that the replica can lag behind.
const MAX_LAG_TRANSACTIONS: usize = 60;

const OKAY: RedisReply = RedisReply::Simple("OK");

#[derive(Debug)]
struct ServerConnection {
    instance: InstanceIndex,
    /// For each watched key, its number of changes at the time of `WATCH`.
    watched_keys: BTreeMap<RedisKey, u64>,
    /// The commands of the open transaction.
    open_transaction: Option<Vec<CommandArguments>>,
    /// Whether a command of the open transaction was refused.
    has_refused_command: bool,
    /// The number of writes of the master up to the last one of this connection; 0 if it has written nothing.
    write_count: u64,
    /// The encoded replies that the client has not read.
    replies: VecDeque<u8>,
    is_closed: bool,
    wakeup: Arc<Wakeup>,
    /// The time at which the newest sent commands arrive.
    last_arrival: Duration,
}

#[derive(Debug)]
struct CommandsInFlight {
    arrival: Duration,
    sequence: u64,
    connection: ConnectionNumber,
    bytes: Vec<u8>,
    /// The connection breaks after these commands, before their replies arrive.
    breaks_afterwards: bool,
}

#[derive(Debug, Default)]
struct ServerState {
    master_keys: StoredKeys,
    change_counts: BTreeMap<RedisKey, u64>,
    /// The keys of the replica, without the transactions in `unreplicated`.
    replica_keys: StoredKeys,
    unreplicated: VecDeque<KeyChanges>,
    /// The copies for which the pipeline waits. They replace `replica_keys` and `unreplicated`. `None` if it waits for none.
    copies: Option<RedisCopies>,
    connections: BTreeMap<ConnectionNumber, ServerConnection>,
    next_connection: ConnectionNumber,
    in_flight: Vec<CommandsInFlight>,
    next_sequence: u64,
}

/// What a server needs beside its own data.
#[derive(Clone, Copy)]
pub(crate) struct ServerSurroundings<'a> {
    pub(crate) core: &'a SimulationCore,
    pub(crate) faults: &'a ActiveFaults,
    pub(crate) oracle: &'a Mutex<RowOracle>,
}

/// Commands that a client sends.
pub(crate) struct SentCommands<'a> {
    pub(crate) bytes: &'a [u8],
    /// The earliest time at which they arrive.
    pub(crate) arrival: Duration,
    /// The connection breaks after the commands, before their replies arrive.
    pub(crate) breaks_afterwards: bool,
}

/// The server.
#[derive(Debug)]
pub(crate) struct SimulatedRedisServer {
    state: Mutex<ServerState>,
}

impl SimulatedRedisServer {
    pub(crate) fn new(required_copies: RequiredCopies) -> Self {
        let copies = (required_copies != RequiredCopies::None).then(|| RedisCopies::new(required_copies));
        Self { state: Mutex::new(ServerState { copies, ..ServerState::default() }) }
    }

    /// Returns the time at which the next commands arrive or a wait may end.
    pub(crate) fn next_event_at(&self, faults: &ActiveFaults) -> Option<Duration> {
        let state = self.state.lock();
        let next_wait = state.copies.as_ref().and_then(|copies| copies.next_event_at(faults));
        state.in_flight.iter().map(|sent| sent.arrival).chain(next_wait).min()
    }

    /// Executes the commands that have arrived, and ends waits.
    pub(crate) fn execute_arrived_commands(&self, surroundings: &ServerSurroundings<'_>) {
        let now = surroundings.core.now();
        let mut state = self.state.lock();
        loop {
            let due = state.in_flight.iter().enumerate().filter(|(_, sent)| sent.arrival <= now);
            let Some((index, _)) = due.min_by_key(|(_, sent)| (sent.arrival, sent.sequence)) else {
                return state.end_waits(surroundings);
            };
            let sent = state.in_flight.remove(index);
            if state.connections.get(&sent.connection).is_none_or(|connection| connection.is_closed) {
                surroundings.core.record(|| format!("redis: commands of ended connection {} dropped", sent.connection));
                continue;
            }
            for command in parse_commands(&sent.bytes) {
                state.execute_command(surroundings, sent.connection, command);
            }
            if let Some(connection) = state.connections.get_mut(&sent.connection) {
                if sent.breaks_afterwards {
                    connection.is_closed = true;
                    connection.replies.clear();
                }
                connection.wakeup.notify();
            }
        }
    }

    /// Makes the replica the master. The replica lacks up to `lag` of the newest transactions.
    pub(crate) fn fail_over(&self, surroundings: &ServerSurroundings<'_>, lag: usize) {
        let mut state = self.state.lock();
        state.advance_copies(surroundings);
        if let Some(copies) = &mut state.copies {
            match copies.promote_replica(surroundings.core) {
                Some(keys) => state.replace_master_keys(surroundings, keys, "failover"),
                None => surroundings.core.record(|| "redis: no replica can be promoted".to_owned()),
            }
            return;
        }
        let replicated = state.unreplicated.len().saturating_sub(lag);
        for changes in state.unreplicated.drain(..replicated).collect::<Vec<_>>() {
            state.replica_keys.extend(changes);
        }
        let lost = state.unreplicated.len();
        state.unreplicated.clear();
        let keys = state.replica_keys.clone();
        state.replace_master_keys(surroundings, keys, &format!("failover, the replica lacks {lost} transactions"));
    }

    /// Starts the server again with the keys that are on its disk. A server without a disk fails over instead.
    pub(crate) fn restart(&self, surroundings: &ServerSurroundings<'_>) {
        let mut state = self.state.lock();
        state.advance_copies(surroundings);
        if let Some(copies) = &mut state.copies {
            let keys = copies.restart_from_disk(surroundings.core);
            state.replace_master_keys(surroundings, keys, "restart");
        }
    }

    /// Ends all waits and their connections, as a master does that becomes a replica.
    pub(crate) fn unblock_waits(&self) {
        let mut state = self.state.lock();
        let waiting = state.copies.as_mut().map(RedisCopies::take_waiting_connections).unwrap_or_default();
        for number in waiting {
            if let Some(connection) = state.connections.get_mut(&number) {
                RedisReply::Error("UNBLOCKED force unblock from blocking operation, instance state changed")
                    .append_to(&mut connection.replies);
                connection.is_closed = true;
                connection.wakeup.notify();
            }
        }
    }

    /// Becomes a server without keys, to which no one is connected.
    pub(crate) fn begin_anew(&self, required_copies: RequiredCopies) {
        let mut state = self.state.lock();
        let copies = (required_copies != RequiredCopies::None).then(|| RedisCopies::new(required_copies));
        let next_connection = state.next_connection;
        *state = ServerState { copies, next_connection, ..ServerState::default() };
    }

    /// Loses all keys, as a Redis that starts again without a file.
    pub(crate) fn lose_all_keys(&self, surroundings: &ServerSurroundings<'_>) {
        {
            let mut state = self.state.lock();
            state.replica_keys.clear();
            state.unreplicated.clear();
        }
        self.fail_over(surroundings, 0);
    }

    /// Stores a text at `key`, also in the replica.
    pub(crate) fn store_text(&self, key: RedisKey) {
        let mut state = self.state.lock();
        let text = StoredValue::Text(b"not a row".to_vec());
        for changes in std::mem::take(&mut state.unreplicated) {
            state.replica_keys.extend(changes);
        }
        state.replica_keys.insert(key.clone(), text.clone());
        state.master_keys.insert(key, text);
        let ServerState { copies, master_keys, .. } = &mut *state;
        copies.iter_mut().for_each(|copies| copies.copy_all(master_keys));
    }

    /// Ends the connections of all instances.
    pub(crate) fn close_connections(&self) {
        for connection in self.state.lock().connections.values_mut() {
            connection.is_closed = true;
            connection.replies.clear();
            connection.wakeup.notify();
        }
    }

    /// Opens a connection of `instance`. `wakeup` is notified when replies arrive or the connection ends.
    pub(crate) fn open_connection(&self, instance: InstanceIndex, wakeup: Arc<Wakeup>) -> ConnectionNumber {
        let mut state = self.state.lock();
        state.next_connection += 1;
        let number = state.next_connection;
        let connection = ServerConnection {
            instance,
            watched_keys: BTreeMap::new(),
            open_transaction: None,
            has_refused_command: false,
            write_count: 0,
            replies: VecDeque::new(),
            is_closed: false,
            wakeup,
            last_arrival: Duration::ZERO,
        };
        state.connections.insert(number, connection);
        number
    }

    /// Sends commands over an open connection. They arrive after those that were sent before.
    pub(crate) fn send_commands(&self, number: ConnectionNumber, sent: &SentCommands<'_>) -> io::Result<()> {
        let mut state = self.state.lock();
        let sequence = state.next_sequence;
        state.next_sequence += 1;
        let connection = state.connections.get_mut(&number).filter(|connection| !connection.is_closed);
        let connection = connection.ok_or(io::ErrorKind::BrokenPipe)?;
        let arrival = connection.last_arrival.max(sent.arrival);
        connection.last_arrival = arrival;
        let (bytes, breaks_afterwards) = (sent.bytes.to_vec(), sent.breaks_afterwards);
        state.in_flight.push(CommandsInFlight { arrival, sequence, connection: number, bytes, breaks_afterwards });
        Ok(())
    }

    /// Copies received bytes of replies into `buffer`. Returns their number; 0 if none has arrived.
    pub(crate) fn read_replies(&self, number: ConnectionNumber, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.lock();
        let connection = state.connections.get_mut(&number).ok_or(io::ErrorKind::ConnectionReset)?;
        if connection.replies.is_empty() && connection.is_closed {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        connection.replies.read(buffer)
    }

    /// Ends a connection at once.
    pub(crate) fn close_connection(&self, number: ConnectionNumber) {
        if let Some(connection) = self.state.lock().connections.get_mut(&number) {
            connection.is_closed = true;
        }
    }

    /// Calls `examine` with all keys of the master.
    pub(crate) fn examine_keys<T>(&self, examine: impl FnOnce(&StoredKeys) -> T) -> T {
        examine(&self.state.lock().master_keys)
    }

    /// Calls `examine` with the keys of the master, and with those of each copy that must have all acknowledged rows.
    pub(crate) fn examine_acknowledged_keys(
        &self,
        surroundings: &ServerSurroundings<'_>,
        mut examine: impl FnMut(&'static str, &StoredKeys),
    ) {
        let mut state = self.state.lock();
        state.advance_copies(surroundings);
        examine("Redis", &state.master_keys);
        let copies = state.copies.iter().flat_map(RedisCopies::acknowledged_keys);
        copies.for_each(|(holder, keys)| examine(holder, keys));
    }
}

impl ServerState {
    /// Replaces all keys, as after a failover, and ends all connections. `event` is for the trace.
    fn replace_master_keys(&mut self, surroundings: &ServerSurroundings<'_>, keys: StoredKeys, event: &str) {
        let before = std::mem::replace(&mut self.master_keys, keys);
        for key in before.keys() {
            *self.change_counts.entry(key.clone()).or_default() += 1;
        }
        for connection in self.connections.values_mut() {
            connection.is_closed = true;
            connection.replies.clear();
            connection.wakeup.notify();
        }
        self.in_flight.clear();
        surroundings.core.record(|| format!("redis: {event}"));
        surroundings.oracle.lock().observe_failover(surroundings.core, &before, &self.master_keys);
    }

    fn advance_copies(&mut self, surroundings: &ServerSurroundings<'_>) {
        let Self { copies, master_keys, .. } = self;
        copies.iter_mut().for_each(|copies| copies.advance(surroundings.core, surroundings.faults, master_keys));
    }

    /// Replies to the waits that have ended.
    fn end_waits(&mut self, surroundings: &ServerSurroundings<'_>) {
        self.advance_copies(surroundings);
        let ended = self.copies.as_mut().map(|copies| copies.take_ended_waits(surroundings.core.now()));
        for wait in ended.unwrap_or_default() {
            let mut oracle = surroundings.oracle.lock();
            let count = if wait.is_acknowledged {
                &mut oracle.counts.acknowledged_waits
            } else {
                &mut oracle.counts.failed_waits
            };
            *count += 1;
            surroundings
                .core
                .record(|| format!("redis: the wait of connection {} ends: {:?}", wait.connection, wait.reply));
            if let Some(connection) = self.connections.get_mut(&wait.connection) {
                wait.reply.append_to(&mut connection.replies);
                connection.wakeup.notify();
            }
        }
    }

    /// Begins a wait, whose reply follows later. Returns a reply at once only for a command that is not possible.
    fn begin_wait(
        &mut self,
        surroundings: &ServerSurroundings<'_>,
        number: ConnectionNumber,
        command: &CommandArguments,
    ) -> Option<RedisReply> {
        let argument = |index: usize| {
            let text = command.arguments().get(index).map(|text| String::from_utf8_lossy(text).into_owned());
            text.and_then(|text| text.parse::<usize>().ok()).unwrap_or(0)
        };
        let (waiting, timeout_ms) = match command.name() {
            b"WAIT" => (WaitCommand::Replicas { required: argument(0) }, argument(1)),
            _ => (WaitCommand::Disks { own: argument(0), required_replicas: argument(1) }, argument(2)),
        };
        if surroundings.faults.redis_refuses_writes() {
            return Some(RedisReply::Error("ERR WAIT cannot be used with replica instances."));
        }
        let write_count = self.connections.get(&number)?.write_count;
        let Some(copies) = &mut self.copies else { return Some(unknown_command()) };
        let deadline = surroundings.core.now() + Duration::from_millis(timeout_ms as u64);
        copies.begin_wait(number, waiting, write_count, deadline);
        None
    }

    fn execute_command(
        &mut self,
        surroundings: &ServerSurroundings<'_>,
        number: ConnectionNumber,
        command: CommandArguments,
    ) {
        let name = String::from_utf8_lossy(command.name()).into_owned();
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if surroundings.faults.redis_refuses_commands() {
            RedisReply::Error("LOADING Redis is loading the dataset in memory").append_to(&mut connection.replies);
            connection.open_transaction = None;
            return;
        }
        let ends_transaction = matches!(name.as_str(), "EXEC" | "DISCARD" | "MULTI");
        let is_write = matches!(name.as_str(), "SET" | "HSET" | "HDEL" | "PEXPIRE");
        if is_write && surroundings.faults.redis_refuses_writes() {
            connection.has_refused_command = true;
            RedisReply::Error("READONLY You can't write against a read only replica.")
                .append_to(&mut connection.replies);
            return;
        }
        if !ends_transaction && let Some(transaction) = &mut connection.open_transaction {
            transaction.push(command);
            RedisReply::Simple("QUEUED").append_to(&mut connection.replies);
            return;
        }
        let reply = match name.as_str() {
            "MULTI" => {
                connection.open_transaction = Some(Vec::new());
                connection.has_refused_command = false;
                OKAY
            }
            "DISCARD" => {
                connection.open_transaction = None;
                connection.watched_keys.clear();
                OKAY
            }
            "WATCH" => {
                for key in command.arguments() {
                    let changes = self.change_counts.get(key).copied().unwrap_or_default();
                    connection.watched_keys.insert(key.clone(), changes);
                }
                OKAY
            }
            "EXEC" => self.execute_transaction(surroundings, number),
            "WAIT" | "WAITAOF" => match self.begin_wait(surroundings, number, &command) {
                Some(reply) => reply,
                None => return,
            },
            "CLIENT" => self.execute_client_command(surroundings, number, &command),
            _ => self.execute_plain_command(surroundings, &command, &mut Vec::new()),
        };
        if let Some(connection) = self.connections.get_mut(&number) {
            reply.append_to(&mut connection.replies);
        }
    }

    fn execute_transaction(&mut self, surroundings: &ServerSurroundings<'_>, number: ConnectionNumber) -> RedisReply {
        let Some(connection) = self.connections.get_mut(&number) else { return RedisReply::Nil };
        let commands = connection.open_transaction.take().unwrap_or_default();
        let watched = std::mem::take(&mut connection.watched_keys);
        let instance = connection.instance;
        if std::mem::take(&mut connection.has_refused_command) {
            return RedisReply::Error("EXECABORT Transaction discarded because of previous errors.");
        }
        let changed =
            watched.iter().any(|(key, seen)| self.change_counts.get(key).copied().unwrap_or_default() != *seen);
        if changed {
            surroundings
                .core
                .record(|| format!("redis: transaction of instance {instance} refused, a watched key changed"));
            return RedisReply::Nil;
        }
        let mut changed_keys = Vec::new();
        let replies = commands
            .iter()
            .map(|command| self.execute_plain_command(surroundings, command, &mut changed_keys))
            .collect();
        changed_keys.sort_unstable();
        changed_keys.dedup();
        for key in &changed_keys {
            *self.change_counts.entry(key.clone()).or_default() += 1;
        }
        surroundings.oracle.lock().observe_transaction(
            surroundings.core,
            instance,
            &changed_keys,
            &mut self.master_keys,
        );
        let changes = changed_keys.into_iter().filter_map(|key| {
            let value = self.master_keys.get(&key)?.clone();
            Some((key, value))
        });
        let changes: KeyChanges = changes.collect();
        if let Some(copies) = &mut self.copies {
            if !changes.is_empty()
                && let Some(connection) = self.connections.get_mut(&number)
            {
                connection.write_count = copies.append_write(surroundings.core, changes);
            }
            return RedisReply::Array(replies);
        }
        self.unreplicated.push_back(changes);
        if self.unreplicated.len() > MAX_LAG_TRANSACTIONS
            && let Some(oldest) = self.unreplicated.pop_front()
        {
            self.replica_keys.extend(oldest);
        }
        RedisReply::Array(replies)
    }

    fn execute_client_command(
        &mut self,
        surroundings: &ServerSurroundings<'_>,
        number: ConnectionNumber,
        command: &CommandArguments,
    ) -> RedisReply {
        let argument = |index: usize| command.arguments().get(index).map(Vec::as_slice).unwrap_or_default();
        match argument(0) {
            b"INFO" => RedisReply::Bulk(format!("id={number} addr=simulated:{number} name=").into_bytes()),
            b"KILL" => {
                let killed = String::from_utf8_lossy(argument(2)).parse().unwrap_or(0);
                surroundings.core.record(|| format!("redis: connection {number} kills connection {killed}"));
                if let Some(connection) = self.connections.get_mut(&killed) {
                    connection.is_closed = true;
                    connection.wakeup.notify();
                }
                RedisReply::Integer(1)
            }
            _ => unknown_command(),
        }
    }

    /// Executes a command that reads or writes one key. Adds a key that it changes to `changed_keys`.
    fn execute_plain_command(
        &mut self,
        surroundings: &ServerSurroundings<'_>,
        command: &CommandArguments,
        changed_keys: &mut Vec<RedisKey>,
    ) -> RedisReply {
        let [key, rest @ ..] = command.arguments() else { return unknown_command() };
        let stored = self.master_keys.get_mut(key);
        match command.name() {
            b"GET" => match stored {
                None => RedisReply::Nil,
                Some(StoredValue::Text(text)) => RedisReply::Bulk(text.clone()),
                Some(StoredValue::Hash(_)) => wrong_type(),
            },
            b"HLEN" => match stored {
                None => RedisReply::Integer(0),
                Some(StoredValue::Hash(row)) => RedisReply::Integer(row.fields.len()),
                Some(StoredValue::Text(_)) => wrong_type(),
            },
            b"SET" => {
                let text = rest.first().cloned().unwrap_or_default();
                surroundings
                    .core
                    .record(|| format!("redis: {} = {}", String::from_utf8_lossy(key), String::from_utf8_lossy(&text)));
                self.master_keys.insert(key.clone(), StoredValue::Text(text));
                changed_keys.push(key.clone());
                OKAY
            }
            b"HSET" | b"HDEL" | b"PEXPIRE" => {
                let entry = self.master_keys.entry(key.clone());
                let StoredValue::Hash(row) = entry.or_insert_with(|| StoredValue::Hash(StoredHash::default())) else {
                    return wrong_type();
                };
                match command.name() {
                    b"HSET" => {
                        row.has_ttl = false;
                        row.fields.extend(rest.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())));
                    }
                    b"HDEL" => rest.iter().for_each(|field| drop(row.fields.remove(field))),
                    _ => row.has_ttl = true,
                }
                changed_keys.push(key.clone());
                RedisReply::Integer(1)
            }
            _ => unknown_command(),
        }
    }
}

fn wrong_type() -> RedisReply {
    RedisReply::Error("WRONGTYPE Operation against a key holding the wrong kind of value")
}

fn unknown_command() -> RedisReply {
    RedisReply::Error("ERR unknown command")
}
