//! Texts that tell an operator why a web server cannot listen at its address, and which flags help.

use windrow_web::guard::TokenRequired;
use windrow_web::server::BindFault;

use crate::access_token::TOKEN_VARIABLE;

/// Returns a text that says which address cannot be bound, and why. The text ends with a remedy, so that the caller can
/// append another remedy.
pub(crate) fn describe_bind_fault(fault: &BindFault) -> String {
    let remedy = if fault.is_address_in_use() {
        "Another program listens there: choose another port (--listen 127.0.0.1:0 takes a free one)"
    } else {
        "Choose another address with --listen"
    };
    format!("{fault}. {remedy}")
}

/// Returns a text that says which address needs an access token, and how to set the token.
pub(crate) fn describe_missing_token(error: &TokenRequired) -> String {
    format!(
        "{error}: set --token-file FILE or the environment variable {TOKEN_VARIABLE} (for example to the output of \
         `openssl rand -hex 16`), or listen at 127.0.0.1"
    )
}
