//! Answers `/metrics` with the report of this process in Prometheus' text format.
//!
//! Owns: names, units and help texts.
//! Does not own: the measured values (an [`InstanceReport`]), and the metrics of other instances. Prometheus requests
//! the metrics of each instance from that instance.
//! Invariants: (1) Units are seconds, bytes and ratios, and the name of a counter ends with `_total`. (2) An unknown
//! value has no sample. (3) Values that Prometheus can compute itself, such as rates, are left out. (4) Each label has
//! few different values, and no label contains data from a record.
//! After a crash: counters start again at zero, which Prometheus detects.

mod checkpoints;
mod dependencies;
mod families;
mod freshness;
mod instance;
mod partitions;
mod process;
mod redis;
mod views;
mod workers;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::prometheus_text;
use windrow_spec::Pipeline;

use self::families::MetricFamilies;
use crate::report::{InstanceReport, PartitionReport};
use crate::server_context::{JobServerContext, SharedContext};

/// Returns the route `/metrics`.
pub fn router() -> Router<Arc<JobServerContext>> {
    Router::new().route("/metrics", get(get_metrics))
}

async fn get_metrics(State(context): SharedContext) -> Response {
    let mut families = collect_metric_families(&context.report_source.current_report(), &context.pipeline);
    process::add_process_metrics(&mut families);
    match families.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus_text::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Renders `report` in Prometheus' text format. The metrics of the process (`process_…`) are left out, because a report
/// does not contain them.
///
/// # Errors
/// Fails if a metric cannot be encoded. No report is known to cause this error.
pub fn render_metrics(report: &InstanceReport, pipeline: &Pipeline) -> Result<String, fmt::Error> {
    collect_metric_families(report, pipeline).encode()
}

fn collect_metric_families(report: &InstanceReport, pipeline: &Pipeline) -> MetricFamilies {
    let mut families = MetricFamilies::default();
    instance::add_instance_metrics(&mut families, report, pipeline);
    workers::add_worker_metrics(&mut families, &report.workers);
    views::add_view_metrics(&mut families, &report.views);
    let owned = select_largest_epoch_per_partition(report);
    partitions::add_partition_metrics(&mut families, report, &owned);
    dependencies::add_dependency_metrics(&mut families, report);
    redis::add_redis_metrics(&mut families, &report.redis_writer);
    freshness::add_freshness_metrics(&mut families, &report.freshness);
    checkpoints::add_checkpoint_metrics(&mut families, report, &owned, pipeline);
    families
}

/// Returns one report for each partition. While a partition moves from one worker to another, both workers may report
/// the partition. Then only the report with the larger epoch is returned.
fn select_largest_epoch_per_partition(report: &InstanceReport) -> Vec<&PartitionReport> {
    let mut latest = BTreeMap::new();
    for one in &report.owned_partitions {
        let known = latest.entry(one.partition).or_insert(one);
        if one.epoch > known.epoch {
            *known = one;
        }
    }
    latest.into_values().collect()
}
