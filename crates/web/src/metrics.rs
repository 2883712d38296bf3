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

use self::families::Families;
use crate::report::PartitionReport;
use crate::{Console, InstanceReport};

/// The version of the format, and that labels may hold any character.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The route `/metrics`.
pub fn router() -> Router<Arc<Console>> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(console): State<Arc<Console>>) -> Response {
    let mut families = of_job(&console.observed.report(), &console.pipeline);
    process::add(&mut families);
    match text(&families) {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// What `report` says, in Prometheus' text format; the process's own figures (`process_…`) are only in `/metrics`.
///
/// # Errors
/// When a metric cannot be written, which no report brings about.
pub fn render(report: &InstanceReport, pipeline: &Pipeline) -> Result<String> {
    text(&of_job(report, pipeline))
}

fn of_job(report: &InstanceReport, pipeline: &Pipeline) -> Families {
    let mut families = Families::default();
    instance::add(&mut families, report, pipeline);
    workers::add(&mut families, &report.workers);
    views::add(&mut families, &report.views);
    let owned = owned(report);
    partitions::add(&mut families, report.topic_partitions, &owned);
    dependencies::add(&mut families, report);
    redis::add(&mut families, &report.redis);
    freshness::add(&mut families, &report.freshness);
    checkpoints::add(&mut families, report, &owned, pipeline);
    families
}

/// Its partitions, each once: while one moves from worker to worker both may speak of it, and the larger epoch is right.
fn owned(report: &InstanceReport) -> Vec<&PartitionReport> {
    let mut latest = BTreeMap::new();
    for one in &report.partitions {
        let known = latest.entry(one.partition).or_insert(one);
        if one.epoch > known.epoch {
            *known = one;
        }
    }
    latest.into_values().collect()
}

fn text(families: &Families) -> Result<String> {
    TextEncoder::new().encode_to_string(families.all())
}
