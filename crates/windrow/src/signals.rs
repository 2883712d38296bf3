//! SIGTERM and Ctrl-C: the first asks everybody to stop, the second ends the process at once.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use windrow_engine::Stop;

use crate::exit::{Exit, Failure};

/// Exit code of a process ended by a second signal: the shell's own for SIGINT.
const KILLED: i32 = 130;

/// Requests `stop` at the first signal.
pub(crate) fn handle(stop: &Stop) -> Result<(), Failure> {
    let failed = |error| Failure::new(Exit::Internal, format!("error: cannot handle signals: {error}"));
    for signal in [SIGINT, SIGTERM] {
        // In this order: at the first signal the flag is still down, so only the second ends the process.
        flag::register_conditional_shutdown(signal, KILLED, stop.flag()).map_err(failed)?;
        flag::register(signal, stop.flag()).map_err(failed)?;
    }
    Ok(())
}
