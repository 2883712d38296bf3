//! From which window on a feature is complete, if it has not seen all events.
//!
//! A feature that was added to a running pipeline has seen only the events since then. Its *first complete window* is the
//! earliest window start from which on no window lacks an event. The functions know event times only: the latest event time
//! among the unseen events, and the watermark.

use crate::time::EventTime;
use crate::view::{FeatureView, WindowKind};

impl WindowKind {
    /// Returns the start of the first complete window of a feature that has not seen events up to `latest_unseen`. Of a
    /// session that starts within the gap after an unseen event, the view may know only the end: the view may have been added
    /// with the feature, or not long before.
    #[must_use]
    pub fn first_complete_window_after(self, latest_unseen: EventTime) -> EventTime {
        let first_seen_ms = latest_unseen.ms() + 1;
        EventTime::from_ms(match self {
            Self::Sliding { slide_ms, .. } => next_multiple(first_seen_ms, slide_ms),
            Self::Session { gap_ms } => first_seen_ms + gap_ms,
        })
    }

    /// Returns the start of the first complete window after the length of the windows has changed from `saved`. At
    /// `watermark`, the panes of passed windows were gone. `latest_unseen` is the latest event time so far: if the saved
    /// windows did not cover all times, events up to it may have been in no window. Returns `None` if all windows are
    /// complete, because the windows have become shorter.
    #[must_use]
    pub fn first_complete_window_after_resize(
        self,
        saved: Self,
        watermark: EventTime,
        latest_unseen: EventTime,
    ) -> Option<EventTime> {
        match (self, saved) {
            (Self::Sliding { size_ms, .. }, Self::Sliding { size_ms: saved_size_ms, .. })
                if size_ms <= saved_size_ms =>
            {
                None
            }
            (Self::Sliding { slide_ms, .. }, Self::Sliding { size_ms: saved_size_ms, .. })
                if saved_size_ms >= slide_ms =>
            {
                // The last window of a pane at the start of a window is this window itself.
                Some(EventTime::from_ms(next_multiple(watermark.ms() + 2 - saved_size_ms, slide_ms)))
            }
            _ => Some(self.first_complete_window_after(latest_unseen)),
        }
    }
}

impl FeatureView {
    /// Returns whether a window that starts before `first_complete` may still fire at a later watermark than `watermark`.
    /// `earliest_session` is the start of the earliest session in the state, if it is known.
    #[must_use]
    pub fn may_fire_incomplete_window(
        &self,
        first_complete: EventTime,
        watermark: EventTime,
        earliest_session: Option<EventTime>,
    ) -> bool {
        let last_incomplete_ms = first_complete.ms() - 1;
        // A window may fire again until the allowed lateness has passed.
        let watermark = self.subtract_allowed_lateness(watermark);
        match self.window {
            WindowKind::Sliding { size_ms, slide_ms } => {
                let last_end = last_incomplete_ms.div_euclid(slide_ms) * slide_ms + size_ms;
                last_end - 1 > watermark.ms()
            }
            WindowKind::Session { gap_ms } => {
                earliest_session.is_none_or(|start| start < first_complete)
                    || last_incomplete_ms + gap_ms - 1 > watermark.ms()
            }
        }
    }

    /// Returns the watermark `watermark` less the allowed lateness. Windows that end there or before take no event.
    #[must_use]
    pub const fn subtract_allowed_lateness(&self, watermark: EventTime) -> EventTime {
        EventTime::from_ms(watermark.ms().saturating_sub(self.allowed_lateness_ms))
    }
}

/// Returns the smallest multiple of `unit` that is at least `number`.
fn next_multiple(number: i64, unit: i64) -> i64 {
    (number + unit - 1).div_euclid(unit) * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn time(ms: i64) -> EventTime {
        EventTime::from_ms(ms)
    }

    #[test]
    fn an_added_feature_is_complete_from_the_next_window_on() {
        let sliding = WindowKind::Sliding { size_ms: 60, slide_ms: 10 };
        for (latest_unseen, first) in [(9, 10), (10, 20), (19, 20), (-1, 0), (-11, -10)] {
            let found = sliding.first_complete_window_after(time(latest_unseen));
            assert_eq!(found, time(first), "{latest_unseen}");
        }
        let session = WindowKind::Session { gap_ms: 30 };
        assert_eq!(session.first_complete_window_after(time(9)), time(40));
    }

    #[test]
    fn a_longer_window_is_complete_when_its_panes_are_kept() {
        let (saved, longer) =
            (WindowKind::Sliding { size_ms: 30, slide_ms: 10 }, WindowKind::Sliding { size_ms: 60, slide_ms: 10 });
        // At 98, the window of 70 to 100 has not fired, so no pane from 70 on is gone. At 99 it has.
        for (watermark, first) in [(98, 70), (99, 80), (100, 80)] {
            let found = longer.first_complete_window_after_resize(saved, time(watermark), time(watermark + 5));
            assert_eq!(found, Some(time(first)), "{watermark}");
        }
        assert_eq!(saved.first_complete_window_after_resize(longer, time(99), time(104)), None, "it is shorter");
        let gaps = WindowKind::Sliding { size_ms: 5, slide_ms: 10 };
        assert_eq!(longer.first_complete_window_after_resize(gaps, time(98), time(103)), Some(time(110)));
    }

    #[test]
    fn incomplete_windows_end_with_the_watermark() {
        let view = |window, allowed_lateness_ms| FeatureView {
            name: "v".into(),
            window,
            allowed_lateness_ms,
            empty_window_policy: crate::EmptyWindowPolicy::KeepRow,
            features: Vec::new(),
        };
        let sliding = WindowKind::Sliding { size_ms: 60, slide_ms: 10 };
        let may_fire =
            |lateness, watermark| view(sliding, lateness).may_fire_incomplete_window(time(100), time(watermark), None);
        assert!(may_fire(0, 148) && may_fire(5, 153));
        assert!(!may_fire(0, 149) && !may_fire(5, 154), "the window of 90 to 150 takes no event");
        let sessions = view(WindowKind::Session { gap_ms: 30 }, 0);
        let may_fire = |watermark, earliest| sessions.may_fire_incomplete_window(time(100), time(watermark), earliest);
        assert!(may_fire(500, Some(time(99))) && may_fire(500, None) && may_fire(127, Some(time(100))));
        assert!(!may_fire(128, Some(time(100))), "an event before 100 is late");
    }
}
