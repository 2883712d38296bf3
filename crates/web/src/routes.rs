//! All paths of a job's server.

use std::sync::Arc;

use axum::Router;

use crate::Console;

/// The job's pages, their JSON, health, and what other parts answer; [`crate::guard::protect`] belongs around it.
pub fn of_job(console: Arc<Console>) -> Router {
    Router::new().with_state(console)
}
