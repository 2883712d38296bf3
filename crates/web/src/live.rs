//! Pages that stay up to date: server-sent events, one build per second and page, not per visitor.
//!
//! Owns: who listens to what. Does not own: what is said.
//! Invariants: (1) nothing is built while nobody listens; (2) a listener that reads slowly skips messages, none are kept
//! for it; (3) when the last listener is gone, so is the task that built for it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::future::BoxFuture;
use futures_util::stream::{Stream, unfold};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

/// Between two messages.
pub const MESSAGE_INTERVAL: Duration = Duration::from_secs(1);

/// Builds a message. It is told the number of the message since it was first asked: 0 is a listener's first message.
pub type MessageBuilder = Arc<dyn Fn(u64) -> BoxFuture<'static, String> + Send + Sync>;

/// What is being listened to. A handle: clones are the same.
#[derive(Clone, Default)]
pub struct LiveFeeds(Arc<Mutex<HashMap<String, watch::Sender<Arc<str>>>>>);

impl LiveFeeds {
    /// Listens to `page` (with its parameters: what is built for one listener goes to all of that name). The first message
    /// comes at once, the others after `every`, usually [`EVERY`].
    pub fn follow(
        &self,
        page: String,
        period: Duration,
        build: MessageBuilder,
    ) -> Sse<impl Stream<Item = Result<Event, Infallible>> + Send + use<>> {
        let messages = self.subscribe_page(page, period, Arc::clone(&build));
        let stream = unfold((messages, Some(build)), async |(mut messages, first)| {
            let text: Arc<str> = match first {
                Some(build) => build(0).await.into(),
                None => {
                    messages.changed().await.ok()?;
                    messages.borrow_and_update().clone()
                }
            };
            Some((Ok(Event::default().data(text)), (messages, None)))
        });
        Sse::new(stream).keep_alive(KeepAlive::default())
    }

    /// How many pages are being built; for tests.
    #[must_use]
    pub fn active_page_count(&self) -> usize {
        self.lock_feeds().len()
    }

    fn subscribe_page(&self, page: String, every: Duration, build: MessageBuilder) -> watch::Receiver<Arc<str>> {
        let mut feeds = self.lock_feeds();
        if let Some(sender) = feeds.get(&page) {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(Arc::from(""));
        feeds.insert(page.clone(), sender.clone());
        tokio::spawn(self.clone().build_messages(page, sender, every, build));
        receiver
    }

    async fn build_messages(
        self,
        page: String,
        sender: watch::Sender<Arc<str>>,
        every: Duration,
        build: MessageBuilder,
    ) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await; // at once: each listener has built its own first message
        for second in 1.. {
            tokio::select! {
                () = sender.closed() => {}
                _ = ticks.tick() => {}
            }
            {
                let mut feeds = self.lock_feeds();
                if sender.receiver_count() == 0 {
                    feeds.remove(&page);
                    return;
                }
            }
            sender.send_replace(build(second).await.into());
        }
    }

    fn lock_feeds(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Arc<str>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
