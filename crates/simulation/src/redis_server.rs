//! A Redis inside the simulation: connections, transactions with `WATCH`, and a replica that lags behind the master.
//!
//! The real writer talks to it in its wire format. It knows exactly the commands that the writer sends.
//!
//! Owns: keys, connections, replication. Does not own: when faults happen (`faults`), and which rows are right
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
use crate::redis_keys::{RedisKey, StoredHash, StoredKeys, StoredValue};
use crate::redis_protocol::{CommandArguments, RedisReply, parse_commands};
use crate::simulation_core::{InstanceIndex, SimulationCore};

/// The most transactions that the replica can lag behind.
const MAX_LAG_TRANSACTIONS: usize = 60;

/// The number of a connection, by which another connection can kill it.
pub(crate) type ConnectionNumber = u64;

const OKAY: RedisReply = RedisReply::Simple("OK");

#[derive(Debug)]
struct ServerConnection {
    instance: InstanceIndex,
    /// For each watched key, its number of changes at the time of `WATCH`.
    watched_keys: BTreeMap<RedisKey, u64>,
    /// The commands of the open transaction.
    open_transaction: Option<Vec<CommandArguments>>,
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
    unreplicated: VecDeque<Vec<(RedisKey, StoredValue)>>,
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
#[derive(Debug, Default)]
pub(crate) struct SimulatedRedisServer {
    state: Mutex<ServerState>,
}

impl SimulatedRedisServer {
    /// Returns the time at which the next commands arrive.
    pub(crate) fn next_arrival(&self) -> Option<Duration> {
        self.state.lock().in_flight.iter().map(|sent| sent.arrival).min()
    }

    /// Executes the commands that have arrived.
    pub(crate) fn execute_arrived_commands(&self, surroundings: &ServerSurroundings<'_>) {
        let now = surroundings.core.now();
        let mut state = self.state.lock();
        loop {
            let due = state.in_flight.iter().enumerate().filter(|(_, sent)| sent.arrival <= now);
            let Some((index, _)) = due.min_by_key(|(_, sent)| (sent.arrival, sent.sequence)) else { return };
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
        let replicated = state.unreplicated.len().saturating_sub(lag);
        for changes in state.unreplicated.drain(..replicated).collect::<Vec<_>>() {
            state.replica_keys.extend(changes);
        }
        let lost = state.unreplicated.len();
        state.unreplicated.clear();
        let before = std::mem::take(&mut state.master_keys);
        state.master_keys = state.replica_keys.clone();
        let keys: Vec<RedisKey> = before.keys().cloned().collect();
        keys.into_iter().for_each(|key| *state.change_counts.entry(key).or_default() += 1);
        for connection in state.connections.values_mut() {
            connection.is_closed = true;
            connection.replies.clear();
            connection.wakeup.notify();
        }
        state.in_flight.clear();
        surroundings.core.record(|| format!("redis: failover, the replica lacks {lost} transactions"));
        surroundings.oracle.lock().observe_failover(surroundings.core, &before, &state.master_keys);
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
}

impl ServerState {
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
        if !ends_transaction && let Some(transaction) = &mut connection.open_transaction {
            transaction.push(command);
            RedisReply::Simple("QUEUED").append_to(&mut connection.replies);
            return;
        }
        let reply = match name.as_str() {
            "MULTI" => {
                connection.open_transaction = Some(Vec::new());
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
        self.unreplicated.push_back(changes.collect());
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
