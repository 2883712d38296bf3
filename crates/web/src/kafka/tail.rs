//! Sends new records of a topic as server-sent events.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::answer::KafkaAnswer;
use super::path_name::{PathName, parse_path_name};
use super::query::{RawParameters, parse_tail_request};
use super::ui::KafkaUi;

/// The largest number of messages that wait for a slow visitor. At this limit reading pauses.
const WAITING_MESSAGES_MAX: usize = 4;
/// The time that a browser waits before it reconnects.
const RECONNECT_DELAY: Duration = Duration::from_secs(2);

/// Answers with a stream of server-sent events. Each `data:` line holds the records of a few hundred milliseconds.
/// After an error the last line is `{"errors": […]}`.
pub(super) async fn follow_topic(State(ui): State<KafkaUi>, path: PathName, parameters: RawParameters) -> KafkaAnswer {
    let topic = parse_path_name(path)?;
    let request = parse_tail_request(parameters)?;
    let turn = ui.limits.try_acquire_tail_permit()?;
    let plan = ui.ask_brokers(ui.browser.plan_tail(&topic, request)).await?;
    let (sender, receiver) = mpsc::channel(WAITING_MESSAGES_MAX);
    spawn_blocking(move || {
        let followed = plan.follow(|batch| {
            let sent = serde_json::to_string(&batch).is_ok_and(|data| sender.blocking_send(data).is_ok());
            // Stop reading when the visitor has disconnected.
            if sent { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if let Err(error) = followed {
            let _ = sender.blocking_send(json!({ "errors": [error.to_string()] }).to_string());
        }
        drop(turn);
    });
    let events = stream::unfold(receiver, |mut receiver: mpsc::Receiver<String>| async {
        let data = receiver.recv().await?;
        Some((Ok::<_, Infallible>(Event::default().retry(RECONNECT_DELAY).data(data)), receiver))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}
