//! Parses and binds the address of a server.

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
            let port = port.parse().map_err(|_| format!("`{port}` is not a port"))?;
            return Ok(Self::At((Ipv4Addr::LOCALHOST, port).into()));
        }
        text.parse().map(Self::At).map_err(|_| {
            format!("`{text}` is not an address; write for example 127.0.0.1:8081, [::1]:8081, 0.0.0.0:8081 or off")
        })
    }
}

/// The failure to listen at an address.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address} (--listen): {error}{}", self.way_out())]
pub struct BindFault {
    /// The address of the server.
    pub address: SocketAddr,
    /// The error of the operating system.
    #[source]
    pub error: io::Error,
}

impl BindFault {
    /// Returns whether another program listens at the address.
    #[must_use]
    pub fn is_address_in_use(&self) -> bool {
        self.error.kind() == io::ErrorKind::AddrInUse
    }

    fn way_out(&self) -> &'static str {
        if self.is_address_in_use() {
            ". Another program listens there: choose another port (--listen 127.0.0.1:0 takes a free one), or --listen off"
        } else {
            ". Choose another address, or --listen off"
        }
    }
}

/// Listens at `address`. Clients wait until a server is started on the listener.
///
/// # Errors
/// When another program listens at `address`, or this machine does not have it.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindFault> {
    let bound = TcpListener::bind(address);
    let listener = bound.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    listener.map_err(|error| BindFault { address, error })
}
