//! Renders the metrics of a vertex: one value for each subtask, or aggregates over the subtasks.

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

use super::fault::bad_query_parameter;
use super::flink_job::FlinkJob;
use super::metric_number::MetricNumber;
use super::subtask::{Subtask, SubtaskWork};
use super::subtask_io::SubtaskIo;
use super::vertex::Vertex;
use crate::answers::HttpFault;

const COMMON_METRIC_NAMES: [&str; 9] = [
    "numRecordsIn",
    "numRecordsOut",
    "numRecordsInPerSecond",
    "numRecordsOutPerSecond",
    "currentInputWatermark",
    "currentOutputWatermark",
    "busyTimeMsPerSecond",
    "idleTimeMsPerSecond",
    "backPressuredTimeMsPerSecond",
];
const SOURCE_METRIC_NAMES: [&str; 4] = ["watermarkLag", "pendingRecords", "currentEmitEventTimeLag", "sourceIdleTime"];
const DECODE_METRIC_NAMES: [&str; 2] = ["numBytesIn", "numRecordsInErrors"];
const VIEW_METRIC_NAMES: [&str; 1] = ["numLateRecordsDropped"];
const SINK_METRIC_NAMES: [&str; 2] = ["numRecordsSend", "numRecordsSendErrors"];
const AGGREGATE_NAMES: [&str; 5] = ["min", "max", "avg", "sum", "skew"];

/// Flink's value for a missing watermark.
const NO_WATERMARK: i64 = i64::MIN;

/// The query parameters of a request for aggregates of metrics.
pub(super) struct AggregateQuery<'a> {
    /// The names of the requested metrics, separated by commas; `None` requests a list of the names of all metrics.
    pub(super) metric_names: Option<&'a str>,
    /// The requested aggregates, separated by commas; `None` requests all aggregates.
    pub(super) aggregate_names: Option<&'a str>,
    /// The subtasks over which the metrics are aggregated, as numbers and ranges separated by commas; `None` requests
    /// all subtasks.
    pub(super) subtask_ranges: Option<&'a str>,
}

/// Returns the watermark of a subtask, or Flink's value for a missing watermark.
pub(super) fn watermark_ms_or_flink_minimum(subtask: &Subtask<'_>) -> i64 {
    subtask.lowest_watermark_ms().unwrap_or(NO_WATERMARK)
}

fn metric_names(vertex: Vertex) -> impl Iterator<Item = &'static str> {
    let special: &[&str] = match vertex {
        Vertex::Source => &SOURCE_METRIC_NAMES,
        Vertex::Decode => &DECODE_METRIC_NAMES,
        Vertex::View(_) => &VIEW_METRIC_NAMES,
        Vertex::Sink => &SINK_METRIC_NAMES,
    };
    COMMON_METRIC_NAMES.into_iter().chain(special.iter().copied())
}

/// Returns the value of a subtask's metric, or `None` if the subtask has no such metric or the value is unknown.
fn metric_value(job: &FlinkJob<'_>, vertex: Vertex, subtask: &Subtask<'_>, name: &str) -> Option<MetricNumber> {
    let instance = subtask.instance?;
    let io = SubtaskIo::from_subtask(subtask);
    let since = |at_ms: i64| MetricNumber::Integer((job.now_ms - at_ms).max(0));
    let owned = match &subtask.work {
        SubtaskWork::Partition(owned) => *owned,
        _ => None,
    };
    Some(match (vertex, name) {
        (_, "numRecordsIn") => MetricNumber::from_count(io.records_read),
        (_, "numRecordsOut") => MetricNumber::from_count(io.records_written),
        (_, "numRecordsInPerSecond") => MetricNumber::Float(io.records_read_per_s),
        (_, "numRecordsOutPerSecond") => MetricNumber::Float(io.records_written_per_s),
        (_, "currentInputWatermark" | "currentOutputWatermark") => {
            MetricNumber::Integer(watermark_ms_or_flink_minimum(subtask))
        }
        (_, "busyTimeMsPerSecond") => MetricNumber::Float(io.busy_ms_per_s),
        (_, "idleTimeMsPerSecond") => MetricNumber::Float(io.idle_ms_per_s),
        (_, "backPressuredTimeMsPerSecond") => MetricNumber::Float(io.backpressured_ms_per_s),
        (Vertex::Source, "watermarkLag") => since(owned?.watermark_ms?),
        (Vertex::Source, "pendingRecords") => MetricNumber::from_count(owned?.lag?),
        (Vertex::Source, "currentEmitEventTimeLag") => since(owned?.largest_event_time_ms?),
        (Vertex::Source, "sourceIdleTime") if owned?.is_idle => since(owned?.last_record_processed_at_ms?),
        (Vertex::Source, "sourceIdleTime") => MetricNumber::Integer(0),
        (Vertex::Decode, "numBytesIn") => MetricNumber::from_count(io.bytes_read?),
        (Vertex::Decode, "numRecordsInErrors") => match &subtask.work {
            SubtaskWork::Worker { report, .. } => MetricNumber::from_count(report.undecodable_record_count),
            _ => return None,
        },
        (Vertex::View(_), "numLateRecordsDropped") => match &subtask.work {
            SubtaskWork::View(Some(view)) => MetricNumber::from_count(view.late_event_count),
            _ => return None,
        },
        (Vertex::Sink, "numRecordsSend") => MetricNumber::from_count(instance.redis_writer.rows_written),
        (Vertex::Sink, "numRecordsSendErrors") => MetricNumber::from_count(instance.redis_writer.rows_refused),
        _ => return None,
    })
}

