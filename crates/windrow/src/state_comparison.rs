//! Compares stored state with a pipeline file: which state of which feature a job with this file would keep.
//!
//! Owns: the comparison over all partitions, its table and its JSON. Does not own: the comparison with one checkpoint
//! (`state_migration` in the engine).

use std::fmt::Write;

use serde_json::{Value, json};
use windrow_core::EventTime;
use windrow_engine::checkpoint::CheckpointManifest;
use windrow_engine::checkpoint::state_migration::{
    FeatureOutcome, MigratedFeature, MigratedView, StateMigration, ViewOutcome,
};
use windrow_spec::Pipeline;

use crate::format::{format_duration_ms, format_event_time};
use crate::{pipeline_file, table};

/// The result of comparing stored state with a pipeline file.
pub(crate) struct StateComparison {
    /// How the names of the pipeline and topic in the stored state differ from the names in the pipeline file. `None`
    /// if there is no difference.
    pub(crate) mismatch_reason: Option<String>,
    /// What happens to each view. A view has several entries if its partitions store different definitions.
    pub(crate) views: Vec<MigratedView>,
}

impl StateComparison {
    /// Compares the checkpoints with `manifests`, one of each partition, with `pipeline`.
    pub(crate) fn compare(pipeline: &Pipeline, manifests: &[&CheckpointManifest]) -> Self {
        let pipeline_views = pipeline_file::clone_feature_views(pipeline);
        let mut comparison = Self { mismatch_reason: None, views: Vec::new() };
        for manifest in manifests {
            let (name, topic) = (&pipeline.name, &pipeline.source.kafka().topic);
            if (name, topic) != (&manifest.pipeline_name, &manifest.topic) {
                comparison.mismatch_reason = Some(format!(
                    "the state belongs to pipeline `{}` on topic `{}`, not to pipeline `{name}` on topic `{topic}`",
                    manifest.pipeline_name, manifest.topic
                ));
            }
            for view in StateMigration::plan(&pipeline_views, &pipeline.event.schema, manifest).views {
                comparison.add_view(view);
            }
        }
        comparison
    }

    /// Adds a view of one partition. The first complete window of a feature is the latest one of all partitions.
    fn add_view(&mut self, view: MigratedView) {
        let outcomes = |view: &MigratedView| -> Vec<(String, FeatureOutcome)> {
            view.features.iter().map(|feature| (feature.feature_name.clone(), feature.outcome.clone())).collect()
        };
        let same = self.views.iter_mut().find(|known| {
            known.view_name == view.view_name && known.outcome == view.outcome && outcomes(known) == outcomes(&view)
        });
        match same {
            None => self.views.push(view),
            Some(known) => {
                for (known, feature) in known.features.iter_mut().zip(view.features) {
                    known.complete_from_ms = known.complete_from_ms.max(feature.complete_from_ms);
                }
            }
        }
    }

