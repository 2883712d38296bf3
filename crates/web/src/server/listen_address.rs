//! Parses the address of a server, and opens its listening socket.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::str::FromStr;

/// The address at which a server listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListenAddress {
    /// The server is off.
    Off,
    /// The server listens at this address.
    At(SocketAddr),
}

impl FromStr for ListenAddress {
    type Err = String;

    /// Parses `off`, `127.0.0.1:8081`, `localhost:8081`, `[::1]:8081` or `0.0.0.0:8081`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        if let Some(port) = text.strip_prefix("localhost:") {
            let port = port.parse().map_err(|_| format!("`{port}` is not a port number from 0 to 65535"))?;
            return Ok(Self::At((Ipv4Addr::LOCALHOST, port).into()));
        }
        text.parse().map(Self::At).map_err(|_| {
            format!("`{text}` is not an address; write for example 127.0.0.1:8081, [::1]:8081, 0.0.0.0:8081 or off")
        })
    }
}

/// The error for an address at which the server cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address}: {error}")]
pub struct BindFault {
    /// The address of the server.
    pub address: SocketAddr,
    /// The error of the operating system.
    #[source]
    pub error: io::Error,
}

impl BindFault {
    /// Returns whether the fault is that another program listens at the address.
    #[must_use]
    pub fn is_address_in_use(&self) -> bool {
        self.error.kind() == io::ErrorKind::AddrInUse
    }
}

/// Opens the listening socket at `address`. Connections wait until [`super::HttpServer`] serves the socket.
///
/// # Errors
/// Fails if another program listens at `address`, or if no network interface of this machine has the address.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindFault> {
    let bound = TcpListener::bind(address);
    let listener = bound.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    listener.map_err(|error| BindFault { address, error })
}