/// Renders `/jobs/:id/vertices/:vid/metrics[?get=0.numRecordsIn,…]`. Without `get`, the answer lists the names of all
/// metrics. With `get`, the answer contains the values of the requested metrics. As in Flink, unknown names are left
/// out.
pub(super) fn render_vertex_metrics(job: &FlinkJob<'_>, vertex: Vertex, get: Option<&str>) -> Value {
    let subtasks = job.subtasks(vertex);
    let Some(get) = get else {
        let ids =
            subtasks.iter().flat_map(|subtask| metric_names(vertex).map(|name| format!("{}.{name}", subtask.index)));
        return ids.map(|id| json!({ "id": id })).collect();
    };
    let render = |id: &str| {
        let (index, name) = id.split_once('.')?;
        let subtask = subtasks.get(index.parse::<usize>().ok()?)?;
        Some(json!({ "id": id, "value": metric_value(job, vertex, subtask, name)?.to_text() }))
    };
    get.split(',').filter_map(render).collect()
}

/// Renders aggregates of metrics over subtasks:
/// `/jobs/:id/vertices/:vid/subtasks/metrics?get=…[&agg=min,max][&subtasks=0,2-3]`.
pub(super) fn render_subtask_metrics(
    job: &FlinkJob<'_>,
    vertex: Vertex,
    query: &AggregateQuery<'_>,
) -> Result<Value, HttpFault> {
    let aggregates = parse_aggregates(query.aggregate_names)?;
    let ranges = parse_subtask_ranges(query.subtask_ranges)?;
    let Some(get) = query.metric_names else {
        return Ok(metric_names(vertex).map(|name| json!({ "id": name })).collect());
    };
    let mut subtasks = job.subtasks(vertex);
    subtasks.retain(|subtask| ranges.is_empty() || ranges.iter().any(|range| range.contains(&subtask.index)));
    let render = |name: &str| {
        let known = subtasks.iter().filter_map(|subtask| metric_value(job, vertex, subtask, name));
        let values: Vec<f64> = known.map(MetricNumber::to_float).collect();
        (!values.is_empty()).then(|| render_metric_aggregates(name, &values, &aggregates))
    };
    Ok(get.split(',').filter_map(render).collect())
}

fn parse_aggregates(agg: Option<&str>) -> Result<Vec<&'static str>, HttpFault> {
    let Some(agg) = agg else { return Ok(AGGREGATE_NAMES.to_vec()) };
    let parse = |word: &str| {
        let found = AGGREGATE_NAMES.into_iter().find(|name| word.eq_ignore_ascii_case(name));
        found.ok_or_else(|| bad_query_parameter("agg", word))
    };
    agg.split(',').map(parse).collect()
}

fn parse_subtask_ranges(subtasks: Option<&str>) -> Result<Vec<RangeInclusive<usize>>, HttpFault> {
    let Some(subtasks) = subtasks else { return Ok(Vec::new()) };
    let parse = |text: &str| {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        match (from.trim().parse(), to.trim().parse()) {
            (Ok(from), Ok(to)) => Ok(from..=to),
            _ => Err(bad_query_parameter("subtasks", text)),
        }
    };
    subtasks.split(',').map(parse).collect()
}

fn render_metric_aggregates(name: &str, values: &[f64], aggregates: &[&str]) -> Value {
    let sum: f64 = values.iter().sum();
    let avg = sum / values.len() as f64;
    let mut fields = Map::new();
    fields.insert("id".to_owned(), json!(name));
    for aggregate in aggregates {
        let value = match *aggregate {
            "min" => values.iter().copied().fold(f64::INFINITY, f64::min),
            "max" => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            "avg" => avg,
            "sum" => sum,
            _ => compute_skew_percent(values, avg),
        };
        fields.insert((*aggregate).to_owned(), json!(value));
    }
    fields.into()
}

/// Returns the skew: the mean absolute deviation of the values, in percent of their mean, at most 100.
fn compute_skew_percent(values: &[f64], avg: f64) -> f64 {
    if avg == 0.0 {
        return 0.0;
    }
    let mean_distance = values.iter().map(|value| (value - avg).abs()).sum::<f64>() / values.len() as f64;
    (mean_distance / avg.abs() * 100.0).min(100.0)
}
