//! Decides which stored state each feature view and each feature of a job gets.
//!
//! Stored state belongs to the definition of a feature. A view of the pipeline and a stored view with the same name, entity
//! key, allowed lateness and kind of window are the same view. Within it, features are matched by name and definition first, and then by
//! definition alone. So a renamed feature keeps its state, an added one begins empty, and a changed one begins anew.
//!
//! Owns: this decision, which a start, `windrow state verify` and `windrow check --against` share. Does not own: moving the
//! state (`windrow-core`), the permission to drop state (`restore_shard`).
//! Invariants: (1) The decision depends on the manifest and the pipeline alone. (2) A stored feature gives its state to at
//! most one feature, whose definition and accumulators are the same.

use windrow_core::{
    EventSchema, EventTime, FeatureView, SavedViewTarget, StoredFeatureDefinition, ViewMigration, WindowKind,
    WindowResize, parse_window_definition,
};

use super::manifest::{CheckpointManifest, StoredView};

/// What happens to the stored state when a job continues from a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateMigration {
    /// The views of the checkpoint in its order, and then the views that only the pipeline has.
    pub views: Vec<MigratedView>,
}

/// What happens to the stored state of one view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MigratedView {
    /// The name of the view.
    pub view_name: String,
    /// What happens to the windows of the view.
    pub outcome: ViewOutcome,
    /// The features of the pipeline's view in its order, and then the stored features that it does not have. Only a view
    /// whose windows are kept has stored features.
    pub features: Vec<MigratedFeature>,
    /// The index of the view in the checkpoint; `None` if only the pipeline has the view.
    pub(super) stored_index: Option<usize>,
    /// The index of the view in the pipeline; `None` if only the checkpoint has the view.
    pub(super) job_index: Option<usize>,
    target: SavedViewTarget,
}

/// What happens to the stored windows of a view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ViewOutcome {
    /// The windows are kept.
    Kept,
    /// The windows are kept, and become longer or shorter.
    Resized {
        /// The length of the windows in the checkpoint, in milliseconds.
        stored_size_ms: i64,
        /// The length of the windows in the pipeline, in milliseconds.
        pipeline_size_ms: i64,
    },
    /// The pipeline has another entity key, another allowed lateness or other windows, so the state of the whole view is dropped.
    BeginsAnew {
        /// The definition in the checkpoint.
        stored_definition: String,
        /// The definition in the pipeline.
        pipeline_definition: String,
    },
    /// The pipeline has no view of this name, so its state is dropped.
    Removed,
    /// Only the pipeline has the view. It begins empty.
    Added,
}

/// What happens to the stored state of one feature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MigratedFeature {
    /// The name of the feature in the pipeline; for a removed feature, in the checkpoint.
    pub feature_name: String,
    /// What happens to the state.
    pub outcome: FeatureOutcome,
    /// The start of the first complete window in epoch milliseconds. Earlier windows may lack events. `None` if no window
    /// lacks events.
    pub complete_from_ms: Option<i64>,
}

/// What happens to the stored state of a feature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FeatureOutcome {
    /// The state is kept.
    Kept,
    /// The state of the stored feature with this name and the same definition is kept.
    Renamed {
        /// The name in the checkpoint.
        stored_name: String,
    },
    /// The checkpoint has no such feature. It begins empty.
    Added,
    /// The pipeline defines the feature differently, so its state is dropped and it begins empty.
    BeginsAnew {
        /// The definition in the checkpoint.
        stored_definition: String,
        /// The definition in the pipeline.
        pipeline_definition: String,
    },
    /// The pipeline has no such feature, so its state is dropped.
    Removed {
        /// The definition in the checkpoint.
        stored_definition: String,
    },
}

impl FeatureOutcome {
    /// Returns whether stored state is lost.
    #[must_use]
    pub const fn drops_state(&self) -> bool {
        matches!(self, Self::BeginsAnew { .. } | Self::Removed { .. })
    }
}

