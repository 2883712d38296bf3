//! Freshness over all instances.

use serde::Serialize;

use super::history::larger_quantile;
use super::job_report::JobReport;
use crate::report::{FreshnessReport, HistogramReport};

/// Recent quantiles of a delay, in milliseconds.
#[derive(Clone, Copy, PartialEq, Default, Serialize, Debug)]
pub struct FreshnessQuantiles {
    /// The median.
    pub p50_ms: Option<f64>,
    /// The 99th percentile.
    pub p99_ms: Option<f64>,
}

impl JobReport {
    /// Returns the recent quantiles of a delay. Quantiles of several instances cannot be combined, so each quantile is that
    /// of the instance where it is largest.
    #[must_use]
    pub fn freshness(&self, select: impl Fn(&FreshnessReport) -> &HistogramReport) -> FreshnessQuantiles {
        let largest = |quantile: fn(&HistogramReport) -> Option<f64>| {
            self.instances.iter().map(|instance| quantile(select(&instance.freshness))).fold(None, larger_quantile)
        };
        FreshnessQuantiles { p50_ms: largest(|delay| delay.p50_ms), p99_ms: largest(|delay| delay.p99_ms) }
    }
}
