//! Where the windows and panes of a sliding view start and end in event time.
//!
//! Owns: this arithmetic. Does not own: which windows have fired, and which panes are stored ([`crate::sliding`]).

use std::ops::Range;

use crate::time::{EventTime, Window};
use crate::view::pane_size_ms;

/// Computes where the windows and panes of a view start and end in event time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct WindowGrid {
    size_ms: i64,
    pub(crate) slide_ms: i64,
    pub(crate) pane_length_ms: i64,
}

impl WindowGrid {
    pub(crate) fn new(size_ms: i64, slide_ms: i64) -> Self {
        Self { size_ms, slide_ms, pane_length_ms: pane_size_ms(size_ms, slide_ms) }
    }

    pub(crate) fn pane_index_at(self, time_ms: i64) -> i64 {
        time_ms.div_euclid(self.pane_length_ms)
    }

    /// Returns the end of the last window that contains the pane with the index `pane`. If the slide is longer than the
    /// size, a pane can lie between two windows. For such a pane, returns `None`.
    pub(crate) fn pane_last_window_end_ms(self, pane: i64) -> Option<i64> {
        let start = (pane * self.pane_length_ms).div_euclid(self.slide_ms) * self.slide_ms;
        let end = start + self.size_ms;
        (pane * self.pane_length_ms < end).then_some(end)
    }

    /// Returns the end of the first window that contains the pane with the index `pane`. At least one window must
    /// contain this pane.
    pub(crate) fn pane_first_window_end_ms(self, pane: i64) -> i64 {
        self.next_window_end_ms((pane + 1) * self.pane_length_ms - 1)
    }

    pub(crate) fn window_ending_at(self, end_ms: i64) -> Window {
        Window { start: EventTime::from_ms(end_ms - self.size_ms), end: EventTime::from_ms(end_ms) }
    }

    /// Returns the indexes of the panes of the window that ends at `end_ms`.
    pub(crate) fn window_panes(self, end_ms: i64) -> Range<i64> {
        self.pane_index_at(end_ms - self.size_ms)..self.pane_index_at(end_ms)
    }

    /// Returns the index of the first pane whose last window ends after `time_ms`.
    pub(crate) fn first_pane_with_window_end_after(self, time_ms: i64) -> i64 {
        self.pane_index_at(((time_ms - self.size_ms).div_euclid(self.slide_ms) + 1) * self.slide_ms)
    }

    /// Returns the earliest window end that is later than `time_ms`.
    pub(crate) fn next_window_end_ms(self, time_ms: i64) -> i64 {
        (time_ms - self.size_ms).div_euclid(self.slide_ms) * self.slide_ms + self.slide_ms + self.size_ms
    }
}
