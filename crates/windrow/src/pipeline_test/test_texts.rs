//! The texts of views, windows, times and values in the differences of a test.

use jiff::Timestamp;
use windrow_core::{EventTime, FeatureView, Literal, ViewId, Window};
use windrow_spec::Pipeline;

/// Formats parts of a pipeline's rows. Times are in the time zone of the events, with their UTC offset.
pub(crate) struct TestTexts<'p> {
    pub(super) pipeline: &'p Pipeline,
}

impl<'p> TestTexts<'p> {
    pub(crate) const fn new(pipeline: &'p Pipeline) -> Self {
        Self { pipeline }
    }

    pub(super) fn view(&self, view_id: ViewId) -> &'p FeatureView {
        &self.pipeline.views[view_id.0]
    }

    pub(super) fn format_time(&self, time: EventTime) -> String {
        let Ok(timestamp) = Timestamp::from_millisecond(time.ms()) else { return time.to_string() };
        let zone = &self.pipeline.event.time_zone;
        let offset = zone.to_offset(timestamp);
        if offset.is_zero() { timestamp.to_string() } else { timestamp.display_with_offset(offset).to_string() }
    }

    pub(super) fn format_window(&self, window: Window) -> String {
        format!("{} to {}", self.format_time(window.start), self.format_time(window.end))
    }

    /// Names the entity: `user_id "111"`.
    pub(super) fn format_entity(&self, entity_key: &str) -> String {
        format!("{} {entity_key:?}", self.pipeline.event.schema.entity_key_name())
    }

    /// Names the features of a row with their values: `views = 1, spent = NULL`.
    pub(super) fn format_features(&self, view_id: ViewId, values: &[Option<Literal>]) -> String {
        let features = self.view(view_id).features.iter().zip(values);
        let features = features.map(|(feature, value)| format!("{} = {}", feature.name, format_value(value.as_ref())));
        features.collect::<Vec<_>>().join(", ")
    }
}

/// Formats the value of a feature as the pipeline file writes it. `None` is NULL.
pub(super) fn format_value(value: Option<&Literal>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some(Literal::String(text)) => format!("{text:?}"),
        Some(Literal::Double(number)) => format!("{number:?}"),
        Some(Literal::Long(number)) => number.to_string(),
        Some(Literal::Boolean(truth)) => truth.to_string(),
    }
}
