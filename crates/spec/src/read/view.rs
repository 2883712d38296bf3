//! `[feature_view.NAME]`: a window, a Redis key, a TTL and features.

use windrow_core::{EmptyWindowPolicy, FeatureView, MAX_WINDOW_MS, WindowKind};

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::pipeline::RedisViewSpec;
use crate::read::duration::{DurationRange, MAX_TTL_MS};
use crate::read::event::EventFields;
use crate::read::feature::{FEATURES, read_features};
use crate::read::key::{MAX_TEMPLATE_BYTES, ViewKeyTemplate, read_key_template, report_key_collisions};
use crate::read::name::{SAFE_NAME_RULE, require_safe_name};
use crate::read::named_entries::NamedEntries;
use crate::read::section::{ReadableValue, SectionDefinition, SettingDefinition};
use crate::read::setting::PipelineSetting;
use crate::read::table_reader::TableReader;
use crate::read::text::{TextDefinition, TextPattern};
use crate::read::window::{WINDOW, read_window};
use crate::read::word_choice::WordChoice;

pub(super) static FEATURE_VIEW: SettingDefinition<NamedEntries> = SettingDefinition::required(
    "feature_view",
    "[feature_view.NAME]",
    NamedEntries { name: TextPattern::Name(SAFE_NAME_RULE), entry: &VIEW, min_count: 1 },
    "The feature views. The name of a view is the name of its table.",
);
static VIEW: &SectionDefinition = &SectionDefinition {
    expected: "a table with `window`, `key`, `ttl` and `features`",
    alternatives: &[],
    settings: &[&WINDOW, &ALLOWED_LATENESS, &WHEN_EMPTY, &KEY, &TTL, &FEATURES],
};
static ALLOWED_LATENESS: SettingDefinition<DurationRange> = SettingDefinition::optional(
    "allowed_lateness",
    DurationRange::with_default(0, MAX_WINDOW_MS, 0),
    "How long after its end a window still takes late events. Each of them makes the window fire again.",
);
static WHEN_EMPTY: SettingDefinition<WordChoice<EmptyWindowPolicy>> = SettingDefinition::optional(
    "when_empty",
    WordChoice {
        words: &[
            ("keep", EmptyWindowPolicy::KeepRow),
            ("zero", EmptyWindowPolicy::WriteZeros),
            ("delete", EmptyWindowPolicy::DeleteRow),
        ],
        is_optional: true,
        noun: Some("what happens to the row of an empty window"),
    },
    "What happens to a user's row when the user's last event has left the sliding window.",
);
static KEY: SettingDefinition<TextDefinition> = SettingDefinition::required(
    "key",
    "key = \"NAME:{user_id}\"",
    TextDefinition { pattern: TextPattern::NotBlank, max_bytes: Some(MAX_TEMPLATE_BYTES), default: None },
    "The template of the Redis key of a row. Placeholders are the entity key in braces, `{window_start}` and \
     `{window_end}`.",
);
static TTL: SettingDefinition<DurationRange> = SettingDefinition::required(
    "ttl",
    "ttl = \"2h\"",
    DurationRange::required(1, MAX_TTL_MS),
    "The time from the last write of a row until Redis deletes the row.",
);

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
    let setting = root.find_setting(&FEATURE_VIEW)?;
    let table = setting.read_table("a table for each view: `[feature_view.NAME]`", mistakes)?;
    if table.entries.is_empty() {
        mistakes.report(
            DiagnosticCode::MissingField,
            setting.location,
            "the pipeline has no feature view",
            "`[feature_view.NAME]`",
        );
    }
    let mut views = Vec::new();
    let mut keys = Vec::new();
    for entry in &table.entries {
        if !require_safe_name("a feature view", &entry.name, &entry.name_location, mistakes) {
            views.push(None);
        }
        let view_setting = setting.child_setting(&entry.name, &entry.node);
        let (view, key) = read_view(&entry.name, &view_setting, event_fields, mistakes);
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
    let Some(mut view) = VIEW.read_value(setting, mistakes) else {
        return (None, None);
    };
    let window = view.find_setting(&WINDOW).and_then(|setting| read_window(&setting, mistakes));
    let allowed_lateness_ms = view.read_setting(&ALLOWED_LATENESS, mistakes);
    let empty_window_policy = view.read_setting(&WHEN_EMPTY, mistakes);
    if let (Some(WindowKind::Session { .. }), Some(setting)) = (window, view.find_setting(&WHEN_EMPTY)) {
        let message = format!("`{}` is for sliding and tumbling windows", setting.path);
        mistakes
            .report(DiagnosticCode::BadValue, setting.location, message, "no `when_empty` in a view of sessions")
            .set_hint(Some("a session ends with its last event, so it is never empty".to_owned()));
    }
    let key = view.find_setting(&KEY);
    let key =
        key.and_then(|setting| read_key_template(name, &setting, event_fields.entity_key_name.as_deref(), mistakes));
    let ttl = view.read_setting(&TTL, mistakes);
    let features = view.find_setting(&FEATURES);
    let features = features.and_then(|setting| read_features(&setting, event_fields, mistakes));
    view.report_unknown_and_missing_fields(mistakes);

    let template = key.as_ref().map(|key| key.template.clone());
    let view = || {
        let feature_view = FeatureView {
            name: name.into(),
            window: window?,
            allowed_lateness_ms: allowed_lateness_ms?,
            empty_window_policy: empty_window_policy?,
            features: features?,
        };
        let key_template = template?;
        let deletes_superseded_keys = matches!(feature_view.window, WindowKind::Session { .. })
            && feature_view.allowed_lateness_ms > 0
            && key_template.has_window_placeholder();
        let deletes_keys = deletes_superseded_keys || feature_view.empty_window_policy == EmptyWindowPolicy::DeleteRow;
        let redis_spec = RedisViewSpec { key_template, ttl_ms: ttl?, deletes_keys };
        Some(ViewWithRedisSpec { feature_view, redis_spec })
    };
    (view(), key)
}
