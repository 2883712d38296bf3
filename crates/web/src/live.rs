//! Keeps pages in browsers up to date with server-sent events. A listener is the connection of one browser that shows a
//! page. Each page has one task, which builds every message once for all listeners of the page.
//!
//! Owns: the pages that have listeners. Does not own: the content of messages.
//! Invariants: (1) No message is built for a page without listeners. (2) A slow listener skips messages; messages are
//! never queued. (3) When the last listener of a page disconnects, the page's task ends.
//! After a crash: browsers reconnect by themselves.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{Stream, unfold};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::server_context::JobServerContext;

/// The time between two messages to the listeners of a page.
pub const MESSAGE_INTERVAL: Duration = Duration::from_secs(1);

/// A function that receives the number of a message and builds the message's text. Message 0 goes only to a listener
/// that has just connected. The messages from number 1 on go to all listeners of the page.
pub type MessageBuilder = Arc<dyn Fn(u64) -> BoxFuture<'static, String> + Send + Sync>;

/// Returns a message builder that calls `build` with `context` and the number of the message.
pub(crate) fn message_builder_with_context<F>(
    context: &Arc<JobServerContext>,
    build: impl Fn(Arc<JobServerContext>, u64) -> F + Send + Sync + 'static,
) -> MessageBuilder
where
    F: Future<Output = String> + Send + 'static,
{
    let context = Arc::clone(context);
    Arc::new(move |number| build(Arc::clone(&context), number).boxed())
}

/// The pages that have listeners, each with the channel that carries the page's messages. Clones of this handle share
/// the pages.
#[derive(Clone, Default)]
pub struct LiveFeeds(Arc<Mutex<HashMap<String, watch::Sender<Arc<str>>>>>);

impl LiveFeeds {
    /// Returns a stream of the messages of a page, for one listener. The name `page` must include the page's query
    /// parameters, because all listeners of one name get the same messages. The first message is sent at once. One
    /// message follows in each `period`, which is usually [`MESSAGE_INTERVAL`].
    pub fn stream_page_messages(
        &self,
        page: String,
        period: Duration,
        builder: MessageBuilder,
    ) -> Sse<impl Stream<Item = Result<Event, Infallible>> + Send + use<>> {
        let messages = self.subscribe_to_page(page, period, Arc::clone(&builder));
        let stream = unfold((messages, Some(builder)), async |(mut messages, first_builder)| {
            let text: Arc<str> = match first_builder {
                Some(builder) => builder(0).await.into(),
                None => {
                    messages.changed().await.ok()?;
                    messages.borrow_and_update().clone()
                }
            };
            Some((Ok(Event::default().data(text)), (messages, None)))
        });
        Sse::new(stream).keep_alive(KeepAlive::default())
    }

    /// Returns the number of pages for which a task builds messages. Only tests call this function.
    #[must_use]
    pub fn active_page_count(&self) -> usize {
        self.0.lock().len()
    }

    fn subscribe_to_page(&self, page: String, period: Duration, builder: MessageBuilder) -> watch::Receiver<Arc<str>> {
        let mut feeds = self.0.lock();
        if let Some(sender) = feeds.get(&page) {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(Arc::from(""));
        feeds.insert(page.clone(), sender.clone());
        tokio::spawn(self.clone().run_message_loop(page, sender, period, builder));
        receiver
    }

    async fn run_message_loop(
        self,
        page: String,
        sender: watch::Sender<Arc<str>>,
        period: Duration,
        builder: MessageBuilder,
    ) {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once. The task sends no message at this tick, because the stream of each listener
        // builds its own first message.
        ticks.tick().await;
        for number in 1.. {
            tokio::select! {
                () = sender.closed() => {}
                _ = ticks.tick() => {}
            }
            {
                let mut feeds = self.0.lock();
                if sender.receiver_count() == 0 {
                    feeds.remove(&page);
                    return;
                }
            }
            sender.send_replace(builder(number).await.into());
        }
    }
}
