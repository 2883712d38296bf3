//! Whether a browser reaches the server over TLS, which only a proxy in front of the server can provide.

use std::net::IpAddr;

use axum::http::{Extensions, HeaderMap};

/// The header in which a proxy says whether the browser uses TLS.
const PROTOCOL_HEADER: &str = "x-forwarded-proto";

/// The proxies in front of a server.
#[derive(Clone, Default, Debug)]
pub struct TlsProxies {
    /// Whether browsers reach the server only over TLS.
    pub is_always_used: bool,
    /// The addresses of proxies whose header `X-Forwarded-Proto` is believed.
    pub trusted_addresses: Vec<IpAddr>,
}

/// The address from which a connection comes. The server adds it to each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl TlsProxies {
    /// Returns whether the browser that sent a request uses TLS, as far as this is known. An attacker who sends the
    /// header directly is not believed.
    pub(super) fn has_browser_tls(&self, headers: &HeaderMap, extensions: &Extensions) -> bool {
        let client = extensions.get::<ClientAddress>().map(|client| client.0.to_canonical());
        let is_trusted =
            client.is_some_and(|client| self.trusted_addresses.iter().any(|ip| ip.to_canonical() == client));
        let protocols = headers.get_all(PROTOCOL_HEADER).iter().filter_map(|value| value.to_str().ok());
        let mut protocols = protocols.flat_map(|value| value.split(',')).map(str::trim);
        self.is_always_used || (is_trusted && protocols.any(|protocol| protocol.eq_ignore_ascii_case("https")))
    }
}
