//! Metrics of each feature view: rows and late events.

use super::families::{MetricFamilies, MetricSample};
use crate::report::ViewReport;

pub(super) fn add_view_metrics(families: &mut MetricFamilies, views: &[ViewReport]) {
    let samples = |value: fn(&ViewReport) -> u64| {
        views.iter().map(move |view| MetricSample::new([("feature_view", view.name.clone())], value(view)))
    };
    families.add_counter(
        "windrow_feature_view_rows_total",
        "Rows that fired, one for each entity in each window.",
        samples(|view| view.rows_fired),
    );
    families.add_counter(
        "windrow_feature_view_late_events_total",
        "Events that arrived after all their windows in the view had closed, so no row contains them.",
        samples(|view| view.late_event_count),
    );
    families.add_counter(
        "windrow_feature_view_late_after_idle_events_total",
        "Late events that would not be late if the watermark had not followed the wall clock while their partition was idle.",
        samples(|view| view.late_after_idle_event_count),
    );
    families.add_gauge(
        "windrow_feature_view_entities",
        "Entities (users) that have state in the view.",
        samples(|view| view.entity_count),
    );
    families.add_counter(
        "windrow_feature_overflows_total",
        "Additions to a feature's sum that did not fit: longs wrap around, doubles become infinite.",
        views.iter().flat_map(|view| {
            view.feature_overflows.iter().map(|feature| {
                let labels = [("feature_view", view.name.clone()), ("feature", feature.feature_name.clone())];
                MetricSample::new(labels, feature.overflow_count)
            })
        }),
    );
}
