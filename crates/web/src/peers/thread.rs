//! The thread that tells the others of this instance.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use tracing::{info, warn};
use windrow_engine::StoreFault;

use super::{parse, report_name, stop_name};
use crate::Console;

/// How often an instance says what it is doing.
const PUBLISH_EVERY: Duration = Duration::from_secs(5);
/// How often it looks whether it is asked to stop.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What was left over by others is deleted after this long without change.
const SWEEP_AFTER: Duration = Duration::from_secs(600);

/// This instance is telling the others of itself, until [`Publishing::end`].
pub struct Publishing {
    end: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Publishing {
    /// Begins. Where no thread can be started, this instance is one that the others do not see.
    #[must_use]
    pub fn start(console: &Arc<Console>) -> Self {
        let (end, ended) = channel();
        let console = Arc::clone(console);
        let publish = move || {
            let mut own =
                Own { instance: console.report().instance, console, number: 0, standing: None, failing: false };
            let mut published = None::<Instant>;
            loop {
                own.look();
                if published.is_none_or(|at| at.elapsed() >= PUBLISH_EVERY) {
                    published = Some(Instant::now());
                    own.publish();
                }
                if ended.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
                    own.withdraw();
                    return;
                }
            }
        };
        let thread = Builder::new().name("peers".to_owned()).spawn(publish);
        if let Err(error) = &thread {
            warn!(%error, "no thread to tell other instances of this one");
        }
        Self { end, thread: thread.ok() }
    }

    /// Takes back what this instance said. Waits at most `patience` for the store.
    pub fn end(mut self, patience: Duration) {
        let _ = self.end.send(());
        let until = Instant::now() + patience;
        if let Some(thread) = self.thread.take() {
            while !thread.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

struct Own {
    console: Arc<Console>,
    instance: String,
    number: u64,
    /// The name of the report that is in the store now.
    standing: Option<String>,
    failing: bool,
}

impl Own {
    fn look(&mut self) {
        let (peers, store) = (&self.console.peers, &*self.console.store);
        let looked = peers.look(store);
        let asked = stop_name(&self.instance);
        if looked.is_ok() && peers.known().has(&asked) && !self.console.stop.requested() {
            info!("another instance asked this one to stop");
            self.console.stop.request();
        }
        let left_over = peers.known().left_over(&self.instance, SWEEP_AFTER);
        if looked.is_ok() && !left_over.is_empty() {
            // What cannot be deleted now is there the next time.
            let _ = store.delete(&left_over);
        }
        self.note(looked);
    }

    fn publish(&mut self) {
        let store = &*self.console.store;
        let Ok(object) = serde_json::to_vec(&self.console.report()) else { return };
        self.number += 1;
        let name = report_name(&self.instance, self.number);
        let created = store.create(&name, object);
        if created.is_ok() {
            let before = self.standing.replace(name);
            // It would be swept by others, ten minutes after this process ended.
            let _ = store.delete(before.as_slice());
        }
        self.note(created);
    }

    /// Leaves nothing of its own behind.
    fn withdraw(&mut self) {
        let store = &*self.console.store;
        let listed = store.list(super::FOLDER).unwrap_or_default();
        let own = |name: &str| parse(name).is_some_and(|(instance, _)| instance == self.instance);
        let names: Vec<String> = listed.into_iter().map(|object| object.name).filter(|name| own(name)).collect();
        let _ = store.delete(&names);
    }

    /// Says once that the others cannot be told.
    fn note(&mut self, outcome: Result<(), StoreFault>) {
        match outcome {
            Ok(()) => self.failing = false,
            Err(fault) if !self.failing => {
                self.failing = true;
                warn!(%fault, "other instances cannot be told of this one; tried again every few seconds");
            }
            Err(_) => {}
        }
    }
}
