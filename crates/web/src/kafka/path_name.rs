//! The name of a topic or group in the path.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;

use crate::answers::HttpFault;

/// A name in the path, percent-decoded, or why it cannot be decoded.
pub(super) type PathName = Result<Path<String>, PathRejection>;

/// Returns the name in the path.
pub(super) fn parse_path_name(path: PathName) -> Result<String, HttpFault> {
    match path {
        Ok(Path(name)) => Ok(name),
        Err(rejection) => Err(HttpFault::new(StatusCode::BAD_REQUEST, rejection.body_text())),
    }
}
