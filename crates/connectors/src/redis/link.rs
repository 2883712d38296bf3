//! One connection to Redis, and the two round trips that bring a flight there.
//!
//! Owns: what is sent and what the answers mean. Does not own: when to try again (the writer).
//! Invariants: (1) a flight's commands are sent only after `MULTI` was answered with OK, so they are never carried out
//! one by one; (2) rows are sent only after the connection used before cannot carry out anything any more.

use redis::{Connection, ServerError, Value};
use windrow_core::{EventTime, Schema, Window};
use windrow_spec::View;

use super::Settings;
use super::address::Address;
use super::batch::Flight;
use super::encode::{put_bulk, put_command};
use super::fault::{self, Fault};

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

    /// Asks whether Redis would take rows of `views`, without writing any.
    pub(super) fn probe(&mut self, views: &[View], schema: &Schema) -> Result<(), Fault> {
        let epoch = EventTime::from_ms(0);
        let nowhere = Window { start: epoch, end: epoch };
        let redis_key = |view: &View, key: &str| {
            let mut out = Vec::new();
            view.key.write(&mut out, key, nowhere);
            out
        };

        // Keys of different users in one transaction: what a cluster refuses.
        self.ask(&Flight::default())?;
        self.out.clear();
        let questions: Vec<_> = views.iter().flat_map(|view| ["a", "b", "c"].map(|key| redis_key(view, key))).collect();
        questions.iter().for_each(|key| self.put(&[b"HLEN", key]));
        self.put(&[b"EXEC"]);
        self.send()?;
        (0..=questions.len()).try_for_each(|_| self.expect())?;

        // Every command of a row, in a transaction that is discarded: whether it is allowed, and memory to be had.
        self.ask(&Flight::default())?;
        self.out.clear();
        let field = schema.key_name().as_bytes();
        for view in views {
            let key = redis_key(view, "a");
            self.put(&[b"HSET", &key, field, b""]);
            self.put(&[b"HDEL", &key, field]);
            self.put(&[b"PEXPIRE", &key, b"1"]);
        }
        self.put(&[b"DISCARD"]);
        self.send()?;
        (0..=views.len() * 3).try_for_each(|_| self.expect())
    }

    /// Brings `flight` to Redis; the rows that Redis refused are reported, all others are there.
    pub(super) fn write(&mut self, flight: &Flight) -> Result<Vec<Refusal>, Fault> {
        let mut refusals = self.ask(flight)?;
        self.out.clear();
        let mut commands = 0;
        let mut skipped = refusals.iter().map(|refusal| refusal.row).peekable();
        let mut sent = Vec::with_capacity(flight.row_count());
        for (row, (sealed, span)) in flight.rows().enumerate() {
            if skipped.next_if_eq(&row).is_none() {
                self.out.extend_from_slice(sealed.commands(span));
                sent.push((row, span.count));
                commands += span.count;
            }
        }
        self.put(&[b"EXEC"]);
        self.send()?;
        (0..commands).try_for_each(|_| self.expect())?;
        let answers = match self.read()? {
            Value::Array(answers) if answers.len() == commands => answers,
            Value::ServerError(error) => return Err(fault::of_reply(&error)),
            _ => return Err(Fault::Away("an answer to EXEC that does not fit".to_owned())),
        };
        let mut answers = answers.into_iter();
        for (row, count) in sent {
            let errors = answers.by_ref().take(count).filter_map(server_error);
            // All of the row's answers are looked at: a fault in any of them concerns the flight.
            let reasons = errors.map(|error| fault::of_row(&error)).collect::<Result<Vec<_>, _>>()?;
            if let Some(reason) = reasons.into_iter().next() {
                refusals.push(Refusal { row, reason });
            }
        }
        refusals.sort_unstable_by_key(|refusal| refusal.row);
        Ok(refusals)
    }

    /// Asks whether each row's key may become a hash, and opens the transaction.
    fn ask(&mut self, flight: &Flight) -> Result<Vec<Refusal>, Fault> {
        self.out.clear();
        for (sealed, span) in flight.rows() {
            put_command(&mut self.out, b"HLEN", 1);
            put_bulk(&mut self.out, sealed.key(span));
        }
        let rows = flight.row_count();
        self.put(&[b"MULTI"]);
        self.send()?;
        let mut refusals = Vec::new();
        for row in 0..rows {
            if let Value::ServerError(error) = self.read()? {
                refusals.push(Refusal { row, reason: fault::of_row(&error)? });
            }
        }
        self.expect()?;
        Ok(refusals)
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