impl MigratedView {
    /// Returns whether the stored state of the whole view is lost.
    #[must_use]
    pub const fn drops_whole_state(&self) -> bool {
        matches!(self.outcome, ViewOutcome::BeginsAnew { .. } | ViewOutcome::Removed)
    }

    /// Returns whether the view has the same definition in the checkpoint and in the pipeline.
    #[must_use]
    pub const fn has_same_definition(&self) -> bool {
        matches!(self.target, SavedViewTarget::SameDefinition(_))
    }

    /// Returns the names with which an operator permits to drop the state that is lost: `VIEW`, or `VIEW.FEATURE` for each
    /// feature.
    pub fn names_of_dropped_state(&self) -> impl Iterator<Item = String> {
        let whole = self.drops_whole_state().then(|| self.view_name.clone());
        let features = self.features.iter().filter(|feature| feature.outcome.drops_state());
        let features = features.map(|feature| format!("{}.{}", self.view_name, feature.feature_name));
        whole.into_iter().chain(features)
    }
}

impl StateMigration {
    /// Compares the `views` of a pipeline with the views in `manifest`.
    #[must_use]
    pub fn plan(views: &[FeatureView], schema: &EventSchema, manifest: &CheckpointManifest) -> Self {
        let stored = manifest.views.iter().enumerate().map(|(stored_index, stored)| {
            let found = views.iter().enumerate().find(|(_, view)| *view.name == *stored.view_name);
            let Some((job_index, view)) = found else { return removed_view(stored, stored_index) };
            let indexes = ViewIndexes { stored_index, job_index };
            migrate_view(view, schema, stored, indexes, manifest)
        });
        let is_added =
            |(_, view): &(usize, &FeatureView)| manifest.views.iter().all(|stored| *stored.view_name != *view.name);
        let added = views.iter().enumerate().filter(is_added).map(|(job_index, view)| MigratedView {
            view_name: view.name.to_string(),
            outcome: ViewOutcome::Added,
            features: begin_all_features(view, manifest),
            stored_index: None,
            job_index: Some(job_index),
            target: SavedViewTarget::Dropped,
        });
        Self { views: stored.chain(added).collect() }
    }

    /// Returns, for every view of the job, the index of the stored view whose windows it keeps; `None` if it begins empty.
    pub(super) fn stored_view_index_by_job_view(&self, view_count: usize) -> Vec<Option<usize>> {
        let mut indexes = vec![None; view_count];
        for view in &self.views {
            if let (Some(job_index), SavedViewTarget::SameDefinition(_) | SavedViewTarget::Migrated(_)) =
                (view.job_index, &view.target)
            {
                indexes[job_index] = view.stored_index;
            }
        }
        indexes
    }

    /// Returns, for every stored view, where its state goes.
    pub(super) fn saved_view_targets(&self) -> Vec<SavedViewTarget> {
        self.views.iter().filter(|view| view.stored_index.is_some()).map(|view| view.target.clone()).collect()
    }

    /// Returns the first complete windows of the features of every view of the job.
    pub(super) fn complete_from_by_view(&self, views: &[FeatureView]) -> Vec<Vec<Option<i64>>> {
        let mut by_view = vec![Vec::new(); views.len()];
        for view in &self.views {
            if let Some(job_index) = view.job_index {
                let features = view.features.iter().take(views[job_index].features.len());
                by_view[job_index] = features.map(|feature| feature.complete_from_ms).collect();
            }
        }
        by_view
    }

    /// Returns whether the checkpoint has exactly the views of the job, in the same order and with the same definitions.
    pub(super) fn is_unchanged(&self) -> bool {
        let is_same = |view: &MigratedView| view.has_same_definition() && view.job_index == view.stored_index;
        self.views.iter().all(is_same)
    }
}

fn removed_view(stored: &StoredView, stored_index: usize) -> MigratedView {
    MigratedView {
        view_name: stored.view_name.clone(),
        outcome: ViewOutcome::Removed,
        features: Vec::new(),
        stored_index: Some(stored_index),
        job_index: None,
        target: SavedViewTarget::Dropped,
    }
}

