//! The address of Redis, rendered without the login.
//!
//! Owns: parsing the URL and connecting to Redis. Does not own: the commands that are sent over the connection.

use std::fmt;
use std::time::Duration;

use redis::{Connection, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisResult};

/// The address and login of a Redis server. `Display` writes `host:port` or the path of a socket, never the login.
#[derive(Clone)]
pub(crate) struct RedisAddress(ConnectionInfo);

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
        let login = info.redis_settings().clone().set_skip_set_lib_name();
        Ok(Self(info.set_tcp_settings(tcp).set_redis_settings(login)))
    }

    /// Opens a connection and logs in within `connect_timeout`. The timeout of every later read and write is
    /// `response_timeout`.
    pub(crate) fn connect(&self, connect_timeout: Duration, response_timeout: Duration) -> RedisResult<Connection> {
        let client = redis::Client::open(self.0.clone())?;
        let connection = client.get_connection_with_timeout(connect_timeout)?;
        connection.set_read_timeout(Some(response_timeout))?;
        connection.set_write_timeout(Some(response_timeout))?;
        Ok(connection)
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.addr().fmt(f)
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
