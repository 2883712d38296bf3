//! Ends the event streams of live pages, which never end by themselves.

use std::future::Future;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use futures_util::StreamExt;
use tokio::sync::watch;

/// Returns `answer`. If `answer` is an event stream, the body of the result ends when `signal` becomes true, or when the
/// sender of the signal is dropped.
pub(crate) fn end_event_stream_at_signal(mut signal: watch::Receiver<bool>, answer: Response) -> Response {
    end_event_stream_after(async move { wait_for_signal(&mut signal).await }, answer)
}

/// Returns `answer`. If `answer` is an event stream, the body of the result ends when `end` is complete.
pub(crate) fn end_event_stream_after(end: impl Future<Output = ()> + Send + 'static, answer: Response) -> Response {
    let content_type = answer.headers().get(CONTENT_TYPE);
    let is_event_stream = content_type.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !is_event_stream {
        return answer;
    }
    answer.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(end))))
}

/// Waits until `signal` becomes true, or until its sender is dropped.
pub(crate) async fn wait_for_signal(signal: &mut watch::Receiver<bool>) {
    let _ = signal.wait_for(|given| *given).await;
}
