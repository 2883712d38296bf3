//! The bytes between the writer and Redis.
//!
//! Owns: sending commands and reading replies over one connection, and the interface to a Redis inside this process.
//! Does not own: the commands (`delivery/connection.rs`), and opening connections to a server (`login.rs`).

use std::fmt;
use std::io::{self, Read, Write};

use redis::{Connection, Parser, RedisResult, Value};

/// A connection over which commands and replies pass in order.
pub(crate) trait RedisTransport: Send {
    /// Sends encoded commands, and does not wait for the replies.
    fn send_commands(&mut self, commands: &[u8]) -> RedisResult<()>;

    /// Waits for the next reply. An error reply is a [`Value::ServerError`].
    fn read_reply(&mut self) -> RedisResult<Value>;
}

impl RedisTransport for Connection {
    fn send_commands(&mut self, commands: &[u8]) -> RedisResult<()> {
        self.send_packed_command(commands)
    }

    fn read_reply(&mut self) -> RedisResult<Value> {
        self.recv_response()
    }
}

/// A stream of bytes from and to a Redis inside this process, in Redis's protocol. A read waits for the next bytes of a
/// reply, and fails like a socket when the connection has ended or the server does not answer in time.
pub trait RedisStream: Read + Write + Send {}

impl<S: Read + Write + Send> RedisStream for S {}

/// A Redis inside this process, with which a simulation replaces the server.
pub trait InProcessRedis: Send + Sync + fmt::Debug {
    /// Opens a connection that needs no login.
    ///
    /// # Errors
    /// When the server accepts no connection.
    fn connect(&self) -> io::Result<Box<dyn RedisStream>>;
}

/// A connection to a Redis inside this process.
pub(crate) struct InProcessTransport {
    stream: Box<dyn RedisStream>,
    parser: Parser,
}

impl InProcessTransport {
    /// Opens a connection to `server`.
    pub(crate) fn connect(server: &dyn InProcessRedis) -> RedisResult<Self> {
        Ok(Self { stream: server.connect()?, parser: Parser::new() })
    }
}

impl RedisTransport for InProcessTransport {
    fn send_commands(&mut self, commands: &[u8]) -> RedisResult<()> {
        Ok(self.stream.write_all(commands)?)
    }

    fn read_reply(&mut self) -> RedisResult<Value> {
        self.parser.parse_value(&mut self.stream)
    }
}
