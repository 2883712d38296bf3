//! One connection to Redis, and the two round trips that bring a flight there, or a claim.
//!
//! Owns: what is sent and what the answers mean. Does not own: when to try again (the writer).
//! Invariants: (1) a flight's commands are sent only after `MULTI` was answered with OK, so they are never carried out
//! one by one; (2) rows are sent only after the connection used before cannot carry out anything any more; (3) a
//! transaction holds only if the fences of its partitions stay, until `EXEC`, what they were when they were judged:
//! `WATCH` comes before the question, and a connection with an error in between is never used again.

use redis::{Connection, ServerError, Value};
use windrow_core::{EventTime, Schema, Window};
use windrow_engine::{Claim, Epoch, Lost, Origin};
use windrow_spec::View;

use super::Settings;
use super::address::Address;
use super::batch::{Flight, Sealed, Span};
use super::encode::{put_bulk, put_command};
use super::fault::{self, Fault};
use super::fence::{self, FenceValue};
use super::holdings::Holdings;

/// How the server names a connection, so that it can be told to end it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Identity {
    id: String,
    /// The client's address as the server sees it: numbers begin anew when a server starts, and the connection with the
    /// same one could be somebody else's.
    peer: String,
}

/// A row that Redis refused: its position in the flight, and why.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    pub(super) row: usize,
    pub(super) reason: String,
}

/// What became of a flight's rows; those not named are in Redis.
#[derive(Default, Debug)]
pub(super) struct Outcome {
    /// In the order of the rows.
    pub(super) refusals: Vec<Refusal>,
    /// Partitions whose rows were dropped.
    pub(super) lost: Vec<Lost>,
    /// How many rows that were.
    pub(super) dropped: usize,
}

/// What Redis says before anything is written.
struct Answers {
    /// What each fence holds.
    fences: Vec<Option<Vec<u8>>>,
    refusals: Vec<Refusal>,
}

/// A row to be sent, and its position in the flight.
type Going<'a> = (usize, &'a Sealed, &'a Span);

/// An open connection.
pub(super) struct Link {
    connection: Connection,
    out: Vec<u8>,
    identity: Option<Identity>,
}

impl Link {
    /// Connects and logs in. `ghost` is the connection used before, if it may still have commands on their way; it is
    /// ended and taken.
    pub(super) fn open(address: &Address, settings: &Settings, ghost: &mut Option<Identity>) -> Result<Self, Fault> {
        let connection =
            address.connect(settings.connect_timeout, settings.response_timeout).map_err(|e| fault::of_error(&e))?;
        let mut link = Self { connection, out: Vec::new(), identity: None };
        if let Some(Identity { id, peer }) = ghost {
            let arguments = ["KILL", "ID", id.as_str(), "ADDR", peer.as_str()];
            if let Value::ServerError(error) = link.client(&arguments)? {
                tracing::debug!(error = error.code(), "Redis does not let this user end its own lost connection");
            }
        }
        *ghost = None;
        if let Value::BulkString(info) = link.client(&["INFO"])? {
            link.identity = identity(&String::from_utf8_lossy(&info));
        }
        Ok(link)
    }

    /// What to end should this connection be lost.
    pub(super) fn into_identity(self) -> Option<Identity> {
        self.identity
    }

    /// Asks whether Redis would take rows of `views` behind the fence `fence_key`, without writing anything.
    pub(super) fn probe(&mut self, views: &[View], schema: &Schema, fence_key: &str) -> Result<(), Fault> {
        let epoch = EventTime::from_ms(0);
        let nowhere = Window { start: epoch, end: epoch };
        let redis_key = |view: &View, key: &str| {
            let mut out = Vec::new();
            view.key.write(&mut out, key, nowhere);
            out
        };

        // Keys of different users in one transaction: what a cluster refuses.
        self.ask(&[fence_key], &[])?;
        self.out.clear();
        let questions: Vec<_> = views.iter().flat_map(|view| ["a", "b", "c"].map(|key| redis_key(view, key))).collect();
        questions.iter().for_each(|key| self.put(&[b"HLEN", key]));
        self.put(&[b"EXEC"]);
        self.send()?;
        (0..=questions.len()).try_for_each(|_| self.expect())?;

        // Every command of a flight, in a transaction that is discarded: whether it is allowed, and memory to be had.
        self.ask(&[fence_key], &[])?;
        self.out.clear();
        self.put(&[b"SET", fence_key.as_bytes(), b""]);
        let field = schema.key_name().as_bytes();
        for view in views {
            let key = redis_key(view, "a");
            self.put(&[b"HSET", &key, field, b""]);
            self.put(&[b"HDEL", &key, field]);
            self.put(&[b"PEXPIRE", &key, b"1"]);
        }
        self.put(&[b"DISCARD"]);
        self.send()?;
        (0..1 + views.len() * 3 + 1).try_for_each(|_| self.expect())
    }

