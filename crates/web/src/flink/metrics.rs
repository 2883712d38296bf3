//! `/jobs/:id/vertices/:vid/metrics` and their aggregates over the subtasks.

use serde_json::{Map, Value, json};

use super::fault::{self, HttpFault};
use super::look::FlinkJob;
use super::stage::{Subtask, SubtaskWork, Vertex};

const COMMON_METRICS: [&str; 9] = [
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
const SOURCE_METRICS: [&str; 4] = ["watermarkLag", "pendingRecords", "currentEmitEventTimeLag", "sourceIdleTime"];
const DECODE_METRICS: [&str; 2] = ["numBytesIn", "numRecordsInErrors"];
const VIEW_METRICS: [&str; 1] = ["numLateRecordsDropped"];
const SINK_METRICS: [&str; 2] = ["numRecordsSend", "numRecordsSendErrors"];

/// What a watermark is before there is one.
const NO_WATERMARK: i64 = i64::MIN;

/// Where its watermark stands.
pub(super) fn watermark_or_minimum(subtask: &Subtask<'_>) -> i64 {
    subtask.watermark_ms().unwrap_or(NO_WATERMARK)
}

fn metric_names(stage: Vertex) -> impl Iterator<Item = &'static str> {
    let own: &[&str] = match stage {
        Vertex::Source => &SOURCE_METRICS,
        Vertex::Decode => &DECODE_METRICS,
        Vertex::View(_) => &VIEW_METRICS,
        Vertex::Sink => &SINK_METRICS,
    };
    COMMON_METRICS.into_iter().chain(own.iter().copied())
}

/// A number, exact where it is a count.
#[derive(Clone, Copy)]
enum MetricNumber {
    Integer(i64),
    Float(f64),
}

impl MetricNumber {
    fn from_count(count: u64) -> Self {
        Self::Integer(i64::try_from(count).unwrap_or(i64::MAX))
    }

    fn to_text(self) -> String {
        match self {
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => format!("{number:?}"),
        }
    }