    /// Returns the names with which `--drop-state` permits to drop the state that is lost, each once.
    pub(crate) fn names_of_dropped_state(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.views.iter().flat_map(MigratedView::names_of_dropped_state) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Formats the comparison as a table with one row for each feature.
    pub(crate) fn format_as_table(&self) -> String {
        let mut rows = table::create_borderless_table(["feature view", "feature", "state", "complete from"]);
        for view in &self.views {
            let name = &*view.view_name;
            match &view.outcome {
                ViewOutcome::Resized { stored_size_ms, pipeline_size_ms } => {
                    let (stored, current) =
                        (format_duration_ms(*stored_size_ms), format_duration_ms(*pipeline_size_ms));
                    rows.add_row([name, "(windows)", &format!("kept, {stored} → {current}"), ""]);
                }
                ViewOutcome::Removed => {
                    rows.add_row([name, "(all)", "dropped", ""]);
                }
                ViewOutcome::Kept | ViewOutcome::BeginsAnew { .. } | ViewOutcome::Added => {}
            }
            for feature in &view.features {
                let complete_from = feature.complete_from_ms.map(EventTime::from_ms).map(format_event_time);
                let state = format_feature_state(view, feature);
                rows.add_row([name, &feature.feature_name, &state, &complete_from.unwrap_or_default()]);
            }
        }
        let mut out = format!("{rows}\n");
        for view in &self.views {
            for (what, was, is) in changed_definitions(view) {
                // Writing to a string does not fail.
                let _ = writeln!(out, "\n{what} was {was}");
                if let Some(is) = is {
                    let _ = writeln!(out, "{:>width$} is  {is}", "", width = what.chars().count());
                }
            }
        }
        let is_incomplete = |feature: &MigratedFeature| feature.complete_from_ms.is_some();
        if self.views.iter().flat_map(|view| &view.features).any(is_incomplete) {
            out += "\nWindows that start before \"complete from\" may lack events. The times are those of the stored state: a \
                    later start gives later ones.\n";
        }
        out
    }

    /// Returns the views as JSON.
    pub(crate) fn views_as_json(&self) -> Vec<Value> {
        self.views.iter().map(view_as_json).collect()
    }
}

/// Returns the definitions that changed or were removed: what has the definition, the stored one, the one in the pipeline.
fn changed_definitions(view: &MigratedView) -> Vec<(String, &str, Option<&str>)> {
    let name = &view.view_name;
    let mut changed = Vec::new();
    if let ViewOutcome::BeginsAnew { stored_definition, pipeline_definition } = &view.outcome {
        changed.push((name.clone(), &**stored_definition, Some(&**pipeline_definition)));
    }
    for feature in &view.features {
        let what = format!("{name}.{}", feature.feature_name);
        match &feature.outcome {
            FeatureOutcome::BeginsAnew { stored_definition, pipeline_definition } => {
                changed.push((what, &**stored_definition, Some(&**pipeline_definition)));
            }
            FeatureOutcome::Removed { stored_definition } => changed.push((what, &**stored_definition, None)),
            FeatureOutcome::Kept | FeatureOutcome::Renamed { .. } | FeatureOutcome::Added => {}
        }
    }
    changed
}

fn format_feature_state(view: &MigratedView, feature: &MigratedFeature) -> String {
    match &feature.outcome {
        FeatureOutcome::Renamed { stored_name } => format!("renamed, was {stored_name}"),
        _ => feature_state_code(view, feature).replace('_', " "),
    }
}

/// Returns the word with which JSON output says what happens to the state of a feature.
fn feature_state_code(view: &MigratedView, feature: &MigratedFeature) -> &'static str {
    match &feature.outcome {
        FeatureOutcome::Kept => "kept",
        FeatureOutcome::Renamed { .. } => "renamed",
        FeatureOutcome::Added if matches!(view.outcome, ViewOutcome::BeginsAnew { .. }) => "begins_anew",
        FeatureOutcome::Added => "added",
        FeatureOutcome::BeginsAnew { .. } => "begins_anew",
        FeatureOutcome::Removed { .. } => "dropped",
    }
}

fn view_as_json(view: &MigratedView) -> Value {
    let state = match &view.outcome {
        ViewOutcome::Kept | ViewOutcome::Resized { .. } => "kept",
        ViewOutcome::BeginsAnew { .. } => "begins_anew",
        ViewOutcome::Removed => "dropped",
        ViewOutcome::Added => "added",
    };
    let mut json = json!({
        "name": view.view_name,
        "state": state,
        "needs_drop_state": view.names_of_dropped_state().next().is_some(),
        "features": view.features.iter().map(|feature| feature_as_json(view, feature)).collect::<Vec<_>>(),
    });
    match &view.outcome {
        ViewOutcome::Resized { stored_size_ms, pipeline_size_ms } => {
            json["stored_size_ms"] = json!(stored_size_ms);
            json["size_ms"] = json!(pipeline_size_ms);
        }
        ViewOutcome::BeginsAnew { stored_definition, pipeline_definition } => {
            json["stored_definition"] = json!(stored_definition);
            json["definition"] = json!(pipeline_definition);
        }
        ViewOutcome::Kept | ViewOutcome::Removed | ViewOutcome::Added => {}
    }
    json
}

fn feature_as_json(view: &MigratedView, feature: &MigratedFeature) -> Value {
    let mut json = json!({
        "name": feature.feature_name,
        "state": feature_state_code(view, feature),
        "complete_from_ms": feature.complete_from_ms,
        "needs_drop_state": feature.outcome.drops_state(),
    });
    match &feature.outcome {
        FeatureOutcome::Renamed { stored_name } => json["stored_name"] = json!(stored_name),
        FeatureOutcome::BeginsAnew { stored_definition, pipeline_definition } => {
            json["stored_definition"] = json!(stored_definition);
            json["definition"] = json!(pipeline_definition);
        }
        FeatureOutcome::Removed { stored_definition } => json["stored_definition"] = json!(stored_definition),
        FeatureOutcome::Kept | FeatureOutcome::Added => {}
    }
    json
}
