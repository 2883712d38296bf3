//! One connection to Redis, and the two round trips that bring a flight there, or a claim.
//!
//! Owns: what is sent and what the answers mean. Does not own: when to try again (the writer).
//! Invariants: (1) a flight's commands are sent only after `MULTI` was answered with OK, so they are never carried out
//! one by one; (2) rows are sent only after the connection used before cannot carry out anything any more; (3) a
//! transaction holds only if the fences of its partitions stay, until `EXEC`, what they were when they were judged:
//! `WATCH` comes before the question, and a connection with an error in between is never used again.

use redis::{Connection, ServerError, Value};
use windrow_core::{EventSchema, EventTime, Window};
use windrow_engine::{Epoch, FenceToken, LostPartition, PartitionClaim};
use windrow_spec::RedisViewSpec;

use super::RedisWriterSettings;
use super::address::RedisAddress;
use super::batch::{EncodedBatch, EncodedRow, InFlightBatch};
use super::encode::{write_bulk_string, write_command_header};
use super::fault::{self, RedisFault};
use super::fence::{self, FenceValue};
use super::holdings::GrantedFences;

/// How the server names a connection, so that it can be told to end it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ConnectionIdentity {
    client_id: String,
    /// The client's address as the server sees it: numbers begin anew when a server starts, and the connection with the
    /// same one could be somebody else's.
    client_address: String,
}

/// A row that Redis refused: its position in the flight, and why.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct RowRefusal {
    pub(super) row_index: usize,
    pub(super) reason: String,
}

/// What became of a flight's rows; those not named are in Redis.
#[derive(Default, Debug)]
pub(super) struct WriteOutcome {
    /// In the order of the rows.
    pub(super) refusals: Vec<RowRefusal>,
    /// Partitions whose rows were dropped.
    pub(super) lost_partitions: Vec<LostPartition>,
    /// How many rows that were.
    pub(super) dropped_rows: usize,
}

/// What Redis says before anything is written.
struct PreflightReplies {
    /// What each fence holds.
    fences: Vec<Option<Vec<u8>>>,
    refusals: Vec<RowRefusal>,
}

/// A row to be sent, and its position in the flight.
type SendableRow<'a> = (usize, &'a EncodedBatch, &'a EncodedRow);

/// An open connection.
pub(super) struct RedisConnection {
    connection: Connection,
    command_buffer: Vec<u8>,
    identity: Option<ConnectionIdentity>,
}

impl RedisConnection {
    /// Connects and logs in. `ghost` is the connection used before, if it may still have commands on their way; it is
    /// ended and taken.
    pub(super) fn open(
        address: &RedisAddress,
        settings: &RedisWriterSettings,
        ghost: &mut Option<ConnectionIdentity>,
    ) -> Result<Self, RedisFault> {
        let connection = address
            .connect(settings.connect_timeout, settings.response_timeout)
            .map_err(|e| fault::classify_error(&e))?;
        let mut link = Self { connection, command_buffer: Vec::new(), identity: None };
        if let Some(ConnectionIdentity { client_id: id, client_address: peer }) = ghost {
            let arguments = ["KILL", "ID", id.as_str(), "ADDR", peer.as_str()];
            if let Value::ServerError(error) = link.run_client_command(&arguments)? {
                tracing::debug!(error = error.code(), "Redis does not let this user end its own lost connection");
            }
        }
        *ghost = None;
        if let Value::BulkString(info) = link.run_client_command(&["INFO"])? {
            link.identity = parse_client_info(&String::from_utf8_lossy(&info));
        }
        Ok(link)
    }

    /// What to end should this connection be lost.
    pub(super) fn into_identity(self) -> Option<ConnectionIdentity> {
        self.identity
    }

