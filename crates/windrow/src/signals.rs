//! Handles SIGTERM and Ctrl-C. The first signal requests a stop, the second ends the process at once.

use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use windrow_engine::StopSignal;

use crate::exit::{CommandFailure, ExitStatus};

/// Signals within this time after the first are ignored, because a terminal and a wrapper may both forward one Ctrl-C.
const REPEATED_SIGNAL_WINDOW: Duration = Duration::from_millis(300);

/// Starts a thread that requests `stop` at the first signal and ends the process at the second.
pub(crate) fn stop_on_signals(stop: &StopSignal) -> Result<(), CommandFailure> {
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
                Some(first) if first.elapsed() < REPEATED_SIGNAL_WINDOW => {}
                // End the process with the signal's default action, so that a shell sees the usual status. The call
                // fails only for unknown signals.
                Some(_) => drop(emulate_default_handler(signal)),
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(listen).map_err(failed)?;
    Ok(())
}
