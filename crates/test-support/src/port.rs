//! Ports for the servers that tests start.

use std::fs::File;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

/// The ports of tests. They are below the range from which Linux takes ports for outgoing connections, so that a server
/// can be started again on its port. The scripts in `dev` use others.
const FIRST_PORT: u16 = 10_000;
const PORT_COUNT: u16 = 5_000;
/// The ports that one process tries first are this far from those of the process started before it.
const PORTS_PER_PROCESS: u32 = 17;

static TRIED_PORT_COUNT: AtomicU32 = AtomicU32::new(0);
/// The locks of the ports that this process has taken. The end of the process releases them.
static LOCKS: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// Returns a free port that no other test gets before this process ends, also while the server on it does not run.
///
/// # Panics
/// When all ports are taken.
#[must_use]
pub fn free_port() -> u16 {
    let folder = std::env::temp_dir().join("windrow-test-ports");
    std::fs::create_dir_all(&folder).expect("a folder for locks");
    for _ in 0..PORT_COUNT {
        let tried = TRIED_PORT_COUNT.fetch_add(1, Ordering::Relaxed);
        let place = std::process::id().wrapping_mul(PORTS_PER_PROCESS).wrapping_add(tried) % u32::from(PORT_COUNT);
        let port = FIRST_PORT + u16::try_from(place).expect("less than the number of ports");
        let lock = File::create(folder.join(port.to_string())).expect("a lock file");
        if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            LOCKS.lock().push(lock);
            return port;
        }
    }
    panic!("tests have taken all ports from {FIRST_PORT} on");
}