/// The positions of a view in the checkpoint and in the pipeline.
#[derive(Clone, Copy)]
struct ViewIndexes {
    stored_index: usize,
    job_index: usize,
}

/// Compares a view with the stored view of the same name.
fn migrate_view(
    view: &FeatureView,
    schema: &EventSchema,
    stored: &StoredView,
    indexes: ViewIndexes,
    manifest: &CheckpointManifest,
) -> MigratedView {
    let definition = view.definition_text(schema);
    let migrated = |outcome, features, target| MigratedView {
        view_name: stored.view_name.clone(),
        outcome,
        features,
        stored_index: Some(indexes.stored_index),
        job_index: Some(indexes.job_index),
        target,
    };
    if definition == stored.view_definition && has_same_layout(view, schema, stored) {
        let features = view.features.iter().map(|feature| {
            let complete_from_ms = stored.complete_from_ms(&feature.name);
            MigratedFeature {
                feature_name: feature.name.to_string(),
                outcome: FeatureOutcome::Kept,
                complete_from_ms: drop_passed(complete_from_ms, view, manifest),
            }
        });
        return migrated(ViewOutcome::Kept, features.collect(), SavedViewTarget::SameDefinition(indexes.job_index));
    }
    let window_change = match compare_windows(view, schema, stored, manifest) {
        WindowComparison::Same => Some(None),
        WindowComparison::Resized(change) => Some(Some(change)),
        WindowComparison::Different => None,
    };
    let Some((stored_features, window_change)) = stored.read_feature_definitions().zip(window_change) else {
        let outcome = ViewOutcome::BeginsAnew {
            stored_definition: stored.view_definition.clone(),
            pipeline_definition: definition,
        };
        return migrated(outcome, begin_all_features(view, manifest), SavedViewTarget::Dropped);
    };
    let pipeline_features = view.feature_definitions(schema);
    let matches = match_features(&stored_features, &pipeline_features);
    let complete_after_resize = window_change.and_then(|change| change.complete_from_ms);
    let begins_empty_from = first_complete_window(view.window, manifest);
    let mut features: Vec<MigratedFeature> = Vec::new();
    for (feature, matched) in pipeline_features.iter().zip(&matches) {
        let same_name = stored_features.iter().find(|stored| stored.feature_name == feature.feature_name);
        let outcome = match (matched, same_name) {
            (Some(index), _) if stored_features[*index].feature_name == feature.feature_name => FeatureOutcome::Kept,
            (Some(index), _) => FeatureOutcome::Renamed { stored_name: stored_features[*index].feature_name.clone() },
            (None, Some(same_name)) if !is_matched(&stored_features, &matches, same_name) => {
                FeatureOutcome::BeginsAnew {
                    stored_definition: same_name.feature_definition.clone(),
                    pipeline_definition: feature.feature_definition.clone(),
                }
            }
            (None, _) => FeatureOutcome::Added,
        };
        let complete_from_ms = match matched {
            Some(index) => stored.complete_from_ms(&stored_features[*index].feature_name).max(complete_after_resize),
            None => begins_empty_from,
        };
        features.push(MigratedFeature {
            feature_name: feature.feature_name.clone(),
            outcome,
            complete_from_ms: drop_passed(complete_from_ms, view, manifest),
        });
    }
    for (index, stored) in stored_features.iter().enumerate() {
        let has_name = |feature: &StoredFeatureDefinition| feature.feature_name == stored.feature_name;
        let begins_anew =
            pipeline_features.iter().zip(&matches).any(|(feature, matched)| matched.is_none() && has_name(feature));
        if !matches.contains(&Some(index)) && !begins_anew {
            features.push(MigratedFeature {
                feature_name: stored.feature_name.clone(),
                outcome: FeatureOutcome::Removed { stored_definition: stored.feature_definition.clone() },
                complete_from_ms: None,
            });
        }
    }
    let outcome = window_change.map_or(ViewOutcome::Kept, |change| ViewOutcome::Resized {
        stored_size_ms: change.stored_size_ms,
        pipeline_size_ms: change.pipeline_size_ms,
    });
    let target = SavedViewTarget::Migrated(ViewMigration {
        view_index: indexes.job_index,
        saved_layouts: stored_features.iter().map(|feature| feature.accumulator_layout).collect(),
        saved_feature_by_feature: matches,
        window_resize: window_change.map(|change| change.window_resize),
    });
    migrated(outcome, features, target)
}

