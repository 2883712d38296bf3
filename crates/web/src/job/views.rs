//! The counts of the feature views, added up over all instances.

use super::job_report::JobReport;
use crate::report::ViewReport;

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
                    for (sum, feature) in sum.feature_overflows.iter_mut().zip(&view.feature_overflows) {
                        sum.overflow_count += feature.overflow_count;
                    }
                }
            }
        }
        views
    }
}
