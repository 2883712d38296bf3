//! Reads the access token of a web server from a file or the environment.

use std::env;
use std::fs;
use std::path::Path;

use windrow_web::guard::AccessToken;

use crate::exit::{CommandFailure, ExitStatus};

/// The environment variable that holds the access token.
pub(crate) const TOKEN_VARIABLE: &str = "WINDROW_TOKEN";

/// Reads the access token from the file at the path `file`. Without a path, reads it from the environment variable
/// `WINDROW_TOKEN`. Returns `None` if there is no path and the variable is not set.
pub(crate) fn read_token(file: Option<&Path>) -> Result<Option<AccessToken>, CommandFailure> {
    let (text, from) = match file {
        Some(path) => {
            let unreadable = |error| {
                CommandFailure::new(
                    ExitStatus::Usage,
                    format!("error: cannot read --token-file {}: {error}", path.display()),
                )
            };
            (fs::read_to_string(path).map_err(unreadable)?, format!("--token-file {}", path.display()))
        }
        None => match env::var(TOKEN_VARIABLE) {
            Ok(text) => (text, TOKEN_VARIABLE.to_owned()),
            Err(env::VarError::NotPresent) => return Ok(None),
            Err(env::VarError::NotUnicode(_)) => (String::new(), TOKEN_VARIABLE.to_owned()),
        },
    };
    AccessToken::new(&text).map(Some).map_err(|fault| {
        CommandFailure::new(ExitStatus::Usage, format!("error: {from} does not hold a valid token: {fault}"))
    })
}
