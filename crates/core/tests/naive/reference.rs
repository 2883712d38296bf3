//! The naive reference: it keeps every event in every window it belongs to, and checks every window after every event. For
//! each session it keeps the windows of its rows, so it knows which rows a new one supersedes.

use std::collections::{BTreeMap, BTreeSet};

use windrow_core::{
    Aggregate, DurationUnit, EmptyWindowPolicy, EventField, EventSchema, EventTime, FeatureView, FieldId, FieldType,
    LatenessCause, Value, Window, WindowKind,
};

use crate::streams::{MAX_FIELD_BYTES, SampleEvent};

/// A row or a late event, in a form that can be compared and sorted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum ObservedOutput {
    Row {
        view: usize,
        key: String,
        window: Window,
        features: Vec<String>,
        superseded_windows: Vec<Window>,
        has_newer_row: bool,
        is_empty_window: bool,
    },
    Late {
        view: usize,
        key: String,
        time: EventTime,
        cause: LatenessCause,
    },
}

#[derive(Clone)]
struct OpenWindow {
    view: usize,
    key: String,
    start: i64,
    end: i64,
    events: Vec<ArrivedEvent>,
    /// The windows under which rows of these events exist.
    written: Vec<Window>,
    has_fired: bool,
}

impl OpenWindow {
    fn window(&self) -> Window {
        Window { start: EventTime::from_ms(self.start), end: EventTime::from_ms(self.end) }
    }
}

/// An event, with its position in the stream.
#[derive(Clone)]
struct ArrivedEvent {
    position: usize,
    sample: SampleEvent,
}

/// What a changed pipeline does with a view of the pipeline before it.
#[derive(Clone, Copy)]
pub(crate) struct ReferenceMigration {
    pub(crate) saved_view: usize,
    /// Whether the windows have another length.
    pub(crate) is_resized: bool,
}

pub(crate) struct ReferenceShard<'a> {
    views: &'a [FeatureView],
    fields: &'a [EventField],
    max_out_of_orderness_ms: i128,
    max_time: Option<i64>,
    /// The latest time to which the watermark has advanced without an event.
    idle_watermark: Option<i64>,
    open_windows: Vec<OpenWindow>,
    /// The latest end of all rows of an entity in a view.
    newest_row_ends: BTreeMap<(usize, String), i64>,
    /// For each feature of each view, the position of the first event that it sees. The last ones may be missing.
    first_seen_positions: Vec<Vec<usize>>,
    position: usize,
    /// The view, key and time of each event that has joined a window.
    accepted: Vec<(usize, String, i64)>,
    /// The view, key and end of each window that has fired empty, or was not empty when it could have.
    decided_empty_windows: BTreeSet<(usize, String, i64)>,
    pub(crate) observed: Vec<ObservedOutput>,
}

impl<'a> ReferenceShard<'a> {
    pub(crate) fn new(views: &'a [FeatureView], schema: &'a EventSchema, max_out_of_orderness_ms: i64) -> Self {
        Self {
            views,
            fields: schema.fields(),
            max_out_of_orderness_ms: max_out_of_orderness_ms.into(),
            max_time: None,
            idle_watermark: None,
            open_windows: Vec::new(),
            newest_row_ends: BTreeMap::new(),
            first_seen_positions: Vec::new(),
            position: 0,
            accepted: Vec::new(),
            decided_empty_windows: BTreeSet::new(),
            observed: Vec::new(),
        }
    }

    /// Replaces the views. `migrations` says for each new view which view it continues, if any.
    pub(crate) fn migrate(
        &mut self,
        views: &'a [FeatureView],
        migrations: &[Option<ReferenceMigration>],
        first_seen_positions: Vec<Vec<usize>>,
    ) {
        let saved_windows = std::mem::take(&mut self.open_windows);
        (self.views, self.first_seen_positions) = (views, first_seen_positions);
        let saved_row_ends = std::mem::take(&mut self.newest_row_ends);
        for (view, migration) in migrations.iter().enumerate() {
            let Some(ReferenceMigration { saved_view, is_resized }) = *migration else { continue };
            let saved = saved_windows.iter().filter(|window| window.view == saved_view);
            let row_ends = saved_row_ends.iter().filter(|((saved, _), _)| *saved == saved_view);
            self.newest_row_ends.extend(row_ends.map(|((_, key), end)| ((view, key.clone()), *end)));
            if !is_resized {
                self.open_windows.extend(saved.map(|window| OpenWindow { view, ..window.clone() }));
                continue;
            }
            // An event is known as long as one of its windows is open.
            let WindowKind::Sliding { size_ms, slide_ms } = views[view].window else {
                unreachable!("sessions have no length")
            };
            let known: BTreeMap<usize, SampleEvent> =
                saved.flat_map(|window| &window.events).map(|event| (event.position, event.sample.clone())).collect();
            for (position, sample) in known {
                self.join_sliding(view, &ArrivedEvent { position, sample }, size_ms, slide_ms);
            }
        }
    }