    /// Brings `flight` to Redis, as far as the fences let it. `None`: a fence changed meanwhile and nothing was written;
    /// ask again.
    pub(super) fn write(&mut self, flight: &Flight, holdings: &mut Holdings) -> Result<Option<Outcome>, Fault> {
        let mut boarding = holdings.board(flight)?;
        let going = |drops: &dyn Fn(Origin) -> bool| -> Vec<Going<'_>> {
            let rows = flight.rows().enumerate().filter(|(_, (_, _, origin))| !drops(*origin));
            rows.map(|(row, (sealed, span, _))| (row, sealed, span)).collect()
        };
        let mut rows = going(&|origin| boarding.drops(origin));
        let keys: Vec<&str> = boarding.passages.iter().map(|passage| passage.key.as_str()).collect();
        let Answers { fences, mut refusals } = self.ask(&keys, &rows)?;

        let mut open = Vec::with_capacity(boarding.passages.len());
        for (passage, stored) in std::mem::take(&mut boarding.passages).into_iter().zip(fences) {
            match holdings.judge(&passage, stored.as_deref())? {
                None => open.push(passage),
                Some(why) => boarding.lost.push(Lost { origin: passage.origin, why }),
            }
        }
        if !boarding.lost.is_empty() {
            rows = going(&|origin| boarding.drops(origin));
            refusals.retain(|refusal| rows.binary_search_by_key(&refusal.row, |(row, ..)| *row).is_ok());
        }
        let dropped = flight.row_count() - rows.len();

