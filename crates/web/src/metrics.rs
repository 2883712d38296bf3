//! `/metrics`: what this process says of itself, in Prometheus' text format.
//!
//! Owns: names, units and help texts. Does not own: what is measured (an [`InstanceReport`]), nor other instances:
//! Prometheus asks each for its own.
//! Invariants: (1) units are seconds, bytes and ratios; a counter's name ends with `_total`; (2) what is not known has no
//! sample, rather than one that lies; (3) what Prometheus computes itself (rates, quantiles) is not there; (4) a label's
//! values are bounded by the pipeline, the workers and the partitions: nothing that comes from a record is one.
//! After a crash: counters begin at zero again, which Prometheus takes into account.

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
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{Result, TextEncoder};
use windrow_spec::Pipeline;

use self::families::MetricFamilies;
use crate::report::PartitionReport;
use crate::{InstanceReport, JobServerContext};

/// The version of the format, and that labels may hold any character.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The route `/metrics`.
pub fn router() -> Router<Arc<JobServerContext>> {
    Router::new().route("/metrics", get(get_metrics))
}

async fn get_metrics(State(console): State<Arc<JobServerContext>>) -> Response {
    let mut families = collect_families(&console.report_source.report(), &console.pipeline);
    process::add_process_metrics(&mut families);
    match encode_families(&families) {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// What `report` says, in Prometheus' text format; the process's own figures (`process_…`) are only in `/metrics`.
///
/// # Errors
/// When a metric cannot be written, which no report brings about.
pub fn render(report: &InstanceReport, pipeline: &Pipeline) -> Result<String> {
    encode_families(&collect_families(report, pipeline))
}

fn collect_families(report: &InstanceReport, pipeline: &Pipeline) -> MetricFamilies {
    let mut families = MetricFamilies::default();
    instance::add_instance_metrics(&mut families, report, pipeline);
    workers::add_worker_metrics(&mut families, &report.workers);
    views::add_view_metrics(&mut families, &report.views);
    let owned = newest_partitions(report);
    partitions::add_partition_metrics(&mut families, report.topic_partitions, &owned);
    dependencies::add_dependency_metrics(&mut families, report);
    redis::add_redis_metrics(&mut families, &report.redis);
    freshness::add_freshness_metrics(&mut families, &report.freshness);
    checkpoints::add_checkpoint_metrics(&mut families, report, &owned, pipeline);
    families
}

/// Its partitions, each once: while one moves from worker to worker both may speak of it, and the larger epoch is right.
fn newest_partitions(report: &InstanceReport) -> Vec<&PartitionReport> {
    let mut latest = BTreeMap::new();
    for one in &report.partitions {
        let known = latest.entry(one.partition).or_insert(one);
        if one.epoch > known.epoch {
            *known = one;
        }
    }
    latest.into_values().collect()
}

fn encode_families(families: &MetricFamilies) -> Result<String> {
    TextEncoder::new().encode_to_string(families.all())
}
