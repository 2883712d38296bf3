//! From which windows on the features of a partition are complete, carried from checkpoint to checkpoint.

use windrow_core::{EventTime, FeatureView};

use super::state_migration::drop_passed_completeness;

/// What the state of a partition lacks, because features were added or windows became longer.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct StateCompleteness {
    /// For each feature of each view, the start of the first complete window, in epoch milliseconds; `None` if no window
    /// lacks events. The last features and views may be missing.
    pub(super) complete_from_ms_by_view: Vec<Vec<Option<i64>>>,
    /// No event before the opening was later than this event time, in epoch milliseconds; `None` if there was none.
    pub(super) latest_event_time_ms: Option<i64>,
}

/// A feature with windows that may lack events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IncompleteFeature {
    /// The index of the view among the views of the job.
    pub view_index: usize,
    /// The index of the feature among the features of the view.
    pub feature_index: usize,
    /// The start of the first complete window, in epoch milliseconds.
    pub complete_from_ms: i64,
}

impl StateCompleteness {
    /// Returns, for each feature of the view with the index `view_index`, the first complete window. Omits those whose earlier
    /// windows have all fired at `watermark`.
    pub(super) fn complete_from_ms(
        &self,
        view_index: usize,
        view: &FeatureView,
        watermark: Option<EventTime>,
    ) -> Vec<Option<i64>> {
        let features = self.complete_from_ms_by_view.get(view_index).map_or(&[][..], Vec::as_slice);
        features.iter().map(|&from| drop_passed_completeness(from, view, watermark)).collect()
    }

    /// Returns the features with windows that may lack events, at `watermark`.
    pub(crate) fn incomplete_features(
        &self,
        views: &[FeatureView],
        watermark: Option<EventTime>,
    ) -> Vec<IncompleteFeature> {
        let mut incomplete = Vec::new();
        for (view_index, view) in views.iter().enumerate() {
            let complete_from = self.complete_from_ms(view_index, view, watermark).into_iter().enumerate();
            incomplete.extend(complete_from.filter_map(|(feature_index, complete_from_ms)| {
                Some(IncompleteFeature { view_index, feature_index, complete_from_ms: complete_from_ms? })
            }));
        }
        incomplete
    }

    /// Returns an event time such that no event before a cut is later, in epoch milliseconds. `watermark_by_events` is what
    /// the watermark would be if only events had advanced it.
    pub(super) fn latest_event_time_ms(
        &self,
        watermark_by_events: Option<EventTime>,
        max_out_of_orderness_ms: i64,
    ) -> Option<i64> {
        // Events keep the watermark the out-of-orderness and one millisecond behind the latest of them.
        let from_watermark =
            watermark_by_events.map(|watermark| watermark.ms().saturating_add(max_out_of_orderness_ms + 1));
        self.latest_event_time_ms.max(from_watermark)
    }
}