        self.out.clear();
        let mut skipped = refusals.iter().map(|refusal| refusal.row).peekable();
        rows.retain(|(row, ..)| skipped.next_if_eq(row).is_none());
        let mut commands = 0;
        for (_, sealed, span) in &rows {
            self.out.extend_from_slice(sealed.commands(span));
            commands += span.count;
        }
        // Refused rows count as well: nobody needs to try them again.
        open.iter().for_each(|passage| self.put(&[b"SET", passage.key.as_bytes(), passage.text.as_bytes()]));
        holdings.sending(&open);
        let Some(answers) = self.execute(commands + open.len())? else { return Ok(None) };
        let mut answers = answers.into_iter();
        for (row, _, span) in rows {
            let errors = answers.by_ref().take(span.count).filter_map(server_error);
            // All of the row's answers are looked at: a fault in any of them concerns the flight.
            let reasons = errors.map(|error| fault::of_row(&error)).collect::<Result<Vec<_>, _>>()?;
            if let Some(reason) = reasons.into_iter().next() {
                refusals.push(Refusal { row, reason });
            }
        }
        answers.filter_map(server_error).try_for_each(|error| Err(fault::of_reply(&error)))?;
        holdings.arrived(open);
        refusals.sort_unstable_by_key(|refusal| refusal.row);
        Ok(Some(Outcome { refusals, lost: boarding.lost, dropped }))
    }

    /// Takes the fence `key` over: what it says now, or the epoch of its owner. `None`: it changed meanwhile; ask again.
    /// `sent` is what an earlier attempt of this claim wrote, if its outcome is not known.
    pub(super) fn claim(
        &mut self,
        claim: &Claim,
        key: &str,
        sent: &mut Option<String>,
    ) -> Result<Option<Result<FenceValue, Epoch>>, Fault> {
        let stored = self.ask(&[key], &[])?.fences.pop().flatten();
        let ours = sent.is_some() && stored.as_deref() == sent.as_ref().map(String::as_bytes);
        let stored = stored.map(|stored| FenceValue::read(key, &stored)).transpose()?;
        if let Some(rows) = FenceValue::missing(stored.as_ref(), claim) {
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
            stored => FenceValue::claimed(stored.as_ref(), claim),
        };
        self.out.clear();
        let value = match decided {
            Ok(value) if !ours => value,
            decided => {
                self.put(&[b"DISCARD"]);
                self.send()?;
                self.expect()?;
                return Ok(Some(decided));
            }
        };
        let text = value.text();
        self.put(&[b"SET", key.as_bytes(), text.as_bytes()]);
        *sent = Some(text);
        let Some(answers) = self.execute(1)? else { return Ok(None) };
        answers.into_iter().filter_map(server_error).try_for_each(|error| Err(fault::of_reply(&error)))?;
        Ok(Some(Ok(value)))
    }

    /// Watches `fences` and asks what they say, asks whether each row's key may become a hash, and opens the transaction.
    fn ask(&mut self, fences: &[&str], rows: &[Going<'_>]) -> Result<Answers, Fault> {
        self.out.clear();
        if !fences.is_empty() {
            put_command(&mut self.out, b"WATCH", fences.len());
            fences.iter().for_each(|key| put_bulk(&mut self.out, key.as_bytes()));
            fences.iter().for_each(|key| self.put(&[b"GET", key.as_bytes()]));
        }
        for (_, sealed, span) in rows {
            put_command(&mut self.out, b"HLEN", 1);
            put_bulk(&mut self.out, sealed.key(span));
        }
        self.put(&[b"MULTI"]);
        self.send()?;
        if !fences.is_empty() {
            self.expect()?;
        }
        let fences = fences.iter().map(|key| self.stored(key)).collect::<Result<_, _>>()?;
        let mut refusals = Vec::new();
        for (row, sealed, span) in rows {
            let answer = self.read()?;
            if fence::is_fence(sealed.key(span)) {
                // Where there is no fence yet, Redis itself would let it become a hash.
                refusals.push(Refusal { row: *row, reason: "such keys are kept for Windrow's fences".to_owned() });
            } else if let Value::ServerError(error) = answer {
                refusals.push(Refusal { row: *row, reason: fault::of_row(&error)? });
            }
        }
        self.expect()?;
        Ok(Answers { fences, refusals })
    }

    /// The answer to `GET` of a fence.
    fn stored(&mut self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        match self.read()? {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => Ok(Some(bytes)),
            Value::ServerError(error) => {
                Err(fault::of_row(&error).map_or_else(|fault| fault, |reason| fence::unreadable(key, &reason)))
            }
            _ => Err(Fault::Away("an answer to GET that does not fit".to_owned())),
        }
    }

    /// Sends what was put, `commands` in number, with `EXEC`; the answers, or `None` where a fence that is watched has
    /// changed.
    fn execute(&mut self, commands: usize) -> Result<Option<Vec<Value>>, Fault> {
        self.put(&[b"EXEC"]);
        self.send()?;
        (0..commands).try_for_each(|_| self.expect())?;
        match self.read()? {
            Value::Nil => Ok(None),
            Value::Array(answers) if answers.len() == commands => Ok(Some(answers)),
            Value::ServerError(error) => Err(fault::of_reply(&error)),
            _ => Err(Fault::Away("an answer to EXEC that does not fit".to_owned())),
        }
    }

    fn client(&mut self, arguments: &[&str]) -> Result<Value, Fault> {
        self.out.clear();
        put_command(&mut self.out, b"CLIENT", arguments.len());
        for argument in arguments {
            put_bulk(&mut self.out, argument.as_bytes());
        }
        self.send()?;
        self.read()
    }

    fn put(&mut self, command: &[&[u8]]) {
        if let Some((name, arguments)) = command.split_first() {
            put_command(&mut self.out, name, arguments.len());
            arguments.iter().for_each(|argument| put_bulk(&mut self.out, argument));
        }
    }

    fn send(&mut self) -> Result<(), Fault> {
        self.connection.send_packed_command(&self.out).map_err(|error| fault::of_error(&error))
    }

    /// The next answer. The crate's own pipelines are not used: after a time-out they would wait as long again for every
    /// answer that is still missing.
    fn read(&mut self) -> Result<Value, Fault> {
        loop {
            match self.connection.recv_response() {
                Ok(Value::Push { .. }) => {}
                Ok(value) => return Ok(value),
                Err(error) => return Err(fault::of_error(&error)),
            }
        }
    }

    /// The next answer, which must not be an error.
    fn expect(&mut self) -> Result<(), Fault> {
        server_error(self.read()?).map_or(Ok(()), |error| Err(fault::of_reply(&error)))
    }
}

fn server_error(value: Value) -> Option<ServerError> {
    match value {
        Value::ServerError(error) => Some(error),
        _ => None,
    }
}

/// Reads the answer of `CLIENT INFO`: `id=3 addr=127.0.0.1:60052 …`.
fn identity(info: &str) -> Option<Identity> {
    let value = |name: &str| {
        info.split_ascii_whitespace().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
    };
    Some(Identity { id: value("id")?, peer: value("addr")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_tells_who_we_are() {
        let info = "id=3 addr=127.0.0.1:60052 laddr=127.0.0.1:6379 fd=8 name= user=default";
        let expected = Identity { id: "3".to_owned(), peer: "127.0.0.1:60052".to_owned() };
        assert_eq!(identity(info), Some(expected));
        assert_eq!(identity("laddr=127.0.0.1:6379"), None);
    }
}
