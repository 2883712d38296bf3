//! Starts the threads that a worker and a row writer need beside themselves.
//!
//! Owns: the interface to threads. Does not own: what the threads do, and the threads of the workers (the binary).

use std::io;
use std::thread;

/// The work of a thread.
pub type ThreadBody = Box<dyn FnOnce() + Send>;

/// Starts threads. No thread is joined, so that a process can exit while a thread hangs in a call to a service.
pub trait ThreadSpawner: Send + Sync {
    /// Starts a thread that runs `body`.
    ///
    /// # Errors
    /// When the operating system cannot start another thread.
    fn spawn_thread(&self, name: &'static str, body: ThreadBody) -> io::Result<()>;
}

/// Starts threads of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsThreadSpawner;

impl ThreadSpawner for OsThreadSpawner {
    fn spawn_thread(&self, name: &'static str, body: ThreadBody) -> io::Result<()> {
        thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
    }
}
