//! Asks the health checks of a running job over HTTP, on machines without an HTTP client, such as a container.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::HOST;
use axum::http::{Request, StatusCode};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use thiserror::Error;
use tokio::net::TcpStream;

/// The largest size of an answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The health check to ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HealthCheck {
    /// `/healthz`: whether all workers make progress.
    Progress,
    /// `/readyz`: whether the instance has started, is not stopping, and reaches Kafka and Redis.
    Readiness,
}

/// The answer of a health check.
#[derive(PartialEq, Eq, Debug)]
pub enum HealthAnswer {
    /// The check passed.
    Healthy,
    /// The check failed, with a sentence for each problem.
    Unhealthy(Vec<String>),
}

/// The reason why a health check did not answer.
#[derive(Error, Debug)]
pub enum HealthProbeError {
    /// The connection failed, or the thread could not wait for it.
    #[error("cannot connect")]
    Connection(#[from] io::Error),
    /// The answer did not arrive in time.
    #[error("did not answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The server does not speak HTTP.
    #[error("did not answer in HTTP")]
    Http(#[from] hyper::Error),
    /// The server answered, but is not a job of Windrow.
    #[error("answered with HTTP {0}, but not as a health check of Windrow does")]
    ForeignAnswer(StatusCode),
}

#[derive(Deserialize)]
struct HealthyBody {
    status: String,
}

#[derive(Deserialize)]
struct UnhealthyBody {
    errors: Vec<String>,
}

/// Asks the job at `address` for the result of `check` and waits at most `timeout`.
///
/// # Errors
/// Returns an error if no health check of Windrow answers at `address` within `timeout`.
pub fn probe_health(
    address: SocketAddr,
    check: HealthCheck,
    timeout: Duration,
) -> Result<HealthAnswer, HealthProbeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::time::timeout(timeout, request_health(address, check))
            .await
            .unwrap_or(Err(HealthProbeError::Timeout(timeout)))
    })
}

async fn request_health(address: SocketAddr, check: HealthCheck) -> Result<HealthAnswer, HealthProbeError> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let path = match check {
        HealthCheck::Progress => "/healthz",
        HealthCheck::Readiness => "/readyz",
    };
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = axum::http::Uri::from_static(path);
    if let Ok(host) = address.to_string().parse() {
        request.headers_mut().insert(HOST, host);
    }
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    // A body that cannot be read is not an answer of Windrow either.
    let body = to_bytes(Body::new(answer.into_body()), MAX_ANSWER_BYTES).await.unwrap_or_default();
    let is_healthy = || serde_json::from_slice::<HealthyBody>(&body).is_ok_and(|body| body.status == "ok");
    match (status, serde_json::from_slice::<UnhealthyBody>(&body)) {
        (StatusCode::OK, _) if is_healthy() => Ok(HealthAnswer::Healthy),
        (StatusCode::SERVICE_UNAVAILABLE, Ok(body)) => Ok(HealthAnswer::Unhealthy(body.errors)),
        (status, _) => Err(HealthProbeError::ForeignAnswer(status)),
    }
}
