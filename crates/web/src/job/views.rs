//! The counts of the feature views, added up over all instances.

use super::job_report::JobReport;
use crate::report::{FeatureOverflowReport, IncompleteFeatureReport, ViewReport};

impl JobReport {
    /// Returns one report for each feature view, in the order of the pipeline. The counts in a report are the sums over
    /// all instances.
    #[must_use]
    pub fn sum_view_reports(&self) -> Vec<ViewReport> {
        let mut views: Vec<ViewReport> = Vec::new();
        for view in self.instances.iter().flat_map(|instance| &instance.views) {
            match views.iter_mut().find(|sum| sum.name == view.name) {
                None => views.push(view.clone()),
                Some(sum) => {
                    sum.rows_fired += view.rows_fired;
                    sum.rows_fired_per_s += view.rows_fired_per_s;
                    sum.late_event_count += view.late_event_count;
                    sum.entity_count += view.entity_count;
                    add_feature_overflows(&mut sum.feature_overflows, &view.feature_overflows);
                    add_incomplete_features(&mut sum.incomplete_features, &view.incomplete_features);
                }
            }
        }
        views
    }
}

/// Adds the counts of one instance. While instances of two versions of the pipeline run, they may have other features.
fn add_feature_overflows(sums: &mut Vec<FeatureOverflowReport>, counts: &[FeatureOverflowReport]) {
    for count in counts {
        match sums.iter_mut().find(|sum| sum.feature_name == count.feature_name) {
            Some(sum) => sum.overflow_count += count.overflow_count,
            None => sums.push(count.clone()),
        }
    }
}

/// Adds the incomplete features of one instance. A feature is complete when it is complete in all partitions.
fn add_incomplete_features(all: &mut Vec<IncompleteFeatureReport>, added: &[IncompleteFeatureReport]) {
    for feature in added {
        match all.iter_mut().find(|known| known.feature_name == feature.feature_name) {
            Some(known) => known.complete_from_ms = known.complete_from_ms.max(feature.complete_from_ms),
            None => all.push(feature.clone()),
        }
    }
}