    /// Asks whether Redis would take rows of `views` behind the fence `fence_key`, without writing anything.
    pub(super) fn check_accepts_rows(
        &mut self,
        views: &[RedisViewSpec],
        schema: &EventSchema,
        fence_key: &str,
    ) -> Result<(), RedisFault> {
        let epoch = EventTime::from_ms(0);
        let nowhere = Window { start: epoch, end: epoch };
        let redis_key = |view: &RedisViewSpec, key: &str| {
            let mut out = Vec::new();
            view.key.append_key(&mut out, key, nowhere);
            out
        };

        // Keys of different users in one transaction: what a cluster refuses.
        self.open_transaction(&[fence_key], &[])?;
        self.command_buffer.clear();
        let questions: Vec<_> = views.iter().flat_map(|view| ["a", "b", "c"].map(|key| redis_key(view, key))).collect();
        questions.iter().for_each(|key| self.append_command(&[b"HLEN", key]));
        self.append_command(&[b"EXEC"]);
        self.send_commands()?;
        (0..=questions.len()).try_for_each(|_| self.expect_success())?;

        // Every command of a flight, in a transaction that is discarded: whether it is allowed, and memory to be had.
        self.open_transaction(&[fence_key], &[])?;
        self.command_buffer.clear();
        self.append_command(&[b"SET", fence_key.as_bytes(), b""]);
        let field = schema.key_name().as_bytes();
        for view in views {
            let key = redis_key(view, "a");
            self.append_command(&[b"HSET", &key, field, b""]);
            self.append_command(&[b"HDEL", &key, field]);
            self.append_command(&[b"PEXPIRE", &key, b"1"]);
        }
        self.append_command(&[b"DISCARD"]);
        self.send_commands()?;
        (0..1 + views.len() * 3 + 1).try_for_each(|_| self.expect_success())
    }

    /// Brings `flight` to Redis, as far as the fences let it. `None`: a fence changed meanwhile and nothing was written;
    /// ask again.
    pub(super) fn write_batch(
        &mut self,
        flight: &InFlightBatch,
        holdings: &mut GrantedFences,
    ) -> Result<Option<WriteOutcome>, RedisFault> {
        let mut boarding = holdings.check_fences(flight)?;
        let going = |drops: &dyn Fn(FenceToken) -> bool| -> Vec<SendableRow<'_>> {
            let rows = flight.rows().enumerate().filter(|(_, (_, _, origin))| !drops(*origin));
            rows.map(|(row, (sealed, span, _))| (row, sealed, span)).collect()
        };
        let mut rows = going(&|origin| boarding.drops_rows_of(origin));
        let keys: Vec<&str> = boarding.writable.iter().map(|passage| passage.fence_key.as_str()).collect();
        let PreflightReplies { fences, mut refusals } = self.open_transaction(&keys, &rows)?;

        let mut open = Vec::with_capacity(boarding.writable.len());
        for (passage, stored) in std::mem::take(&mut boarding.writable).into_iter().zip(fences) {
            match holdings.check_stored_value(&passage, stored.as_deref())? {
                None => open.push(passage),
                Some(why) => boarding.lost.push(LostPartition { fence_token: passage.fence_token, reason: why }),
            }
        }
        if !boarding.lost.is_empty() {
            rows = going(&|origin| boarding.drops_rows_of(origin));
            refusals.retain(|refusal| rows.binary_search_by_key(&refusal.row_index, |(row, ..)| *row).is_ok());
        }
        let dropped = flight.row_count() - rows.len();