    fn watermark(&self) -> i128 {
        self.watermark_by_events().max(self.idle_watermark.map_or(i128::MIN, i128::from))
    }

    fn watermark_by_events(&self) -> i128 {
        self.max_time.map_or(i128::MIN, |max| i128::from(max) - self.max_out_of_orderness_ms - 1)
    }

    fn has_passed(&self, end: i64) -> bool {
        i128::from(end) - 1 <= self.watermark()
    }

    fn is_too_late(&self, view: usize, end: i64) -> bool {
        i128::from(end) - 1 + i128::from(self.views[view].allowed_lateness_ms) <= self.watermark()
    }

    pub(crate) fn process_event(&mut self, sample: &SampleEvent) {
        if let Some(time) = sample.idle_watermark {
            self.idle_watermark = self.idle_watermark.max(Some(time.ms()));
            self.fire_passed_windows();
        }
        let event = ArrivedEvent { position: self.position, sample: sample.clone() };
        self.position += 1;
        for (view, definition) in self.views.iter().enumerate() {
            let joined = match definition.window {
                WindowKind::Sliding { size_ms, slide_ms } => self.join_sliding(view, &event, size_ms, slide_ms),
                WindowKind::Session { gap_ms } => self.join_session(view, &event, gap_ms),
            };
            if !joined && self.is_too_late(view, sample.time.ms() + 1) {
                let first_late_watermark = Self::first_late_watermark(definition, sample.time.ms());
                let cause = if i128::from(first_late_watermark) <= self.watermark_by_events() {
                    LatenessCause::LaterEvents
                } else {
                    LatenessCause::IdlePartition
                };
                self.observed.push(ObservedOutput::Late { view, key: sample.key.clone(), time: sample.time, cause });
            }
        }
        self.max_time = Some(self.max_time.map_or(sample.time.ms(), |max| max.max(sample.time.ms())));
        self.fire_passed_windows();
    }

    /// Returns the first watermark at which an event at `time` that joins no open session is late.
    fn first_late_watermark(view: &FeatureView, time: i64) -> i64 {
        let last_moment = match view.window {
            WindowKind::Session { gap_ms } => time + gap_ms - 1,
            WindowKind::Sliding { size_ms, slide_ms } => {
                let start = time.div_euclid(slide_ms) * slide_ms;
                if start + size_ms > time { start + size_ms - 1 } else { time }
            }
        };
        last_moment + view.allowed_lateness_ms
    }

    fn fire_passed_windows(&mut self) {
        let watermark = self.watermark();
        self.fire_due_windows(true, |end| i128::from(end) - 1 <= watermark);
        let kept = std::mem::take(&mut self.open_windows);
        self.open_windows = kept.into_iter().filter(|open| !self.is_too_late(open.view, open.end)).collect();
    }

    pub(crate) fn finish_input(&mut self) {
        self.fire_due_windows(false, |_| true);
    }

    fn join_sliding(&mut self, view: usize, event: &ArrivedEvent, size: i64, slide: i64) -> bool {
        let sample = &event.sample;
        let time = sample.time.ms();
        let mut joined = false;
        let mut start = time.div_euclid(slide) * slide;
        if start > time - size && !self.is_too_late(view, start + size) {
            self.accepted.push((view, sample.key.clone(), time));
            if let Some(empty_end) = self.empty_window_end_after(view, time).filter(|end| self.has_passed(*end)) {
                self.fire_if_empty(view, &sample.key, empty_end);
            }
        }
        while start > time - size {
            if !self.is_too_late(view, start + size) {
                joined = true;
                let end = start + size;
                let at =
                    self.open_windows.iter().position(|o| o.view == view && o.key == sample.key && o.start == start);
                let at = at.unwrap_or_else(|| {
                    self.open_windows.push(OpenWindow {
                        view,
                        key: sample.key.clone(),
                        start,
                        end,
                        events: Vec::new(),
                        written: Vec::new(),
                        has_fired: false,
                    });
                    self.open_windows.len() - 1
                });
                self.open_windows[at].events.push(event.clone());
                if self.has_passed(end) {
                    self.fire(at);
                }
            }
            start -= slide;
        }
        joined
    }

