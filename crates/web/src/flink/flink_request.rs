//! Extracts the parameters in the path and the query of a request. Answers a malformed request with Flink's error
//! message.

use std::collections::HashMap;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::fault::bad_request;
use crate::answers::HttpFault;
use crate::query::QueryParameters;

/// The parameters in the path and query of a request.
pub(super) struct FlinkRequest {
    path_parameters: HashMap<String, String>,
    query_parameters: HashMap<String, String>,
}

impl FlinkRequest {
    /// Returns a parameter of the path, or an empty text if the path has no parameter of that name.
    pub(super) fn path_parameter(&self, name: &str) -> &str {
        self.path_parameters.get(name).map_or("", String::as_str)
    }

    pub(super) fn query_parameter(&self, name: &str) -> Option<&str> {
        self.query_parameters.get(name).map(String::as_str)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for FlinkRequest {
    type Rejection = HttpFault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpFault> {
        let malformed = |reason: String| bad_request(format!("Bad request, could not parse parameters: {reason}"));
        let path: Result<Path<HashMap<String, String>>, PathRejection> = Path::from_request_parts(parts, state).await;
        let query: Result<QueryParameters<HashMap<String, String>>, HttpFault> =
            QueryParameters::from_request_parts(parts, state).await;
        let QueryParameters(query) = query.map_err(|fault| malformed(fault.reason))?;
        let path = match path {
            Ok(Path(path)) => path,
            // This error only means that the route has no parameters in its path.
            Err(PathRejection::MissingPathParams(_)) => HashMap::new(),
            Err(rejection) => return Err(malformed(rejection.body_text())),
        };
        Ok(Self { path_parameters: path, query_parameters: query })
    }
}
