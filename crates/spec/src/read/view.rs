//! `[feature_view.NAME]`: a window, a Redis key, a TTL and features.

use windrow_core::FeatureView;

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::pipeline::RedisViewSpec;
use crate::read::duration::{MAX_TTL_MS, read_duration_ms};
use crate::read::event::EventFields;
use crate::read::feature::read_features;
use crate::read::fields::{PipelineSetting, TableReader};
use crate::read::key::{ViewKey, read_key, report_collisions};
use crate::read::name::check_safe_name;
use crate::read::window::read_window;

/// What one section says: a view, and its settings in Redis.
pub(super) struct ReadView {
    pub(super) feature_view: FeatureView,
    pub(super) redis: RedisViewSpec,
}

/// Reads all views. Returns `None` where one of them has a mistake.
pub(super) fn read_views(
    root: &mut TableReader<'_>,
    event_fields: &EventFields,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<Vec<ReadView>> {
    let setting = root.required("feature_view", "[feature_view.NAME]")?;
    let table = setting.read_table("a table for each view: `[feature_view.NAME]`", mistakes)?;
    if table.table.entries.is_empty() {
        mistakes.report(
            DiagnosticCode::MissingField,
            setting.location,
            "there is no feature view",
            "`[feature_view.NAME]`",
        );
    }
    let mut views = Vec::new();
    let mut keys = Vec::new();
    for entry in &table.table.entries {
        if !check_safe_name("a feature view", &entry.name, &entry.name_location, mistakes) {
            views.push(None);
        }
        let setting = table.setting.child(&entry.name, &entry.node);
        let (view, key) = read_view(&entry.name, &setting, event_fields, mistakes);
        views.push(view);
        keys.extend(key);
    }
    report_collisions(&keys, mistakes);
    views.into_iter().collect()
}

/// A view, and its key also where the rest of it has a mistake: keys are compared between all views.
fn read_view<'a>(
    name: &'a str,
    setting: &PipelineSetting<'a>,
    event_fields: &EventFields,
    mistakes: &mut DiagnosticCollector<'_>,
) -> (Option<ReadView>, Option<ViewKey<'a>>) {
    let Some(mut view) = setting.read_table("a table with `window`, `key`, `ttl` and `features`", mistakes) else {
        return (None, None);
    };
    let window = view.required("window", "window.tumbling = { size = \"1h\" }");
    let window = window.and_then(|setting| read_window(&setting, mistakes));
    let key = view.required("key", "key = \"NAME:{user_id}\"");
    let key = key.and_then(|setting| read_key(name, &setting, event_fields.key_name.as_deref(), mistakes));
    let ttl = view.required("ttl", "ttl = \"2h\"");
    let ttl = ttl.and_then(|setting| read_duration_ms(&setting, 1, MAX_TTL_MS, mistakes));
    let features = view.required("features", "features.NAME = { count = \"*\" }");
    let features = features.and_then(|setting| read_features(&setting, event_fields, mistakes));
    view.report_unknown_and_missing(mistakes);

    let template = key.as_ref().map(|key| key.template.clone());
    let view = || {
        let feature_view = FeatureView { name: name.into(), window: window?, features: features? };
        Some(ReadView { feature_view, redis: RedisViewSpec { key: template?, ttl_ms: ttl? } })
    };
    (view(), key)
}
