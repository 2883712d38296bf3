//! `[feature_view.NAME]`: a window, a Redis key, a TTL and features.

use windrow_core::FeatureView;

use super::{
    Fields, Setting, duration,
    event::Vocabulary,
    feature,
    key::{self, PlacedKey},
    name, window,
};
use crate::{
    View,
    diagnostics::{Code, Mistakes},
};

/// All views; `None` where one of them has a mistake.
pub(super) fn read_all(root: &mut Fields<'_>, words: &Vocabulary, mistakes: &mut Mistakes<'_>) -> Option<Vec<View>> {
    let setting = root.required("feature_view", "[feature_view.NAME]")?;
    let table = setting.table("a table for each view: `[feature_view.NAME]`", mistakes)?;
    if table.table.entries.is_empty() {
        mistakes.add(Code::MissingField, setting.at, "there is no feature view", "`[feature_view.NAME]`");
    }
    let mut views = Vec::new();
    let mut keys = Vec::new();
    for entry in &table.table.entries {
        if !name::safe("a feature view", &entry.name, &entry.name_at, mistakes) {
            views.push(None);
        }
        let setting = table.setting.child(&entry.name, &entry.node);
        let (view, key) = read(&entry.name, &setting, words, mistakes);
        views.push(view);
        keys.extend(key);
    }
    key::collisions(&keys, mistakes);
    views.into_iter().collect()
}

/// A view, and its key also where the rest of it has a mistake: keys are compared between all views.
fn read<'a>(
    name: &'a str,
    setting: &Setting<'a>,
    words: &Vocabulary,
    mistakes: &mut Mistakes<'_>,
) -> (Option<View>, Option<PlacedKey<'a>>) {
    let Some(mut view) = setting.table("a table with `window`, `key`, `ttl` and `features`", mistakes) else {
        return (None, None);
    };
    let window = view.required("window", "window.tumbling = { size = \"1h\" }");
    let window = window.and_then(|setting| window::read(&setting, mistakes));
    let key = view.required("key", "key = \"NAME:{user_id}\"");
    let key = key.and_then(|setting| key::read(name, &setting, words.key.as_deref(), mistakes));
    let ttl = view.required("ttl", "ttl = \"2h\"");
    let ttl = ttl.and_then(|setting| duration::read(&setting, 1, duration::MAX_TTL_MS, mistakes));
    let features = view.required("features", "features.NAME = { count = \"*\" }");
    let features = features.and_then(|setting| feature::read_all(&setting, words, mistakes));
    view.finish(mistakes);

    let template = key.as_ref().map(|key| key.template.clone());
    let view = || {
        let feature_view = FeatureView { name: name.into(), window: window?, features: features? };
        Some(View { feature_view, key: template?, ttl_ms: ttl? })
    };
    (view(), key)
}
