//! The freshness of rows: the delay from a record in Kafka to the row in Redis that this record caused, over all
//! instances.

use serde::Serialize;

use super::history::larger_quantile;
use super::job_report::JobReport;
use crate::report::{DelayHistogramReport, FreshnessReport};

/// The quantiles of a delay over the last minute, in milliseconds.
#[derive(Clone, Copy, PartialEq, Default, Serialize, Debug)]
pub struct FreshnessQuantiles {
    /// The median of the delay.
    pub p50_ms: Option<f64>,
    /// The 99th percentile of the delay.
    pub p99_ms: Option<f64>,
}

impl JobReport {
    /// Returns the quantiles of the delay that `select` takes from the freshness report of an instance. Each quantile
    /// is the largest value among the instances, because the true quantile over several instances is unknown.
    #[must_use]
    pub fn largest_freshness_quantiles(
        &self,
        select: impl Fn(&FreshnessReport) -> &DelayHistogramReport,
    ) -> FreshnessQuantiles {
        let largest = |quantile: fn(&DelayHistogramReport) -> Option<f64>| {
            self.instances.iter().map(|instance| quantile(select(&instance.freshness))).fold(None, larger_quantile)
        };
        FreshnessQuantiles {
            p50_ms: largest(|delay| delay.last_minute_p50_ms),
            p99_ms: largest(|delay| delay.last_minute_p99_ms),
        }
    }
}