/// Returns whether another feature has the state of the stored feature `stored`.
fn is_matched(
    stored_features: &[StoredFeatureDefinition],
    matches: &[Option<usize>],
    stored: &StoredFeatureDefinition,
) -> bool {
    let index = stored_features.iter().position(|feature| feature == stored);
    index.is_some_and(|index| matches.contains(&Some(index)))
}

/// Returns, for each feature of the pipeline, the index of the stored feature whose state it gets. Features of the same name
/// and definition match first. The others match in the order of the pipeline and of the checkpoint.
fn match_features(stored: &[StoredFeatureDefinition], pipeline: &[StoredFeatureDefinition]) -> Vec<Option<usize>> {
    let mut matches: Vec<Option<usize>> =
        pipeline.iter().map(|feature| stored.iter().position(|stored| stored == feature)).collect();
    for (index, feature) in pipeline.iter().enumerate() {
        if matches[index].is_some() {
            continue;
        }
        matches[index] = (0..stored.len()).find(|candidate| {
            let candidate_feature = &stored[*candidate];
            !matches.contains(&Some(*candidate))
                && candidate_feature.feature_definition == feature.feature_definition
                && candidate_feature.accumulator_layout == feature.accumulator_layout
        });
    }
    matches
}

/// A change of the length of a view's windows.
#[derive(Clone, Copy)]
struct WindowChange {
    window_resize: WindowResize,
    stored_size_ms: i64,
    pipeline_size_ms: i64,
    /// The start of the first complete window in epoch milliseconds; `None` if all windows are complete.
    complete_from_ms: Option<i64>,
}

/// How the windows of a view differ from the windows of the stored view of the same name.
enum WindowComparison {
    Same,
    Resized(WindowChange),
    /// The stored windows cannot be kept.
    Different,
}

fn compare_windows(
    view: &FeatureView,
    schema: &EventSchema,
    stored: &StoredView,
    manifest: &CheckpointManifest,
) -> WindowComparison {
    let text = view.definition_text(schema);
    let (Some(current), Some(saved)) =
        (parse_window_definition(&text), parse_window_definition(&stored.view_definition))
    else {
        return WindowComparison::Different;
    };
    let has_same_key = current.quoted_entity_key == saved.quoted_entity_key;
    if !has_same_key || current.allowed_lateness_ms != saved.allowed_lateness_ms {
        return WindowComparison::Different;
    }
    if current.window == saved.window {
        return WindowComparison::Same;
    }
    let watermark = manifest.watermark_ms.map(EventTime::from_ms);
    let (WindowKind::Sliding { size_ms: stored_size_ms, .. }, WindowKind::Sliding { size_ms: pipeline_size_ms, .. }) =
        (saved.window, current.window)
    else {
        return WindowComparison::Different;
    };
    // Panes are kept until no late event may join their last window.
    let purged_at = watermark.map(|watermark| view.subtract_allowed_lateness(watermark));
    let Some(window_resize) = WindowResize::between(saved.window, current.window, purged_at) else {
        return WindowComparison::Different;
    };
    let complete_from = watermark.zip(manifest.latest_event_time()).and_then(|(watermark, latest)| {
        current.window.first_complete_window_after_resize(saved.window, watermark, latest)
    });
    let complete_from_ms = complete_from.map(EventTime::ms);
    WindowComparison::Resized(WindowChange { window_resize, stored_size_ms, pipeline_size_ms, complete_from_ms })
}

/// Returns whether the features of `view` have the accumulators that the checkpoint stores. Checkpoints of older versions do
/// not store them.
fn has_same_layout(view: &FeatureView, schema: &EventSchema, stored: &StoredView) -> bool {
    let layout = |feature: &StoredFeatureDefinition| feature.accumulator_layout;
    stored.features.is_empty()
        || stored
            .read_feature_definitions()
            .is_some_and(|features| features.iter().map(layout).eq(view.feature_definitions(schema).iter().map(layout)))
}

