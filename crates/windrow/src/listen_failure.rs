//! Describes why a web server cannot listen at its address, with the flags that help.

use windrow_web::guard::TokenRequired;
use windrow_web::server::BindFault;

use crate::access_token::TOKEN_VARIABLE;

/// Describes an address that cannot be bound. The text ends with the remedy, so a caller can append another remedy.
pub(crate) fn describe_bind_fault(fault: &BindFault) -> String {
    let remedy = if fault.is_address_in_use() {
        "Another program listens there: choose another port (--listen 127.0.0.1:0 takes a free one)"
    } else {
        "Choose another address with --listen"
    };
    format!("{fault}. {remedy}")
}

/// Describes an address that needs an access token, and how to set the token.
pub(crate) fn describe_missing_token(error: &TokenRequired) -> String {
    format!(
        "{error}: set --token-file FILE or the environment variable {TOKEN_VARIABLE} (for example to the output of \
         `openssl rand -hex 16`), or listen at 127.0.0.1"
    )
}
