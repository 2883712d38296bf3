//! Stops all instances of the job.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tracing::{info, warn};

use crate::server_context::JobServerContext;

/// This instance stops after this time, even if the stop requests to the others are not written yet.
const STOP_OTHERS_TIMEOUT: Duration = Duration::from_secs(3);

impl JobServerContext {
    /// Stops all instances of the job. The others read the stop request from the checkpoint store within about two
    /// seconds.
    pub fn stop_job(&self) {
        let (store, peers) = (Arc::clone(&self.checkpoint_store), self.peers.clone());
        let own_instance = self.report_source.current_report().instance_id;
        let stop_signal = self.stop_signal.clone();
        let stop_all = move || {
            // A separate thread writes the requests, because an unreachable store must not keep this process running.
            let (done, wait) = channel();
            let stop_others = move || {
                peers.request_stop_of_others(&*store, &own_instance);
                let _ = done.send(());
            };
            drop(thread::Builder::new().name("stop-others".to_owned()).spawn(stop_others));
            let _ = wait.recv_timeout(STOP_OTHERS_TIMEOUT);
            info!("job stopped over HTTP");
            stop_signal.request();
        };
        if thread::Builder::new().name("stop-job".to_owned()).spawn(stop_all).is_err() {
            warn!("cannot start a thread to stop the other instances; only this one stops");
            self.stop_signal.request();
        }
    }
}
