//! What every part answers alike: JSON, and what went wrong.

use axum::Json;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::controls::SavepointRefusal;

/// What went wrong, as `{"errors": […]}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpFault {
    /// The status.
    pub status: StatusCode,
    /// For people.
    pub reason: String,
}

impl HttpFault {
    /// With this status, for this reason.
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }
}

impl IntoResponse for HttpFault {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "errors": [self.reason] }))).into_response()
    }
}

impl From<SavepointRefusal> for HttpFault {
    fn from(refused: SavepointRefusal) -> Self {
        Self::new(StatusCode::BAD_REQUEST, refused.0)
    }
}

/// JSON, or what went wrong.
pub type JsonAnswer<T> = Result<Json<T>, HttpFault>;

/// What stands behind `?`; where it cannot be read, the answer is a [`HttpFault`].
pub struct QueryParameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryParameters<T> {
    type Rejection = HttpFault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpFault> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => Err(HttpFault::new(rejection.status(), rejection.body_text())),
        }
    }
}

/// `value` as text for an event stream.
pub fn to_json_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// For paths that nobody answers.
pub async fn not_found(uri: Uri) -> HttpFault {
    HttpFault::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", shorten_path(uri.path())))
}

/// For paths that somebody answers, but not this verb.
pub async fn method_not_allowed(uri: Uri) -> HttpFault {
    let reason = format!("{} does not answer this method", shorten_path(uri.path()));
    HttpFault::new(StatusCode::METHOD_NOT_ALLOWED, reason)
}

fn shorten_path(path: &str) -> String {
    const SHOWN: usize = 200;
    if path.chars().count() <= SHOWN { path.to_owned() } else { path.chars().take(SHOWN).chain(['…']).collect() }
}