    fn join_session(&mut self, view: usize, event: &ArrivedEvent, gap: i64) -> bool {
        let sample = &event.sample;
        let time = sample.time.ms();
        let (mine, others): (Vec<OpenWindow>, Vec<OpenWindow>) = std::mem::take(&mut self.open_windows)
            .into_iter()
            .partition(|o| o.view == view && o.key == sample.key && o.start <= time + gap && time <= o.end);
        self.open_windows = others;
        let mut merged = OpenWindow {
            view,
            key: sample.key.clone(),
            start: time,
            end: time + gap,
            events: vec![],
            written: vec![],
            has_fired: false,
        };
        for session in mine {
            merged.start = merged.start.min(session.start);
            merged.end = merged.end.max(session.end);
            merged.events.extend(session.events);
            merged.written.extend(session.written);
        }
        if self.is_too_late(view, merged.end) {
            assert!(merged.events.is_empty(), "a live session is never late");
            return false;
        }
        merged.events.push(event.clone());
        let has_passed = self.has_passed(merged.end);
        self.open_windows.push(merged);
        if has_passed {
            self.fire(self.open_windows.len() - 1);
        }
        true
    }

    fn fire_due_windows(&mut self, fires_empty_windows: bool, due: impl Fn(i64) -> bool) {
        self.open_windows.sort_by_key(|open| open.end);
        let mut empty_windows = if fires_empty_windows { self.undecided_empty_windows() } else { BTreeSet::new() };
        for at in 0..self.open_windows.len() {
            if !self.open_windows[at].has_fired && due(self.open_windows[at].end) {
                let end = self.open_windows[at].end;
                while empty_windows.first().is_some_and(|(empty_end, ..)| *empty_end < end) {
                    let Some((empty_end, view, key)) = empty_windows.pop_first() else { break };
                    self.fire_if_empty(view, &key, empty_end);
                }
                self.fire(at);
            }
        }
        for (end, view, key) in empty_windows {
            self.fire_if_empty(view, &key, end);
        }
    }

    fn fire(&mut self, at: usize) {
        let features = self.feature_values(&self.open_windows[at]);
        let open = &mut self.open_windows[at];
        open.has_fired = true;
        let window = open.window();
        let mut superseded_windows = std::mem::replace(&mut open.written, vec![window]);
        superseded_windows.retain(|written| *written != window);
        superseded_windows.sort();
        let newest = self.newest_row_ends.entry((open.view, open.key.clone())).or_insert(open.end);
        let has_newer_row = *newest > open.end;
        *newest = open.end.max(*newest);
        self.observed.push(ObservedOutput::Row {
            view: open.view,
            key: open.key.clone(),
            window,
            features,
            superseded_windows,
            has_newer_row,
            is_empty_window: false,
        });
    }

    fn has_event_in(&self, view: usize, key: &str, start: i64, size: i64) -> bool {
        let is_in = |time: i64| start <= time && time < start + size;
        self.accepted.iter().any(|(of, by, time)| *of == view && by == key && is_in(*time))
    }

    /// Fires the window with the end `end` for `key` if it has no events.
    fn fire_if_empty(&mut self, view: usize, key: &str, end: i64) {
        let WindowKind::Sliding { size_ms, .. } = self.views[view].window else { return };
        self.decided_empty_windows.insert((view, key.to_owned(), end));
        if self.has_event_in(view, key, end - size_ms, size_ms) {
            return;
        }
        let features = self.feature_values(&OpenWindow {
            view,
            key: key.to_owned(),
            start: end - size_ms,
            end,
            events: Vec::new(),
            written: Vec::new(),
            has_fired: true,
        });
        let newest = self.newest_row_ends.entry((view, key.to_owned())).or_insert(end);
        let has_newer_row = *newest > end;
        *newest = end.max(*newest);
        self.observed.push(ObservedOutput::Row {
            view,
            key: key.to_owned(),
            window: Window { start: EventTime::from_ms(end - size_ms), end: EventTime::from_ms(end) },
            features,
            superseded_windows: Vec::new(),
            has_newer_row,
            is_empty_window: true,
        });
    }

    /// Returns the end of the first window that begins after the last window with an event at `time`; `None` if the view
    /// fires no empty windows.
    fn empty_window_end_after(&self, view: usize, time: i64) -> Option<i64> {
        // Another version of the pipeline may have had more views.
        let definition = self.views.get(view)?;
        let WindowKind::Sliding { size_ms, slide_ms } = definition.window else { return None };
        let last_end = time.div_euclid(slide_ms) * slide_ms + size_ms;
        let is_wanted = definition.empty_window_policy != EmptyWindowPolicy::KeepRow && last_end > time;
        is_wanted.then_some(last_end + slide_ms)
    }

    /// Returns the empty windows that the watermark has passed and that were not decided before.
    fn undecided_empty_windows(&self) -> BTreeSet<(i64, usize, String)> {
        let candidates = self.accepted.iter().filter_map(|(view, key, time)| {
            let end = self.empty_window_end_after(*view, *time).filter(|end| self.has_passed(*end))?;
            (!self.decided_empty_windows.contains(&(*view, key.clone(), end))).then(|| (end, *view, key.clone()))
        });
        candidates.collect()
    }

