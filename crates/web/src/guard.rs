//! Who may ask, and what a browser may do with the answers. Both servers, the job's and the Kafka UI's, are behind it.
//!
//! Owns: tokens, the login page, the checks of `Host`, `Origin` and `Sec-Fetch-Site`, the bound on bodies, the headers of
//! every answer. Does not own: what is answered.
//! Invariants: (1) without a token the server listens only to this machine, and only under a name of this machine, so a page
//! elsewhere whose name resolves to `127.0.0.1` is refused; (2) a request that changes something comes from a page of this
//! server, or not from a browser; (3) no answer may be framed, sniffed, or run a script that is not a file of this server.
//! After a crash: logins stay valid, because a session depends on the token alone.

mod body;
mod headers;
mod host;
mod login;
mod origin;
mod session;
mod token;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::answers;

pub use body::BODY_MAX;
pub use token::{AccessToken, TokenFault};

/// How a server is protected.
#[derive(Clone, Debug)]
pub struct ServerProtection {
    address: SocketAddr,
    token: Option<Arc<AccessToken>>,
}

/// Other machines could reach a server that has no token.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{0} can be reached from other machines, so a token is needed: set --token-file FILE or the environment variable \
     WINDROW_TOKEN (for example to the output of `openssl rand -hex 16`), or listen at 127.0.0.1"
)]
pub struct TokenRequired(SocketAddr);

impl ServerProtection {
    /// Returns the protection of a server at `address`.
    ///
    /// # Errors
    /// When other machines could reach the server and there is no token.
    pub fn new(address: SocketAddr, token: Option<AccessToken>) -> Result<Self, TokenRequired> {
        if token.is_none() && !address.ip().is_loopback() {
            return Err(TokenRequired(address));
        }
        Ok(Self { address, token: token.map(Arc::new) })
    }
}

/// Puts all checks before `router`. Unknown paths and methods are answered with `{"errors": […]}`.
pub fn protect(router: Router, protection: &ServerProtection) -> Router {
    let mut router = router.fallback(answers::not_found).method_not_allowed_fallback(answers::method_not_allowed);
    if let Some(token) = &protection.token {
        let gate = Arc::new(login::LoginGate::new(Arc::clone(token), protection.address.port()));
        let login = login::router(Arc::clone(&gate)).method_not_allowed_fallback(answers::method_not_allowed);
        router = router.layer(from_fn_with_state(gate, login::require_login)).merge(login);
    }
    router = router.layer(from_fn(body::read_bounded_body)).layer(from_fn(origin::require_same_origin));
    if protection.address.ip().is_loopback() {
        router = router.layer(from_fn(host::require_local_host));
    }
    router.layer(from_fn(headers::add_security_headers))
}
