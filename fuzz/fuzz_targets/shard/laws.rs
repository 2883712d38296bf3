//! Laws that hold for a shard with any events.
//!
//! The watermark is the greatest event time less the out-of-orderness, or the time to which it was advanced without an event.
//! It never moves back. A window fires with at least one event, exactly when the watermark reaches its last millisecond. After that, it fires only because of a late event,
//! within the allowed lateness, and then with one event more than before. A window lies on its view's grid. Only an event that
//! the watermark has passed is late. In views whose windows share no event, every event is in the last row of one window or
//! late.

use std::collections::BTreeMap;

use windrow_core::{Event, EventTime, FeatureView, LateEvent, Row, ShardOutput, Value, Window, WindowKind};

use crate::stream;

/// Checks everything that a shard emits.
pub(crate) struct LawChecker {
    views: Vec<ViewCounts>,
    max_out_of_orderness_ms: i64,
    latest: Option<i64>,
    /// The watermark that every fired window must have reached. A window that was reached before the event must not fire now.
    watermark: i64,
    watermark_before: i64,
    /// Everything emitted, as text.
    pub(crate) emitted: Vec<String>,
}

struct ViewCounts {
    window: WindowKind,
    allowed_lateness_ms: i64,
    events: i64,
    late: i64,
    /// The number of events in the last row of each window that no other window has superseded.
    counts: BTreeMap<(String, Window), i64>,
}

impl LawChecker {
    pub(crate) fn new(views: &[FeatureView], max_out_of_orderness_ms: i64) -> Self {
        let counted = |view: &FeatureView| ViewCounts {
            window: view.window,
            allowed_lateness_ms: view.allowed_lateness_ms,
            events: 0,
            late: 0,
            counts: BTreeMap::new(),
        };
        Self {
            views: views.iter().map(counted).collect(),
            max_out_of_orderness_ms,
            latest: None,
            watermark: i64::MIN,
            watermark_before: i64::MIN,
            emitted: Vec::new(),
        }
    }

    pub(crate) fn before_idle_advance(&mut self, time: EventTime) {
        self.watermark_before = self.watermark;
        self.watermark = self.watermark.max(time.ms());
    }

    pub(crate) fn before_event(&mut self, event: &Event<'_>) {
        let latest = self.latest.map_or(event.time.ms(), |latest| latest.max(event.time.ms()));
        self.latest = Some(latest);
        self.watermark_before = self.watermark;
        self.watermark = self.watermark.max(latest - self.max_out_of_orderness_ms - 1);
        self.views.iter_mut().for_each(|view| view.events += 1);
    }

    pub(crate) fn after_event(&self, watermark: Option<EventTime>, entities: usize) {
        assert_eq!(watermark.map(EventTime::ms), Some(self.watermark));
        assert!(entities <= stream::KEYS.len());
    }

    pub(crate) fn before_finish(&mut self) {
        self.watermark_before = self.watermark;
        self.watermark = i64::MAX;
    }

    pub(crate) fn assert_conserved(&self) {
        for view in &self.views {
            let ViewCounts { window, events, counts, late, .. } = view;
            let in_rows: i64 = counts.values().sum();
            match window {
                WindowKind::Sliding { size_ms, slide_ms } if slide_ms > size_ms => assert!(in_rows + late <= *events),
                WindowKind::Sliding { size_ms, slide_ms } if slide_ms < size_ms => assert!(in_rows + late >= *events),
                _ => assert_eq!(in_rows + late, *events, "{window:?}"),
            }
        }
    }
}

impl ShardOutput for LawChecker {
    fn emit_row(&mut self, row: Row<'_>) {
        let Window { start, end } = row.window;
        let view = &mut self.views[row.view_id.0];
        assert!(row.window.last_ms().ms() <= self.watermark, "fired too early");
        // The watermark had passed a window that a late event makes fire.
        let is_due = row.window.last_ms().ms() > self.watermark_before;
        let lateness_ms = view.allowed_lateness_ms;
        assert!(is_due || row.window.last_ms().ms() + lateness_ms > self.watermark_before, "fired too late");
        let key = |window| (row.entity_key.to_owned(), window);
        let before = if row.is_empty_window { None } else { view.counts.remove(&key(row.window)) };
        let mut superseded_count = 0;
        for window in row.superseded_windows {
            assert!(start <= window.start && window.end <= end && *window != row.window, "supersedes a foreign window");
            superseded_count += view.counts.remove(&key(*window)).expect("a superseded window has a row");
        }
        match view.window {
            WindowKind::Sliding { size_ms, slide_ms } => {
                assert_eq!(end.ms() - start.ms(), size_ms);
                assert_eq!(start.ms().rem_euclid(slide_ms), 0);
                assert!(before.is_none() || !is_due, "fired twice");
                assert!(row.superseded_windows.is_empty());
            }
            WindowKind::Session { gap_ms } => {
                assert!(end.ms() - start.ms() >= gap_ms);
                let inside = |((key, other), _): (&(String, Window), &i64)| {
                    let is_stored = other.last_ms().ms() + lateness_ms > self.watermark_before;
                    key == row.entity_key && is_stored && other.start < end && start < other.end
                };
                assert!(!view.counts.iter().any(inside), "a row of a part of the session is not superseded");
            }
        }
        let features: Vec<Value<'_>> = row.feature_values().collect();
        let Value::Long(count) = features[0] else { panic!("the first feature counts events: {features:?}") };
        if row.is_empty_window {
            assert_eq!(count, 0, "an empty window with events");
            assert!(row.window.last_ms().ms() <= self.watermark && matches!(view.window, WindowKind::Sliding { .. }));
            self.emitted.push(format!("empty {} {} {start} {end}", row.view_id.0, row.entity_key));
            return;
        }
        assert!(count >= 1, "a window without events");
        if is_due {
            assert!(count > superseded_count && !row.has_newer_row);
        } else {
            assert_eq!(count, before.unwrap_or(0) + superseded_count + 1, "one late event more");
        }
        view.counts.insert(key(row.window), count);
        self.emitted.push(format!("{} {} {start} {end} {features:?}", row.view_id.0, row.entity_key));
    }

    fn emit_late_event(&mut self, late: LateEvent<'_>) {
        let view = &mut self.views[late.view_id.0];
        assert!(late.event_time.ms() <= self.watermark_before, "late without having been passed");
        view.late += 1;
        self.emitted.push(format!("late {} {} {}", late.view_id.0, late.entity_key, late.event_time));
    }
}