    fn feature_values(&self, window: &OpenWindow) -> Vec<String> {
        self.views[window.view]
            .features
            .iter()
            .enumerate()
            .map(|(index, feature)| {
                let first_seen =
                    self.first_seen_positions.get(window.view).and_then(|features| features.get(index)).copied();
                let seen = window.events.iter().filter(|event| event.position >= first_seen.unwrap_or(0));
                let events: Vec<&SampleEvent> = seen
                    .map(|event| &event.sample)
                    .filter(|e| {
                        feature.condition.as_ref().is_none_or(|c| crate::with_event(e, |e| c.matches(e.field_values)))
                    })
                    .collect();
                let value = self.aggregate_value(feature.aggregate, &events);
                let value = if value == Value::Null {
                    feature.default_value.as_ref().map_or(Value::Null, windrow_core::Literal::as_value)
                } else {
                    value
                };
                format!("{value:?}")
            })
            .collect()
    }

    fn aggregate_value<'s>(&self, aggregate: Aggregate, events: &[&'s SampleEvent]) -> Value<'s> {
        let non_null = |field: FieldId| -> Vec<(EventTime, Value<'s>)> {
            events.iter().map(|e| (e.time, sample_value(e, field))).filter(|(_, v)| *v != Value::Null).collect()
        };
        // Texts that are too long are NULL to the aggregates that keep texts.
        let kept = |field: FieldId| {
            let is_kept = |value: Value<'_>| !matches!(value, Value::String(text) if text.len() > MAX_FIELD_BYTES);
            non_null(field).into_iter().filter(move |(_, value)| is_kept(*value))
        };
        let count = |n: usize| Value::Long(i64::try_from(n).expect("a test stream is short"));
        match aggregate {
            Aggregate::Count => count(events.len()),
            Aggregate::CountField(field) => count(non_null(field).len()),
            Aggregate::CountDistinct(field) => {
                count(non_null(field).iter().map(|(_, v)| format!("{v:?}")).collect::<BTreeSet<_>>().len())
            }
            Aggregate::Sum(field) | Aggregate::Avg(field) => {
                let values = non_null(field);
                if values.is_empty() {
                    return Value::Null;
                }
                if self.fields[field.0].field_type == FieldType::Long {
                    let sum = values.iter().fold(0_i64, |sum, (_, v)| match v {
                        Value::Long(n) => sum.wrapping_add(*n),
                        _ => unreachable!(),
                    });
                    return Value::Long(sum);
                }
                let sum: f64 = values.iter().map(|(_, v)| as_f64(v)).sum::<f64>() + 0.0;
                Value::Double(if matches!(aggregate, Aggregate::Avg(_)) { sum / values.len() as f64 } else { sum })
            }
            Aggregate::Min(field) => {
                kept(field).map(|(_, v)| v).reduce(|a, b| if is_less(b, a) { b } else { a }).unwrap_or(Value::Null)
            }
            Aggregate::Max(field) => {
                kept(field).map(|(_, v)| v).reduce(|a, b| if is_less(a, b) { b } else { a }).unwrap_or(Value::Null)
            }
            Aggregate::First(field) => {
                kept(field).reduce(|a, b| if b.0 < a.0 { b } else { a }).map_or(Value::Null, |x| x.1)
            }
            Aggregate::Last(field) => {
                kept(field).reduce(|a, b| if b.0 >= a.0 { b } else { a }).map_or(Value::Null, |x| x.1)
            }
            Aggregate::Duration(unit) => {
                let times = || events.iter().map(|e| e.time.ms());
                let unit = match unit {
                    DurationUnit::Milliseconds => 1,
                    DurationUnit::Seconds => 1_000,
                    DurationUnit::Minutes => 60_000,
                };
                match (times().min(), times().max()) {
                    (Some(first), Some(last)) => Value::Long((last - first) / unit),
                    _ => Value::Null,
                }
            }
        }
    }
}

fn sample_value(sample: &SampleEvent, field: FieldId) -> Value<'_> {
    match field.0 {
        1 => sample.kind.as_deref().map_or(Value::Null, Value::String),
        2 => sample.price.map_or(Value::Null, Value::Double),
        3 => sample.quantity.map_or(Value::Null, Value::Long),
        4 => sample.member.map_or(Value::Null, Value::Boolean),
        _ => unreachable!(),
    }
}

fn as_f64(value: &Value<'_>) -> f64 {
    match value {
        Value::Double(number) => *number,
        _ => unreachable!(),
    }
}

fn is_less(a: Value<'_>, b: Value<'_>) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a < b,
        (Value::Double(a), Value::Double(b)) => a < b,
        (Value::Long(a), Value::Long(b)) => a < b,
        _ => unreachable!(),
    }
}