        self.command_buffer.clear();
        let mut skipped = refusals.iter().map(|refusal| refusal.row_index).peekable();
        rows.retain(|(row, ..)| skipped.next_if_eq(row).is_none());
        let mut commands = 0;
        for (_, sealed, span) in &rows {
            self.command_buffer.extend_from_slice(sealed.row_commands(span));
            commands += span.command_count;
        }
        // Refused rows count as well: nobody needs to try them again.
        open.iter().for_each(|passage| {
            self.append_command(&[b"SET", passage.fence_key.as_bytes(), passage.next_text.as_bytes()])
        });
        holdings.record_sent(&open);
        let Some(answers) = self.execute_transaction(commands + open.len())? else { return Ok(None) };
        let mut answers = answers.into_iter();
        for (row, _, span) in rows {
            let errors = answers.by_ref().take(span.command_count).filter_map(server_error);
            // All of the row's answers are looked at: a fault in any of them concerns the flight.
            let reasons = errors.map(|error| fault::classify_row_reply(&error)).collect::<Result<Vec<_>, _>>()?;
            if let Some(reason) = reasons.into_iter().next() {
                refusals.push(RowRefusal { row_index: row, reason });
            }
        }
        answers.filter_map(server_error).try_for_each(|error| Err(fault::classify_reply(&error)))?;
        holdings.record_acknowledged(open);
        refusals.sort_unstable_by_key(|refusal| refusal.row_index);
        Ok(Some(WriteOutcome { refusals, lost_partitions: boarding.lost, dropped_rows: dropped }))
    }

    /// Takes the fence `key` over: what it says now, or the epoch of its owner. `None`: it changed meanwhile; ask again.
    /// `sent` is what an earlier attempt of this claim wrote, if its outcome is not known.
    pub(super) fn claim_fence(
        &mut self,
        claim: &PartitionClaim,
        key: &str,
        sent: &mut Option<String>,
    ) -> Result<Option<Result<FenceValue, Epoch>>, RedisFault> {
        let stored = self.open_transaction(&[key], &[])?.fences.pop().flatten();
        let ours = sent.is_some() && stored.as_deref() == sent.as_ref().map(String::as_bytes);
        let stored = stored.map(|stored| FenceValue::parse_stored(key, &stored)).transpose()?;
        if let Some(rows) = FenceValue::count_missing_rows(stored.as_ref(), claim) {
            tracing::error!(
                partition = claim.partition,
                rows,
                "this Redis does not have all rows that were written before the checkpoint (it was emptied, failed over, or \
                 is another one): those are not written again"
            );
        }
        let decided = match stored {
            // Epochs are unique: nobody else writes this one.
            Some(stored) if ours => Ok(stored),
            stored => FenceValue::apply_claim(stored.as_ref(), claim),
        };
        self.command_buffer.clear();
        let value = match decided {
            Ok(value) if !ours => value,
            decided => {
                self.append_command(&[b"DISCARD"]);
                self.send_commands()?;
                self.expect_success()?;
                return Ok(Some(decided));
            }
        };
        let text = value.to_text();
        self.append_command(&[b"SET", key.as_bytes(), text.as_bytes()]);
        *sent = Some(text);
        let Some(answers) = self.execute_transaction(1)? else { return Ok(None) };
        answers.into_iter().filter_map(server_error).try_for_each(|error| Err(fault::classify_reply(&error)))?;
        Ok(Some(Ok(value)))
    }

    /// Watches `fences` and asks what they say, asks whether each row's key may become a hash, and opens the transaction.
    fn open_transaction(&mut self, fences: &[&str], rows: &[SendableRow<'_>]) -> Result<PreflightReplies, RedisFault> {
        self.command_buffer.clear();
        if !fences.is_empty() {
            write_command_header(&mut self.command_buffer, b"WATCH", fences.len());
            fences.iter().for_each(|key| write_bulk_string(&mut self.command_buffer, key.as_bytes()));
            fences.iter().for_each(|key| self.append_command(&[b"GET", key.as_bytes()]));
        }
        for (_, sealed, span) in rows {
            write_command_header(&mut self.command_buffer, b"HLEN", 1);
            write_bulk_string(&mut self.command_buffer, sealed.redis_key(span));
        }
        self.append_command(&[b"MULTI"]);
        self.send_commands()?;
        if !fences.is_empty() {
            self.expect_success()?;
        }
        let fences = fences.iter().map(|key| self.read_fence_reply(key)).collect::<Result<_, _>>()?;
        let mut refusals = Vec::new();
        for (row, sealed, span) in rows {
            let answer = self.read_reply()?;
            if fence::is_fence_key(sealed.redis_key(span)) {
                // Where there is no fence yet, Redis itself would let it become a hash.
                refusals
                    .push(RowRefusal { row_index: *row, reason: "such keys are kept for Windrow's fences".to_owned() });
            } else if let Value::ServerError(error) = answer {
                refusals.push(RowRefusal { row_index: *row, reason: fault::classify_row_reply(&error)? });
            }
        }
        self.expect_success()?;
        Ok(PreflightReplies { fences, refusals })
    }

    /// The answer to `GET` of a fence.
    fn read_fence_reply(&mut self, key: &str) -> Result<Option<Vec<u8>>, RedisFault> {
        match self.read_reply()? {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => Ok(Some(bytes)),
            Value::ServerError(error) => Err(fault::classify_row_reply(&error)
                .map_or_else(|fault| fault, |reason| fence::unreadable_fence(key, &reason))),
            _ => Err(RedisFault::Unreachable("an answer to GET that does not fit".to_owned())),
        }
    }

    /// Sends what was put, `commands` in number, with `EXEC`; the answers, or `None` where a fence that is watched has
    /// changed.
    fn execute_transaction(&mut self, commands: usize) -> Result<Option<Vec<Value>>, RedisFault> {
        self.append_command(&[b"EXEC"]);
        self.send_commands()?;
        (0..commands).try_for_each(|_| self.expect_success())?;
        match self.read_reply()? {
            Value::Nil => Ok(None),
            Value::Array(answers) if answers.len() == commands => Ok(Some(answers)),
            Value::ServerError(error) => Err(fault::classify_reply(&error)),
            _ => Err(RedisFault::Unreachable("an answer to EXEC that does not fit".to_owned())),
        }
    }

    fn run_client_command(&mut self, arguments: &[&str]) -> Result<Value, RedisFault> {
        self.command_buffer.clear();
        write_command_header(&mut self.command_buffer, b"CLIENT", arguments.len());
        for argument in arguments {
            write_bulk_string(&mut self.command_buffer, argument.as_bytes());
        }
        self.send_commands()?;
        self.read_reply()
    }

    fn append_command(&mut self, command: &[&[u8]]) {
        if let Some((name, arguments)) = command.split_first() {
            write_command_header(&mut self.command_buffer, name, arguments.len());
            arguments.iter().for_each(|argument| write_bulk_string(&mut self.command_buffer, argument));
        }
    }

    fn send_commands(&mut self) -> Result<(), RedisFault> {
        self.connection.send_packed_command(&self.command_buffer).map_err(|error| fault::classify_error(&error))
    }

    /// The next answer. The crate's own pipelines are not used: after a time-out they would wait as long again for every
    /// answer that is still missing.
    fn read_reply(&mut self) -> Result<Value, RedisFault> {
        loop {
            match self.connection.recv_response() {
                Ok(Value::Push { .. }) => {}
                Ok(value) => return Ok(value),
                Err(error) => return Err(fault::classify_error(&error)),
            }
        }
    }

    /// The next answer, which must not be an error.
    fn expect_success(&mut self) -> Result<(), RedisFault> {
        server_error(self.read_reply()?).map_or(Ok(()), |error| Err(fault::classify_reply(&error)))
    }
}

fn server_error(value: Value) -> Option<ServerError> {
    match value {
        Value::ServerError(error) => Some(error),
        _ => None,
    }
}

/// Reads the answer of `CLIENT INFO`: `id=3 addr=127.0.0.1:60052 …`.
fn parse_client_info(info: &str) -> Option<ConnectionIdentity> {
    let value = |name: &str| {
        info.split_ascii_whitespace().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
    };
    Some(ConnectionIdentity { client_id: value("id")?, client_address: value("addr")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_tells_who_we_are() {
        let info = "id=3 addr=127.0.0.1:60052 laddr=127.0.0.1:6379 fd=8 name= user=default";
        let expected = ConnectionIdentity { client_id: "3".to_owned(), client_address: "127.0.0.1:60052".to_owned() };
        assert_eq!(parse_client_info(info), Some(expected));
        assert_eq!(parse_client_info("laddr=127.0.0.1:6379"), None);
    }
}
