//! Access control and security headers, for the job's server and for the Kafka UI's server.
//!
//! Owns: tokens, the login page, the checks of `Host`, `Origin` and `Sec-Fetch-Site`, the size limit of bodies, and the
//! security headers.
//! Does not own: the content of the responses.
//! Invariants: (1) Without a token, a server accepts only connections from this machine, and only requests to a local
//! host name. So the server refuses requests from a page of another server whose host name resolves to `127.0.0.1`. With
//! a token, it also accepts the public host names that the operator has named, and IP addresses if other machines reach it.
//! If no name is given, it accepts any host name from a proxy, or on an address that other machines reach. Health checks
//! show reasons only to local host names, IP addresses and named public hosts, because they need no login. (2) If a request
//! changes something, a server accepts it only from its own pages or from a client that is not a browser. (3) The security
//! headers forbid browsers to show a page in a frame, and to guess a content type. (4) A page runs only scripts that are
//! files of this server. (5) After its end, a session's cookie is worth nothing, and its event streams have ended.
//! After a crash: all sessions have ended, so users log in again.

mod headers;
mod host;
mod login;
mod origin;
mod public_host;
mod request_body;
mod session;
pub(crate) mod tls_proxy;
mod token;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state, map_response};

use crate::answers;

pub use public_host::{InvalidPublicHost, PublicHost};
pub use request_body::MAX_REQUEST_BODY_BYTES;
pub use tls_proxy::TlsProxies;
pub use token::{AccessToken, InvalidToken};

/// The settings of a server's access control: the server's address, the access token if the server has one, and the
/// proxies in front of the server.
#[derive(Clone, Debug)]
pub struct ServerProtection {
    address: SocketAddr,
    token: Option<Arc<AccessToken>>,
    tls_proxies: TlsProxies,
}

/// The error for a server without a token at an address that other machines can reach.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{address} can be reached from other machines, so a token is needed")]
pub struct TokenRequired {
    /// The address of the server.
    pub address: SocketAddr,
}

impl ServerProtection {
    /// Returns the settings of the access control for a server at `address`.
    ///
    /// # Errors
    /// Fails if other machines could reach the server and `token` is `None`.
    pub fn new(address: SocketAddr, token: Option<AccessToken>) -> Result<Self, TokenRequired> {
        if token.is_none() && !address.ip().is_loopback() {
            return Err(TokenRequired { address });
        }
        Ok(Self { address, token: token.map(Arc::new), tls_proxies: TlsProxies::default() })
    }

    /// Returns advice about the accepted host names for the log of the start, if there is one.
    #[must_use]
    pub fn host_name_advice(&self) -> Option<&'static str> {
        let TlsProxies { is_always_used, trusted_addresses, public_hosts } = &self.tls_proxies;
        let has_proxy = *is_always_used || !trusted_addresses.is_empty();
        match (self.token.is_some(), public_hosts.is_empty()) {
            (true, true) if has_proxy => Some(
                "requests to any host name are accepted from the proxy, with the token; --public-host NAME accepts that \
                 name only",
            ),
            (true, false) if !has_proxy => Some(
                "session cookies are sent over HTTP, too; behind a proxy with TLS, also give --behind-tls or --trusted-proxy",
            ),
            (false, false) => Some("--public-host has no effect without an access token (--token-file)"),
            _ => None,
        }
    }

    /// Returns these settings for a server behind `tls_proxies`. A browser that uses TLS receives its session cookie with
    /// the attribute `Secure`.
    #[must_use]
    pub fn with_tls_proxies(self, tls_proxies: TlsProxies) -> Self {
        Self { tls_proxies, ..self }
    }
}

/// Adds access control and security headers to `router`. The result answers a request with an unknown path or method
/// with `{"errors": […]}`.
pub fn protect(router: Router, protection: &ServerProtection) -> Router {
    let mut router =
        router.fallback(answers::answer_not_found).method_not_allowed_fallback(answers::answer_method_not_allowed);
    if let Some(token) = &protection.token {
        let (port, tls_proxies) = (protection.address.port(), protection.tls_proxies.clone());
        let gate = Arc::new(login::LoginChecker::new(Arc::clone(token), port, tls_proxies));
        let login = login::router(Arc::clone(&gate)).method_not_allowed_fallback(answers::answer_method_not_allowed);
        router = router.layer(from_fn_with_state(gate, login::require_login)).merge(login);
    }
    router = router.layer(from_fn(request_body::read_bounded_body)).layer(from_fn(origin::require_same_origin));
    let host_policy = host::HostPolicy {
        is_on_loopback: protection.address.ip().is_loopback(),
        requires_login: protection.token.is_some(),
        tls_proxies: protection.tls_proxies.clone(),
    };
    router = router.layer(from_fn_with_state(Arc::new(host_policy), host::require_own_host));
    router.layer(map_response(headers::add_security_headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_depends_on_token_proxy_and_public_host() {
        let advice = |has_token: bool, is_always_used: bool, public_host: Option<&str>| {
            let token = has_token.then(|| AccessToken::new("a-token-of-twenty-bytes").expect("long enough"));
            let public_hosts = public_host.iter().map(|name| name.parse().expect("a name")).collect();
            let tls_proxies = TlsProxies { is_always_used, public_hosts, ..TlsProxies::default() };
            let protection = ServerProtection::new(SocketAddr::from(([127, 0, 0, 1], 1)), token).expect("loopback");
            protection.with_tls_proxies(tls_proxies).host_name_advice()
        };
        assert!(advice(true, true, None).is_some_and(|text| text.contains("any host name")));
        assert!(advice(true, false, Some("windrow.example")).is_some_and(|text| text.contains("cookies")));
        assert!(advice(false, false, Some("windrow.example")).is_some_and(|text| text.contains("token")));
        assert_eq!(advice(true, true, Some("windrow.example")), None);
        assert_eq!(advice(true, false, None), None);
    }
}
