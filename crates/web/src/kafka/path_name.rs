//! Parses the name of a topic or group in the path.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;

use crate::answers::HttpFault;

/// A percent-decoded name in the path, or the reason why the path cannot be decoded.
pub(super) type PathName = Result<Path<String>, PathRejection>;

/// Returns the name in the path, or a fault with status 400.
pub(super) fn parse_path_name(path: PathName) -> Result<String, HttpFault> {
    match path {
        Ok(Path(name)) => Ok(name),
        Err(rejection) => Err(HttpFault::new(StatusCode::BAD_REQUEST, rejection.body_text())),
    }
}
