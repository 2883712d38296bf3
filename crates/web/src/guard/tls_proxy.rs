//! The proxies in front of a server: whether a browser reaches the server over TLS, which only a proxy can provide, and
//! whether a request may name another host than this machine.

use std::net::IpAddr;

use axum::http::{Extensions, HeaderMap};

use super::public_host::PublicHost;

/// The header in which a proxy says whether the browser uses TLS.
const PROTOCOL_HEADER: &str = "x-forwarded-proto";

/// The proxies in front of a server.
#[derive(Clone, Default, Debug)]
pub struct TlsProxies {
    /// Whether browsers reach the server only over TLS.
    pub is_always_used: bool,
    /// The addresses of proxies whose header `X-Forwarded-Proto` is believed.
    pub trusted_addresses: Vec<IpAddr>,
    /// The host names under which browsers reach the server. While the list is empty, a proxy may name any host.
    pub public_hosts: Vec<PublicHost>,
}

/// The address from which a connection comes. The server adds it to each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl TlsProxies {
    /// Returns whether the browser that sent a request uses TLS, as far as this is known. An attacker who sends the
    /// header directly is not believed.
    pub(super) fn has_browser_tls(&self, headers: &HeaderMap, extensions: &Extensions) -> bool {
        let is_trusted = self.comes_from_trusted_address(extensions);
        let protocols = headers.get_all(PROTOCOL_HEADER).iter().filter_map(|value| value.to_str().ok());
        let mut protocols = protocols.flat_map(|value| value.split(',')).map(str::trim);
        self.is_always_used || (is_trusted && protocols.any(|protocol| protocol.eq_ignore_ascii_case("https")))
    }

    /// Returns whether a request may come from a proxy that passes on the host name under which browsers reach the proxy.
    pub(super) fn may_come_from_proxy(&self, extensions: &Extensions) -> bool {
        self.is_always_used || self.comes_from_trusted_address(extensions)
    }

    fn comes_from_trusted_address(&self, extensions: &Extensions) -> bool {
        let client = extensions.get::<ClientAddress>().map(|client| client.0.to_canonical());
        client.is_some_and(|client| self.trusted_addresses.iter().any(|ip| ip.to_canonical() == client))
    }
}
