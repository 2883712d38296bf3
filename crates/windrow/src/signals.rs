//! Handles SIGTERM and Ctrl-C. The first signal requests a stop. The second signal ends the process at once.

use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use windrow_engine::StopSignal;

use crate::exit::{CommandFailure, ExitStatus};

/// The time after the first signal in which further signals are ignored. A terminal and a wrapper script may both
/// forward the same Ctrl-C, so one Ctrl-C may cause two signals.
const REPEATED_SIGNAL_IGNORED_FOR: Duration = Duration::from_millis(300);

/// Starts a thread that requests a stop through `stop` at the first signal. At the second signal, the thread ends the
/// process.
pub(crate) fn start_signal_thread(stop: &StopSignal) -> Result<(), CommandFailure> {
    let failed = |error| CommandFailure::new(ExitStatus::Internal, format!("error: cannot handle signals: {error}"));
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let stop = stop.clone();
    let listen = move || {
        let mut first: Option<Instant> = None;
        for signal in signals.forever() {
            match first {
                None => {
                    first = Some(Instant::now());
                    stop.request();
                }
                Some(first) if first.elapsed() < REPEATED_SIGNAL_IGNORED_FOR => {}
                // This call ends the process by the signal's default action, so that a shell sees the usual exit
                // status. The call fails only for unknown signals.
                Some(_) => drop(emulate_default_handler(signal)),
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(listen).map_err(failed)?;
    Ok(())
}
