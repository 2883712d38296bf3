//! What every part answers alike: JSON, and what went wrong.

use axum::Json;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::controls::Refused;

/// What went wrong, as `{"errors": […]}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The status.
    pub status: StatusCode,
    /// For people.
    pub reason: String,
}

impl Fault {
    /// With this status, for this reason.
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "errors": [self.reason] }))).into_response()
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        Self::new(StatusCode::BAD_REQUEST, refused.0)
    }
}

/// JSON, or what went wrong.
pub type Answer<T> = Result<Json<T>, Fault>;

/// What stands behind `?`; where it cannot be read, the answer is a [`Fault`].
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => Err(Fault::new(rejection.status(), rejection.body_text())),
        }
    }
}

/// `value` as text for an event stream.
pub fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// For paths that nobody answers.
pub async fn not_found(uri: Uri) -> Fault {
    Fault::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", shortened(uri.path())))
}

/// For paths that somebody answers, but not this verb.
pub async fn wrong_method(uri: Uri) -> Fault {
    let reason = format!("{} does not answer this method", shortened(uri.path()));
    Fault::new(StatusCode::METHOD_NOT_ALLOWED, reason)
}

fn shortened(path: &str) -> String {
    const SHOWN: usize = 200;
    if path.chars().count() <= SHOWN { path.to_owned() } else { path.chars().take(SHOWN).chain(['…']).collect() }
}
