//! Sends the new records of a topic to a visitor as server-sent events.

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

use super::answer::KafkaHandlerResult;
use super::name_in_path::{NameInPath, require_name_in_path};
use super::query::{RawParameters, parse_tail_request};
use super::ui_context::KafkaUiContext;

/// The largest number of unsent server-sent events that are queued for a slow visitor. At this limit, the thread stops
/// reading from Kafka until the visitor receives an event.
const MAX_UNSENT_MESSAGES: usize = 4;
/// How long a browser waits before it reconnects after a lost connection.
const RECONNECT_DELAY: Duration = Duration::from_secs(2);

/// Returns a stream of server-sent events with the new records of a topic. Each `data:` line holds the records that the
/// server read from Kafka within a few hundred milliseconds. If reading from Kafka fails, the last `data:` line holds
/// `{"errors": […]}`.
pub(super) async fn follow_topic(
    State(ui): State<KafkaUiContext>,
    path: NameInPath,
    parameters: RawParameters,
) -> KafkaHandlerResult {
    let topic = require_name_in_path(path)?;
    let request = parse_tail_request(parameters)?;
    let permit = ui.limits.try_acquire_tail_permit()?;
    let plan = ui.limits.run_broker_request(ui.kafka_browser.plan_follow_from_end(&topic, request)).await?;
    let (sender, receiver) = mpsc::channel(MAX_UNSENT_MESSAGES);
    spawn_blocking(move || {
        let followed = plan.follow(|batch| {
            let sent = serde_json::to_string(&batch).is_ok_and(|data| sender.blocking_send(data).is_ok());
            // If the visitor has disconnected, sending to the channel fails. The thread then stops reading from Kafka.
            if sent { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if let Err(error) = followed {
            let _ = sender.blocking_send(json!({ "errors": [error.to_string()] }).to_string());
        }
        drop(permit);
    });
    let events = stream::unfold(receiver, |mut receiver: mpsc::Receiver<String>| async {
        let data = receiver.recv().await?;
        Some((Ok::<_, Infallible>(Event::default().retry(RECONNECT_DELAY).data(data)), receiver))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}
