//! One connection to Redis: round trips and transactions, with each reply matched to its command.
//!
//! Owns: sending commands, reading replies, and the order of `MULTI`, `EXEC` and `DISCARD`. Does not own: the choice of
//! the commands, and when to retry.
//! Invariants: (1) The commands of a transaction are sent only after Redis has answered `MULTI` with OK. Redis
//! therefore never executes these commands one by one. (2) The writer uses a new connection only after Redis has killed
//! the previous connection, or after the previous connection has ended.

use redis::{Cmd, ServerError, Value};

use super::command_list::CommandList;
use crate::redis::address::RedisAddress;
use crate::redis::fault::{RedisFault, classify_connection_error, classify_error_reply};
use crate::redis::login::open_connection;
use crate::redis::settings::RedisWriterSettings;
use crate::redis::transport::{InProcessTransport, RedisTransport};

/// Identifies a connection on the server, so that a later connection can kill this connection by `CLIENT KILL`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ConnectionIdentity {
    client_id: String,
    /// The client's address as the server sees the address. A restarted server assigns the same client ids again. After
    /// a restart, the id alone could therefore name a connection of another process.
    client_address: String,
}

/// An open connection to Redis, with the identity by which a later connection can kill this connection.
pub(crate) struct RedisConnection {
    transport: Box<dyn RedisTransport>,
    identity: Option<ConnectionIdentity>,
}

/// A transaction that Redis has opened by `MULTI`. [`Self::send_and_execute_transaction`] or
/// [`Self::send_and_discard_transaction`] ends the transaction. If one of these calls fails, the connection must not be
/// used again, because the transaction may still be open.
pub(crate) struct OpenTransaction<'a> {
    connection: &'a mut RedisConnection,
}

/// The effect of `EXEC`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ExecOutcome {
    Executed,
    /// Redis executed no command of the transaction, because a watched key had changed.
    WatchedKeyChanged,
}

impl RedisConnection {
    /// Connects and logs in. If `abandoned` identifies an earlier connection, then orders Redis to kill that
    /// connection, and sets `abandoned` to `None`.
    pub(crate) fn open_and_kill_abandoned(
        address: &RedisAddress,
        settings: &RedisWriterSettings,
        abandoned: &mut Option<ConnectionIdentity>,
    ) -> Result<Self, RedisFault> {
        let transport: Box<dyn RedisTransport> = match address.in_process_server() {
            Some(server) => {
                Box::new(InProcessTransport::connect(server).map_err(|error| classify_connection_error(&error))?)
            }
            None => Box::new(open_connection(address, settings.connect_timeout, settings.response_timeout)?),
        };
        let mut opened = Self { transport, identity: None };
        if let Some(ConnectionIdentity { client_id, client_address }) = abandoned {
            let mut kill = redis::cmd("CLIENT");
            kill.arg("KILL").arg("ID").arg(client_id).arg("ADDR").arg(client_address);
            if let Value::ServerError(error) = opened.run_command(&kill)? {
                tracing::debug!(error = error.code(), "Redis did not kill the abandoned connection");
            }
        }
        *abandoned = None;
        if let Value::BulkString(info) = opened.run_command(redis::cmd("CLIENT").arg("INFO"))? {
            opened.identity = parse_client_info(&String::from_utf8_lossy(&info));
        }
        Ok(opened)
    }

    /// Returns the identity by which a later connection can kill this connection; `None` if Redis did not report the
    /// identity.
    pub(crate) fn into_identity(self) -> Option<ConnectionIdentity> {
        self.identity
    }

    /// Sends the commands `questions`, which Redis executes before the transaction, and then `MULTI`. Passes the reply
    /// to each of `questions` to `handle_reply`.
    pub(crate) fn query_and_open_transaction<R: Copy>(
        &mut self,
        questions: &mut CommandList<R>,
        mut handle_reply: impl FnMut(R, Value) -> Result<(), RedisFault>,
    ) -> Result<OpenTransaction<'_>, RedisFault> {
        self.send_commands(questions.encode_with_last_command(&redis::cmd("MULTI")))?;
        for meaning in questions.expected_reply_meanings() {
            handle_reply(meaning, self.read_reply()?)?;
        }
        self.expect_success()?;
        Ok(OpenTransaction { connection: self })
    }

    /// Sends one command, and returns its reply, which may be an error.
    pub(crate) fn run_command(&mut self, command: &Cmd) -> Result<Value, RedisFault> {
        self.send_commands(&command.get_packed_command())?;
        self.read_reply()
    }

    fn send_commands(&mut self, commands: &[u8]) -> Result<(), RedisFault> {
        self.transport.send_commands(commands).map_err(|error| classify_connection_error(&error))
    }

    /// Reads the next reply. The pipelines of the `redis` crate are not used, because they wait for a full timeout for
    /// each missing reply.
    fn read_reply(&mut self) -> Result<Value, RedisFault> {
        loop {
            match self.transport.read_reply() {
                Ok(Value::Push { .. }) => {}
                Ok(reply) => return Ok(reply),
                Err(error) => return Err(classify_connection_error(&error)),
            }
        }
    }

    /// Reads the next reply, and returns a fault if the reply is an error.
    fn expect_success(&mut self) -> Result<(), RedisFault> {
        expect_success(self.read_reply()?)
    }
}

impl OpenTransaction<'_> {
    /// Sends `commands` and then `EXEC`. If Redis executed the commands, passes the reply to each command to
    /// `handle_reply`.
    pub(crate) fn send_and_execute_transaction<R: Copy>(
        self,
        commands: &mut CommandList<R>,
        mut handle_reply: impl FnMut(R, Value) -> Result<(), RedisFault>,
    ) -> Result<ExecOutcome, RedisFault> {
        let connection = self.connection;
        connection.send_commands(commands.encode_with_last_command(&redis::cmd("EXEC")))?;
        (0..commands.reply_count()).try_for_each(|_| connection.expect_success())?;
        match connection.read_reply()? {
            Value::Nil => Ok(ExecOutcome::WatchedKeyChanged),
            Value::Array(replies) if replies.len() == commands.reply_count() => {
                for (meaning, reply) in commands.expected_reply_meanings().zip(replies) {
                    handle_reply(meaning, reply)?;
                }
                Ok(ExecOutcome::Executed)
            }
            Value::ServerError(error) => Err(classify_error_reply(&error)),
            _ => Err(RedisFault::UnexpectedReply { command: "EXEC" }),
        }
    }

    /// Sends `commands` and then `DISCARD`. Redis checks the commands, but does not execute them.
    pub(crate) fn send_and_discard_transaction<R: Copy>(self, commands: &mut CommandList<R>) -> Result<(), RedisFault> {
        let connection = self.connection;
        connection.send_commands(commands.encode_with_last_command(&redis::cmd("DISCARD")))?;
        (0..=commands.reply_count()).try_for_each(|_| connection.expect_success())
    }
}

/// Returns a fault if `reply` is an error.
pub(crate) fn expect_success(reply: Value) -> Result<(), RedisFault> {
    server_error_from_reply(reply).map_or(Ok(()), |error| Err(classify_error_reply(&error)))
}

pub(crate) fn server_error_from_reply(reply: Value) -> Option<ServerError> {
    match reply {
        Value::ServerError(error) => Some(error),
        _ => None,
    }
}

/// Parses the reply to `CLIENT INFO`, for example `id=3 addr=127.0.0.1:60052 …`.
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