/// Returns the first complete window of a feature that begins empty. Returns `None` if there was no event yet.
fn first_complete_window(window: WindowKind, manifest: &CheckpointManifest) -> Option<i64> {
    manifest.latest_event_time().map(|latest| window.first_complete_window_after(latest).ms())
}

/// Returns `complete_from_ms`, unless all earlier windows have fired.
fn drop_passed(complete_from_ms: Option<i64>, view: &FeatureView, manifest: &CheckpointManifest) -> Option<i64> {
    let watermark = manifest.watermark_ms.map(EventTime::from_ms);
    drop_passed_completeness(complete_from_ms, view, watermark)
}

/// Returns `complete_from_ms`, the first complete window of a feature, unless all earlier windows have fired at `watermark`.
/// A session may have begun at any time before, so the result is never `None` for sessions.
pub(crate) fn drop_passed_completeness(
    complete_from_ms: Option<i64>,
    view: &FeatureView,
    watermark: Option<EventTime>,
) -> Option<i64> {
    complete_from_ms.filter(|&from| {
        watermark.is_none_or(|watermark| view.may_fire_incomplete_window(EventTime::from_ms(from), watermark, None))
    })
}

/// Returns the features of a view that begins empty.
fn begin_all_features(view: &FeatureView, manifest: &CheckpointManifest) -> Vec<MigratedFeature> {
    let complete_from_ms = first_complete_window(view.window, manifest);
    let begin = |feature: &windrow_core::Feature| MigratedFeature {
        feature_name: feature.name.to_string(),
        outcome: FeatureOutcome::Added,
        complete_from_ms,
    };
    view.features.iter().map(begin).collect()
}

#[cfg(test)]
mod tests {
    use windrow_core::{Aggregate, EventField, Feature, FieldId, FieldType};

    use super::*;
    use crate::checkpoint::CheckpointId;

    fn schema() -> EventSchema {
        let price = EventField { name: "price".into(), field_type: FieldType::Double };
        EventSchema::new("user", [price])
    }

    fn feature(name: &str, aggregate: Aggregate) -> Feature {
        Feature { name: name.into(), aggregate, condition: None, default_value: None }
    }

    fn sliding(size_ms: i64, features: &[Feature]) -> FeatureView {
        let window = WindowKind::Sliding { size_ms, slide_ms: 10 };
        FeatureView {
            name: "v".into(),
            window,
            allowed_lateness_ms: 0,
            empty_window_policy: windrow_core::EmptyWindowPolicy::KeepRow,
            features: features.to_vec(),
        }
    }

    const SUM: Aggregate = Aggregate::Sum(FieldId(1));
    const MAX: Aggregate = Aggregate::Max(FieldId(1));

