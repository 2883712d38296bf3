//! Readings of both clocks at the same moment.

use std::time::Duration;

use crate::Clock;

/// The values of the monotonic clock and the wall clock at the same moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClockReading {
    pub(super) monotonic_now: Duration,
    pub(super) wall_now_ms: i64,
}

impl ClockReading {
    pub(super) fn read(clock: &dyn Clock) -> Self {
        Self { monotonic_now: clock.monotonic_now(), wall_now_ms: clock.wall_now_ms() }
    }
}

/// When the worker last noticed that it had processed records of a partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastActivity {
    pub(super) noticed_at: ClockReading,
    pub(super) processed_record_count: u64,
}
