//! The address of Redis, rendered without the login.
//!
//! Owns: parsing the URL and opening connections. Does not own: the commands that are sent over a connection, and the
//! login (`login.rs`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::{
    Connection, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo, RedisResult,
};

use super::transport::InProcessRedis;

/// The address and login of a Redis server. `Display` writes `host:port` or the path of a socket, never the login.
#[derive(Clone)]
pub(crate) struct RedisAddress {
    connection_info: ConnectionInfo,
    /// The Redis of a simulation, which replaces the server at the address.
    in_process_server: Option<Arc<dyn InProcessRedis>>,
}

impl RedisAddress {
    /// Parses the value of `sink.redis.url`. The error does not quote the URL, because the URL may contain a password.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let info = url.into_connection_info().map_err(|error| {
            format!(
                "sink.redis.url is not the address of a Redis server ({error}); write it like redis://localhost:6379, \
                 rediss://user:password@host:6380/0 (TLS) or unix:///path/to/redis.sock"
            )
        })?;
        if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            // If several crypto providers for TLS are compiled into the process, rustls chooses none of them.
            // `install_default` fails only if the process already has a default provider, so the result is ignored.
            let _already_installed = rustls::crypto::ring::default_provider().install_default();
        }
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        Ok(Self { connection_info: info.set_tcp_settings(tcp), in_process_server: None })
    }

    /// Returns this address with `server` in place of the server, if there is one.
    pub(crate) fn with_in_process_server(self, server: Option<Arc<dyn InProcessRedis>>) -> Self {
        Self { in_process_server: server, ..self }
    }

    pub(crate) fn in_process_server(&self) -> Option<&dyn InProcessRedis> {
        self.in_process_server.as_deref()
    }

    /// Returns the user, the password and the number of the database.
    pub(crate) fn login(&self) -> &RedisConnectionInfo {
        self.connection_info.redis_settings()
    }

    /// Opens a connection within `timeout`, and sends nothing. Later reads and writes have the same timeout.
    pub(crate) fn open_without_login(&self, timeout: Duration) -> RedisResult<Connection> {
        let without_login = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2).set_skip_set_lib_name();
        let client = redis::Client::open(self.connection_info.clone().set_redis_settings(without_login))?;
        let connection = client.get_connection_with_timeout(timeout)?;
        connection.set_read_timeout(Some(timeout))?;
        connection.set_write_timeout(Some(timeout))?;
        Ok(connection)
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.connection_info.addr().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_without_the_login() {
        for (url, shown) in [
            ("redis://localhost", "localhost:6379"),
            ("redis://:hunter2@10.0.0.1:7000/3", "10.0.0.1:7000"),
            ("rediss://me:hunter2@redis.example", "redis.example:6379"),
            ("unix:///run/redis.sock?pass=hunter2", "/run/redis.sock"),
        ] {
            assert_eq!(RedisAddress::parse(url).expect(url).to_string(), shown);
        }
    }

    #[test]
    fn a_bad_url_is_not_repeated() {
        for url in ["redis://:hunter2@host:port", "redis://:hunter2@", "redis://:hunter2@host/x", "hunter2"] {
            let message = RedisAddress::parse(url).err().expect(url);
            assert!(message.contains("sink.redis.url") && !message.contains("hunter2"), "{message}");
        }
    }
}