    #[allow(clippy::cast_precision_loss)] // as Flink does
    fn to_float(self) -> f64 {
        match self {
            Self::Integer(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

/// The metric `name` of a subtask; absent where it has none, or it is not known yet.
fn metric_value(look: &FlinkJob<'_>, stage: Vertex, subtask: &Subtask<'_>, name: &str) -> Option<MetricNumber> {
    let one = subtask.instance?;
    let io = subtask.io();
    let since = |at_ms: i64| MetricNumber::Integer((look.now_ms - at_ms).max(0));
    let owned = match &subtask.work {
        SubtaskWork::Partition(owned) => *owned,
        _ => None,
    };
    Some(match (stage, name) {
        (_, "numRecordsIn") => MetricNumber::from_count(io.read),
        (_, "numRecordsOut") => MetricNumber::from_count(io.written),
        (_, "numRecordsInPerSecond") => MetricNumber::Float(io.read_per_s),
        (_, "numRecordsOutPerSecond") => MetricNumber::Float(io.written_per_s),
        (_, "currentInputWatermark" | "currentOutputWatermark") => MetricNumber::Integer(watermark_or_minimum(subtask)),
        (_, "busyTimeMsPerSecond") => MetricNumber::Float(io.busy_per_s),
        (_, "idleTimeMsPerSecond") => MetricNumber::Float(io.idle_per_s),
        (_, "backPressuredTimeMsPerSecond") => MetricNumber::Float(io.backpressured_per_s),
        (Vertex::Source, "watermarkLag") => since(owned?.watermark_ms?),
        (Vertex::Source, "pendingRecords") => MetricNumber::from_count(owned?.lag?),
        (Vertex::Source, "currentEmitEventTimeLag") => since(owned?.event_time_ms?),
        (Vertex::Source, "sourceIdleTime") => {
            if owned?.idle {
                since(owned?.last_record_at_ms?)
            } else {
                MetricNumber::Integer(0)
            }
        }
        (Vertex::Decode, "numBytesIn") => MetricNumber::from_count(io.bytes_read?),
        (Vertex::Decode, "numRecordsInErrors") => match &subtask.work {
            SubtaskWork::Worker(_, worker) => MetricNumber::from_count(worker.dead_letters),
            _ => return None,
        },
        (Vertex::View(_), "numLateRecordsDropped") => match &subtask.work {
            SubtaskWork::View(Some(view)) => MetricNumber::from_count(view.late_events),
            _ => return None,
        },
        (Vertex::Sink, "numRecordsSend") => MetricNumber::from_count(one.redis.rows_written),
        (Vertex::Sink, "numRecordsSendErrors") => MetricNumber::from_count(one.redis.rows_refused),
        _ => return None,
    })
}

/// `/jobs/:id/vertices/:vid/metrics[?get=0.numRecordsIn,…]`: names, or the values of those asked for. Unknown names are
/// left out, as in Flink.
pub(super) fn render_vertex_metrics(look: &FlinkJob<'_>, stage: Vertex, get: Option<&str>) -> Value {
    let subtasks = look.subtasks(stage);
    let Some(get) = get else {
        let names =
            || subtasks.iter().flat_map(|subtask| metric_names(stage).map(|name| format!("{}.{name}", subtask.index)));
        return names().map(|id| json!({ "id": id })).collect();
    };
    let asked = |id: &str| {
        let (index, name) = id.split_once('.')?;
        let subtask = subtasks.get(index.parse::<usize>().ok()?)?;
        Some(json!({ "id": id, "value": metric_value(look, stage, subtask, name)?.to_text() }))
    };
    get.split(',').filter_map(asked).collect()
}

/// `/jobs/:id/vertices/:vid/subtasks/metrics?get=…[&agg=min,max][&subtasks=0,2-3]`
pub(super) fn render_subtask_metrics(
    look: &FlinkJob<'_>,
    stage: Vertex,
    get: Option<&str>,
    agg: Option<&str>,
    which: Option<&str>,
) -> Result<Value, HttpFault> {
    let aggregates = parse_aggregates(agg)?;
    let chosen = parse_subtask_ranges(which)?;
    let Some(get) = get else {
        return Ok(metric_names(stage).map(|name| json!({ "id": name })).collect());
    };
    let mut subtasks = look.subtasks(stage);
    subtasks.retain(|subtask| chosen.is_empty() || chosen.iter().any(|range| range.contains(&subtask.index)));
    let asked = |name: &str| {
        let known =
            subtasks.iter().filter_map(|subtask| metric_value(look, stage, subtask, name)).map(MetricNumber::to_float);
        let known: Vec<f64> = known.collect();
        if known.is_empty() { None } else { Some(render_aggregate(name, &known, &aggregates)) }
    };
    Ok(get.split(',').filter_map(asked).collect())
}

const AGGREGATES: [&str; 5] = ["min", "max", "avg", "sum", "skew"];

fn parse_aggregates(asked: Option<&str>) -> Result<Vec<&'static str>, HttpFault> {
    let Some(asked) = asked else { return Ok(AGGREGATES.to_vec()) };
    let known = |word: &str| {
        let found = AGGREGATES.into_iter().find(|name| word.eq_ignore_ascii_case(name));
        found.ok_or_else(|| fault::bad_request(format!("Cannot resolve query parameter (agg) from value \"{word}\".")))
    };
    asked.split(',').map(known).collect()
}

fn parse_subtask_ranges(which: Option<&str>) -> Result<Vec<std::ops::RangeInclusive<usize>>, HttpFault> {
    let Some(which) = which else { return Ok(Vec::new()) };
    let range = |text: &str| {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        match (from.trim().parse(), to.trim().parse()) {
            (Ok(from), Ok(to)) => Ok(from..=to),
            _ => Err(fault::bad_request(format!("Cannot resolve query parameter (subtasks) from value \"{text}\"."))),
        }
    };
    which.split(',').map(range).collect()
}

#[allow(clippy::cast_precision_loss)] // a number of subtasks
fn render_aggregate(name: &str, known: &[f64], wanted: &[&str]) -> Value {
    let sum: f64 = known.iter().sum();
    let avg = sum / known.len() as f64;
    let mut fields = Map::new();
    fields.insert("id".to_owned(), json!(name));
    for wanted in wanted {
        let value = match *wanted {
            "min" => known.iter().copied().fold(f64::INFINITY, f64::min),
            "max" => known.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            "avg" => avg,
            "sum" => sum,
            _ => compute_skew(known, avg),
        };
        fields.insert((*wanted).to_owned(), json!(value));
    }
    fields.into()
}

/// How far the values lie from their mean, on average, in percent of it.
#[allow(clippy::cast_precision_loss)] // a number of subtasks
fn compute_skew(known: &[f64], avg: f64) -> f64 {
    if avg == 0.0 {
        return 0.0;
    }
    let away = known.iter().map(|value| (value - avg).abs()).sum::<f64>() / known.len() as f64;
    (away / avg.abs() * 100.0).min(100.0)
}
