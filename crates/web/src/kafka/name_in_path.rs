//! Reads the name of a topic or consumer group from the path of a request.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;

use crate::answers::HttpFault;

/// The percent-decoded name of a topic or consumer group in a path, or the reason why the path cannot be decoded.
pub(super) type NameInPath = Result<Path<String>, PathRejection>;

/// Returns the name of the topic or consumer group. If the path cannot be decoded, returns a fault with status 400.
pub(super) fn require_name_in_path(path: NameInPath) -> Result<String, HttpFault> {
    match path {
        Ok(Path(name)) => Ok(name),
        Err(rejection) => Err(HttpFault::new(StatusCode::BAD_REQUEST, rejection.body_text())),
    }
}
