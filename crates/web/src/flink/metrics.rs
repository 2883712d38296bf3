//! `/jobs/:id/vertices/:vid/metrics` and their aggregates over the subtasks.

use serde_json::{Map, Value, json};

use super::fault::{self, Fault};
use super::look::Look;
use super::stage::{Part, Stage, Subtask};

const EVERYWHERE: [&str; 9] = [
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
const SOURCE: [&str; 4] = ["watermarkLag", "pendingRecords", "currentEmitEventTimeLag", "sourceIdleTime"];
const DECODE: [&str; 2] = ["numBytesIn", "numRecordsInErrors"];
const VIEW: [&str; 1] = ["numLateRecordsDropped"];
const SINK: [&str; 2] = ["numRecordsSend", "numRecordsSendErrors"];

/// What a watermark is before there is one.
const NO_WATERMARK: i64 = i64::MIN;

/// Where its watermark stands.
pub(super) fn watermark(subtask: &Subtask<'_>) -> i64 {
    subtask.watermark_ms().unwrap_or(NO_WATERMARK)
}

fn names(stage: Stage) -> impl Iterator<Item = &'static str> {
    let own: &[&str] = match stage {
        Stage::Source => &SOURCE,
        Stage::Decode => &DECODE,
        Stage::View(_) => &VIEW,
        Stage::Sink => &SINK,
    };
    EVERYWHERE.into_iter().chain(own.iter().copied())
}

/// A number, exact where it is a count.
#[derive(Clone, Copy)]
enum Number {
    Whole(i64),
    Broken(f64),
}

impl Number {
    fn count(count: u64) -> Self {
        Self::Whole(i64::try_from(count).unwrap_or(i64::MAX))
    }

    fn text(self) -> String {
        match self {
            Self::Whole(number) => number.to_string(),
            Self::Broken(number) => format!("{number:?}"),
        }
    }

    #[allow(clippy::cast_precision_loss)] // as Flink does
    fn broken(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Broken(number) => number,
        }
    }
}

/// The metric `name` of a subtask; absent where it has none, or it is not known yet.
fn value(look: &Look<'_>, stage: Stage, subtask: &Subtask<'_>, name: &str) -> Option<Number> {
    let one = subtask.instance?;
    let io = subtask.io();
    let since = |at_ms: i64| Number::Whole((look.now_ms - at_ms).max(0));
    let owned = match &subtask.part {
        Part::Partition(owned) => *owned,
        _ => None,
    };
    Some(match (stage, name) {
        (_, "numRecordsIn") => Number::count(io.read),
        (_, "numRecordsOut") => Number::count(io.written),
        (_, "numRecordsInPerSecond") => Number::Broken(io.read_per_s),
        (_, "numRecordsOutPerSecond") => Number::Broken(io.written_per_s),
        (_, "currentInputWatermark" | "currentOutputWatermark") => Number::Whole(watermark(subtask)),
        (_, "busyTimeMsPerSecond") => Number::Broken(io.busy_per_s),
        (_, "idleTimeMsPerSecond") => Number::Broken(io.idle_per_s),
        (_, "backPressuredTimeMsPerSecond") => Number::Broken(io.backpressured_per_s),
        (Stage::Source, "watermarkLag") => since(owned?.watermark_ms?),
        (Stage::Source, "pendingRecords") => Number::count(owned?.lag?),
        (Stage::Source, "currentEmitEventTimeLag") => since(owned?.event_time_ms?),
        (Stage::Source, "sourceIdleTime") => {
            if owned?.idle {
                since(owned?.last_record_at_ms?)
            } else {
                Number::Whole(0)
            }
        }
        (Stage::Decode, "numBytesIn") => Number::count(io.bytes?),
        (Stage::Decode, "numRecordsInErrors") => match &subtask.part {
            Part::Worker(_, worker) => Number::count(worker.dead_letters),
            _ => return None,
        },
        (Stage::View(_), "numLateRecordsDropped") => match &subtask.part {
            Part::View(Some(view)) => Number::count(view.late_events),
            _ => return None,
        },
        (Stage::Sink, "numRecordsSend") => Number::count(one.redis.rows_written),
        (Stage::Sink, "numRecordsSendErrors") => Number::count(one.redis.rows_refused),
        _ => return None,
    })
}

