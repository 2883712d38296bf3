//! Who may ask, and what a browser may do with the answers. Both servers, the job's and the Kafka UI's, stand behind it.
//!
//! Owns: tokens, the login page, the checks of `Host`, `Origin` and `Sec-Fetch-Site`, the bound on bodies, the headers of
//! every answer. Does not own: what is answered.
//! Invariants: (1) without a token only this machine is listened to, and only under a name that means this machine: a
//! page elsewhere whose name is made to mean `127.0.0.1` is refused; (2) what changes anything is only taken from pages
//! of this server, or from what is no browser; (3) no answer may be framed, sniffed, or run script that is not a file of
//! this server.

mod body;
mod headers;
mod host;
mod login;
mod origin;
mod token;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

pub use body::BODY_MAX;
pub use token::{AccessToken, TokenFault};

use crate::answers;

/// What stands before a server.
#[derive(Clone, Debug)]
pub struct ServerProtection {
    address: SocketAddr,
    token: Option<Arc<AccessToken>>,
}

/// Others could reach a server that anybody may use.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{0} can be reached from other machines, so a token is needed: set --token-file FILE or the environment variable \
     WINDROW_TOKEN (for example to what `openssl rand -hex 16` prints), or listen at 127.0.0.1"
)]
pub struct TokenRequired(SocketAddr);

impl ServerProtection {
    /// For a server at `address`.
    ///
    /// # Errors
    /// When other machines could reach it and there is no token.
    pub fn new(address: SocketAddr, token: Option<AccessToken>) -> Result<Self, TokenRequired> {
        if token.is_none() && !address.ip().is_loopback() {
            return Err(TokenRequired(address));
        }
        Ok(Self { address, token: token.map(Arc::new) })
    }
}

/// Puts the guard before `router`. Paths that it does not know answer `{"errors": […]}`.
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
