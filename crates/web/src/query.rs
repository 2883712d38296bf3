//! Extracts the query parameters of a URL, for all handlers.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::answers::HttpFault;

/// The parameters after the `?` of a URL, as an axum extractor. If a query is invalid, the server answers the request
/// with an [`HttpFault`].
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