/// `/jobs/:id/vertices/:vid/metrics[?get=0.numRecordsIn,…]`: names, or the values of those asked for. Unknown names are
/// left out, as in Flink.
pub(super) fn of_vertex(look: &Look<'_>, stage: Stage, get: Option<&str>) -> Value {
    let subtasks = look.subtasks(stage);
    let Some(get) = get else {
        let names = || subtasks.iter().flat_map(|subtask| names(stage).map(|name| format!("{}.{name}", subtask.index)));
        return names().map(|id| json!({ "id": id })).collect();
    };
    let asked = |id: &str| {
        let (index, name) = id.split_once('.')?;
        let subtask = subtasks.get(index.parse::<usize>().ok()?)?;
        Some(json!({ "id": id, "value": value(look, stage, subtask, name)?.text() }))
    };
    get.split(',').filter_map(asked).collect()
}

/// `/jobs/:id/vertices/:vid/subtasks/metrics?get=…[&agg=min,max][&subtasks=0,2-3]`
pub(super) fn of_subtasks(
    look: &Look<'_>,
    stage: Stage,
    get: Option<&str>,
    agg: Option<&str>,
    which: Option<&str>,
) -> Result<Value, Fault> {
    let aggregates = aggregates(agg)?;
    let chosen = chosen(which)?;
    let Some(get) = get else {
        return Ok(names(stage).map(|name| json!({ "id": name })).collect());
    };
    let mut subtasks = look.subtasks(stage);
    subtasks.retain(|subtask| chosen.is_empty() || chosen.iter().any(|range| range.contains(&subtask.index)));
    let asked = |name: &str| {
        let known = subtasks.iter().filter_map(|subtask| value(look, stage, subtask, name)).map(Number::broken);
        let known: Vec<f64> = known.collect();
        if known.is_empty() { None } else { Some(aggregate(name, &known, &aggregates)) }
    };
    Ok(get.split(',').filter_map(asked).collect())
}

const AGGREGATES: [&str; 5] = ["min", "max", "avg", "sum", "skew"];

fn aggregates(asked: Option<&str>) -> Result<Vec<&'static str>, Fault> {
    let Some(asked) = asked else { return Ok(AGGREGATES.to_vec()) };
    let known = |word: &str| {
        let found = AGGREGATES.into_iter().find(|name| word.eq_ignore_ascii_case(name));
        found.ok_or_else(|| fault::bad(format!("Cannot resolve query parameter (agg) from value \"{word}\".")))
    };
    asked.split(',').map(known).collect()
}

fn chosen(which: Option<&str>) -> Result<Vec<std::ops::RangeInclusive<usize>>, Fault> {
    let Some(which) = which else { return Ok(Vec::new()) };
    let range = |text: &str| {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        match (from.trim().parse(), to.trim().parse()) {
            (Ok(from), Ok(to)) => Ok(from..=to),
            _ => Err(fault::bad(format!("Cannot resolve query parameter (subtasks) from value \"{text}\"."))),
        }
    };
    which.split(',').map(range).collect()
}

#[allow(clippy::cast_precision_loss)] // a number of subtasks
fn aggregate(name: &str, known: &[f64], wanted: &[&str]) -> Value {
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
            _ => skew(known, avg),
        };
        fields.insert((*wanted).to_owned(), json!(value));
    }
    fields.into()
}

/// How far the values lie from their mean, on average, in percent of it.
#[allow(clippy::cast_precision_loss)] // a number of subtasks
fn skew(known: &[f64], avg: f64) -> f64 {
    if avg == 0.0 {
        return 0.0;
    }
    let away = known.iter().map(|value| (value - avg).abs()).sum::<f64>() / known.len() as f64;
    (away / avg.abs() * 100.0).min(100.0)
}
