//! `[feature_view.NAME]`: a window, a Redis key, a TTL and features.

use windrow_core::FeatureView;

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::pipeline::RedisViewSpec;
use crate::read::duration::{MAX_TTL_MS, read_duration_ms};
use crate::read::event::EventFields;
use crate::read::feature::read_features;
use crate::read::key::{ViewKeyTemplate, read_key_template, report_key_collisions};
use crate::read::name::require_safe_name;
use crate::read::table_reader::{PipelineSetting, TableReader};
use crate::read::window::read_window;

/// A view and its Redis settings. Both come from the same section of the file.
pub(super) struct ViewWithRedisSpec {
    pub(super) feature_view: FeatureView,
    pub(super) redis_spec: RedisViewSpec,
}

/// Reads all views. Returns `None` if at least one view has a mistake.
pub(super) fn read_views(
    root: &mut TableReader<'_>,
    event_fields: &EventFields,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<Vec<ViewWithRedisSpec>> {
    let setting = root.required_setting("feature_view", "[feature_view.NAME]")?;
    let table = setting.read_table("a table for each view: `[feature_view.NAME]`", mistakes)?;
    if table.table.entries.is_empty() {
        mistakes.report(
            DiagnosticCode::MissingField,
            setting.location,
            "the pipeline has no feature view",
            "`[feature_view.NAME]`",
        );
    }
    let mut views = Vec::new();
    let mut keys = Vec::new();
    for entry in &table.table.entries {
        if !require_safe_name("a feature view", &entry.name, &entry.name_location, mistakes) {
            views.push(None);
        }
        let setting = table.table_setting.child_setting(&entry.name, &entry.node);
        let (view, key) = read_view(&entry.name, &setting, event_fields, mistakes);
        views.push(view);
        keys.extend(key);
    }
    report_key_collisions(&keys, mistakes);
    views.into_iter().collect()
}

/// Reads a view and its key template. Returns a valid key template even if another setting of the view has a mistake,
/// because the caller compares the templates of all views.
fn read_view<'a>(
    name: &'a str,
    setting: &PipelineSetting<'a>,
    event_fields: &EventFields,
    mistakes: &mut DiagnosticCollector<'_>,
) -> (Option<ViewWithRedisSpec>, Option<ViewKeyTemplate<'a>>) {
    let Some(mut view) = setting.read_table("a table with `window`, `key`, `ttl` and `features`", mistakes) else {
        return (None, None);
    };
    let window = view.required_setting("window", "window.tumbling = { size = \"1h\" }");
    let window = window.and_then(|setting| read_window(&setting, mistakes));
    let key = view.required_setting("key", "key = \"NAME:{user_id}\"");
    let key =
        key.and_then(|setting| read_key_template(name, &setting, event_fields.entity_key_name.as_deref(), mistakes));
    let ttl = view.required_setting("ttl", "ttl = \"2h\"");
    let ttl = ttl.and_then(|setting| read_duration_ms(&setting, 1, MAX_TTL_MS, mistakes));
    let features = view.required_setting("features", "features.NAME = { count = \"*\" }");
    let features = features.and_then(|setting| read_features(&setting, event_fields, mistakes));
    view.report_unknown_and_missing_fields(mistakes);

    let template = key.as_ref().map(|key| key.template.clone());
    let view = || {
        let feature_view = FeatureView { name: name.into(), window: window?, features: features? };
        Some(ViewWithRedisSpec { feature_view, redis_spec: RedisViewSpec { key_template: template?, ttl_ms: ttl? } })
    };
    (view(), key)
}