    /// How a manifest stores the features of a view.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum ManifestVersion {
        Old,
        New,
    }

    /// A manifest at the watermark 98, after an event at 104.
    fn manifest(views: &[FeatureView], version: ManifestVersion) -> CheckpointManifest {
        let schema = schema();
        let stored = views.iter().map(|view| StoredView {
            view_name: view.name.to_string(),
            view_definition: view.definition_text(&schema),
            last_row_number: 0,
            row_numbering_fingerprint: 0,
            former_numberings: Vec::new(),
            features: match version {
                ManifestVersion::New => StoredView::describe_features(view, &schema, &[]),
                ManifestVersion::Old => Vec::new(),
            },
        });
        CheckpointManifest {
            checkpoint_id: CheckpointId { epoch: 1, checkpoint_number: 1 },
            taken_at_ms: 0,
            windrow_version: String::new(),
            process_name: String::new(),
            pipeline_name: String::new(),
            topic: String::new(),
            topic_id: None,
            topic_partition_count: 1,
            partition: 0,
            offset: 0,
            leader_epoch: None,
            watermark_ms: Some(98),
            watermark_by_events_ms: None,
            event_time_limit_ms: None,
            latest_event_time_ms: None,
            entity_count: 0,
            slot_count: 0,
            decoding_and_lateness_description: "out of order up to 5 ms".to_owned(),
            views: stored.collect(),
            layers: Vec::new(),
            earlier_cuts: Vec::new(),
            origin_savepoint_place: None,
        }
    }

    fn plan_one(stored: &FeatureView, current: &FeatureView) -> MigratedView {
        let plan = |version| {
            let manifest = manifest(std::slice::from_ref(stored), version);
            StateMigration::plan(std::slice::from_ref(current), &schema(), &manifest)
        };
        let mut planned = plan(ManifestVersion::New);
        assert_eq!(planned, plan(ManifestVersion::Old), "old manifests tell the same");
        assert_eq!(planned.views.len(), 1);
        planned.views.remove(0)
    }

    fn outcomes(view: &MigratedView) -> Vec<(&str, &FeatureOutcome, Option<i64>)> {
        view.features
            .iter()
            .map(|feature| (&*feature.feature_name, &feature.outcome, feature.complete_from_ms))
            .collect()
    }

    fn renamed(stored_name: &str) -> FeatureOutcome {
        FeatureOutcome::Renamed { stored_name: stored_name.to_owned() }
    }

    #[test]
    fn an_added_feature_begins_empty_and_the_others_are_kept() {
        let stored = sliding(30, &[feature("n", Aggregate::Count)]);
        let current = sliding(30, &[feature("sum", SUM), feature("n", Aggregate::Count)]);
        let view = plan_one(&stored, &current);
        assert_eq!(view.outcome, ViewOutcome::Kept);
        // The latest event may have been at 104, so the first complete window begins at 110.
        let expected = [("sum", &FeatureOutcome::Added, Some(110)), ("n", &FeatureOutcome::Kept, None)];
        assert_eq!(outcomes(&view), expected);
        assert_eq!(view.names_of_dropped_state().count(), 0);
        assert!(!view.has_same_definition());
    }

    #[test]
    fn removed_and_changed_features_are_named() {
        let stored = sliding(30, &[feature("n", Aggregate::Count), feature("sum", SUM)]);
        let current = sliding(30, &[feature("sum", MAX)]);
        let view = plan_one(&stored, &current);
        let names: Vec<String> = view.names_of_dropped_state().collect();
        assert_eq!(names, ["v.sum", "v.n"]);
        let (stored_definition, pipeline_definition) = ("double sum(price)".to_owned(), "double max(price)".to_owned());
        let changed = FeatureOutcome::BeginsAnew { stored_definition, pipeline_definition };
        let removed = FeatureOutcome::Removed { stored_definition: "count(*)".to_owned() };
        assert_eq!(outcomes(&view), [("sum", &changed, Some(110)), ("n", &removed, None)]);
    }

    /// Names decide first. What remains matches by definition, in the order of the pipeline.
    #[test]
    fn features_of_the_same_definition_match_in_order() {
        let count = |name| feature(name, Aggregate::Count);
        let stored = sliding(30, &[count("a"), count("b"), count("c")]);
        let view = plan_one(&stored, &sliding(30, &[count("x"), count("b"), count("y"), count("z")]));
        let expected = [
            ("x", &renamed("a"), None),
            ("b", &FeatureOutcome::Kept, None),
            ("y", &renamed("c"), None),
            ("z", &FeatureOutcome::Added, Some(110)),
        ];
        assert_eq!(outcomes(&view), expected);

        let stored = sliding(30, &[feature("a", SUM), feature("b", MAX)]);
        let swapped = plan_one(&stored, &sliding(30, &[feature("a", MAX), feature("b", SUM)]));
        assert_eq!(outcomes(&swapped), [("a", &renamed("b"), None), ("b", &renamed("a"), None)]);
    }

    /// The name of a stored feature is used by another one, and nothing has its definition.
    #[test]
    fn a_feature_is_removed_although_another_has_its_name() {
        let stored = sliding(30, &[feature("a", SUM), feature("b", MAX)]);
        let view = plan_one(&stored, &sliding(30, &[feature("a", MAX)]));
        let removed = FeatureOutcome::Removed { stored_definition: "double sum(price)".to_owned() };
        assert_eq!(outcomes(&view), [("a", &renamed("b"), None), ("a", &removed, None)]);
        assert_eq!(view.names_of_dropped_state().collect::<Vec<_>>(), ["v.a"]);
    }

    #[test]
    fn longer_and_shorter_windows_keep_their_panes() {
        let features = [feature("n", Aggregate::Count)];
        let longer = plan_one(&sliding(30, &features), &sliding(60, &features));
        assert_eq!(longer.outcome, ViewOutcome::Resized { stored_size_ms: 30, pipeline_size_ms: 60 });
        // The pane of 70 to 80 is there, because the window of 70 to 100 has not fired at 98.
        assert_eq!(outcomes(&longer), [("n", &FeatureOutcome::Kept, Some(70))]);
        let shorter = plan_one(&sliding(60, &features), &sliding(30, &features));
        assert_eq!(shorter.outcome, ViewOutcome::Resized { stored_size_ms: 60, pipeline_size_ms: 30 });
        assert_eq!(outcomes(&shorter), [("n", &FeatureOutcome::Kept, None)]);
        assert_eq!(shorter.names_of_dropped_state().count(), 0);
        // Panes of 5 cannot be made of panes of 10.
        let anew = plan_one(&sliding(30, &features), &sliding(45, &features));
        assert!(anew.drops_whole_state(), "{:?}", anew.outcome);
        assert_eq!(anew.names_of_dropped_state().collect::<Vec<_>>(), ["v"]);
        // Two panes of 5 become one of 10.
        let merged = plan_one(&sliding(45, &features), &sliding(60, &features));
        assert_eq!(merged.outcome, ViewOutcome::Resized { stored_size_ms: 45, pipeline_size_ms: 60 });
    }

    #[test]
    fn another_slide_gap_or_key_begins_anew() {
        let features = vec![feature("n", Aggregate::Count)];
        let with = |window| FeatureView {
            name: "v".into(),
            window,
            allowed_lateness_ms: 0,
            empty_window_policy: windrow_core::EmptyWindowPolicy::KeepRow,
            features: features.clone(),
        };
        let stored = with(WindowKind::Sliding { size_ms: 30, slide_ms: 10 });
        let sessions = with(WindowKind::Session { gap_ms: 10 });
        for (stored, current) in [
            (&stored, with(WindowKind::Sliding { size_ms: 30, slide_ms: 15 })),
            (&stored, with(WindowKind::Session { gap_ms: 10 })),
            (&sessions, with(WindowKind::Session { gap_ms: 20 })),
            (&stored, FeatureView { allowed_lateness_ms: 5, ..stored.clone() }),
        ] {
            assert!(plan_one(stored, &current).drops_whole_state());
        }
        let mut other_key = manifest(std::slice::from_ref(&stored), ManifestVersion::New);
        let text = &mut other_key.views[0].view_definition;
        *text = text.replace("of user", "of account");
        let plan = StateMigration::plan(&[stored], &schema(), &other_key);
        assert!(plan.views[0].drops_whole_state());
    }

    #[test]
    fn what_was_incomplete_stays_so_until_it_has_fired() {
        let view = sliding(30, &[feature("n", Aggregate::Count), feature("sum", SUM)]);
        let complete_from = |from: i64| {
            let mut manifest = manifest(std::slice::from_ref(&view), ManifestVersion::New);
            manifest.views[0].features[1].complete_from_ms = Some(from);
            let plan = StateMigration::plan(std::slice::from_ref(&view), &schema(), &manifest);
            assert!(plan.is_unchanged());
            plan.complete_from_by_view(std::slice::from_ref(&view))
        };
        assert_eq!(complete_from(80), [[None, Some(80)]], "the window of 70 to 100 has not fired");
        assert_eq!(complete_from(70), [[None, None]]);
    }
}
