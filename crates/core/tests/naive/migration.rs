//! Chains of pipelines: between two of them, a shard is saved and restored into views with other features and windows.
//!
//! The reference tells each feature the events that it could see. A second reference knows all events, and shows from which
//! window on a feature is complete.

use proptest::prelude::*;
use windrow_core::{
    BaseOrDelta, EventSchema, EventTime, Feature, FeatureView, SavedViewTarget, Shard, ShardMetadata, ShardRestore,
    SnapshotStorageOutcome, ViewMigration, WindowKind, WindowResize,
};

use crate::reference::{ObservedOutput, ReferenceMigration, ReferenceShard};
use crate::streams::{feature, schema, stream};
use crate::{CollectedOutput, process_sample};

/// One pipeline of a chain: a sliding view and a session view, in either order, with features out of a pool.
#[derive(Clone, Debug)]
struct PipelineVersion {
    sliding_size_ms: i64,
    gap_ms: i64,
    has_session_view: bool,
    is_session_view_first: bool,
    /// Indexes into the pool, each at most once.
    sliding_features: Vec<usize>,
    session_features: Vec<usize>,
    /// The share of the events after which the next pipeline begins.
    event_share: u8,
}

const POOL_SIZE: usize = 6;

fn feature_choice() -> impl Strategy<Value = Vec<usize>> {
    let all: Vec<usize> = (0..POOL_SIZE).collect();
    prop::sample::subsequence(all, 1..=POOL_SIZE).prop_shuffle()
}

fn version(slide_ms: i64) -> impl Strategy<Value = PipelineVersion> {
    let size = prop_oneof![
        6 => (1_i64..=6).prop_map(move |count| count * slide_ms),
        // Panes that are parts of a slide, and windows with gaps between them.
        2 => (1_i64..=9).prop_map(move |count| (count * slide_ms / 2).max(1)),
        1 => 1_i64..slide_ms * 4,
    ];
    let gap = prop_oneof![4 => Just(40_i64), 1 => Just(70_i64)];
    (size, gap, prop::bool::weighted(0.8), any::<bool>(), feature_choice(), feature_choice(), 1_u8..10).prop_map(
        |(sliding_size_ms, gap_ms, has_session_view, is_session_view_first, sliding, session, event_share)| {
            PipelineVersion {
                sliding_size_ms,
                gap_ms,
                has_session_view,
                is_session_view_first,
                sliding_features: sliding,
                session_features: session,
                event_share,
            }
        },
    )
}

/// The views of a version, and for each feature its index in the pool.
struct VersionViews {
    views: Vec<FeatureView>,
    pool_indexes: Vec<Vec<usize>>,
}

impl PipelineVersion {
    fn build_views(&self, slide_ms: i64, session_lateness_ms: i64, pool: &[Feature]) -> VersionViews {
        let view = |name: &str, window, features: &[usize]| FeatureView {
            name: name.into(),
            window,
            allowed_lateness_ms: if name == "session" { session_lateness_ms } else { 0 },
            empty_window_policy: windrow_core::EmptyWindowPolicy::KeepRow,
            features: features.iter().map(|&index| pool[index].clone()).collect(),
        };
        let sliding = WindowKind::Sliding { size_ms: self.sliding_size_ms, slide_ms };
        let mut views = vec![view("sliding", sliding, &self.sliding_features)];
        let mut pool_indexes = vec![self.sliding_features.clone()];
        if self.has_session_view {
            let at = usize::from(!self.is_session_view_first);
            views.insert(at, view("session", WindowKind::Session { gap_ms: self.gap_ms }, &self.session_features));
            pool_indexes.insert(at, self.session_features.clone());
        }
        VersionViews { views, pool_indexes }
    }
}

/// What a feature has seen.
#[derive(Clone, Copy)]
struct FeatureHistory {
    first_seen_position: usize,
    /// `None` if all windows are complete.
    complete_from: Option<EventTime>,
}

/// How the views of one version continue those of the version before.
struct MigrationPlan {
    targets: Vec<SavedViewTarget>,
    migrations: Vec<Option<ReferenceMigration>>,
    histories: Vec<Vec<FeatureHistory>>,
}

fn plan_migration(
    saved: &VersionViews,
    saved_histories: &[Vec<FeatureHistory>],
    next: &VersionViews,
    schema: &EventSchema,
    position: usize,
    times: Option<(EventTime, EventTime)>,
) -> MigrationPlan {
    let mut targets = vec![SavedViewTarget::Dropped; saved.views.len()];
    let (mut migrations, mut histories) = (Vec::new(), Vec::new());
    for (view_index, view) in next.views.iter().enumerate() {
        let saved_index = saved.views.iter().position(|saved| saved.name == view.name);
        let watermark = times.map(|(watermark, _)| watermark);
        let resize =
            saved_index.and_then(|index| WindowResize::between(saved.views[index].window, view.window, watermark));
        let is_same = saved_index.is_some_and(|index| saved.views[index].window == view.window);
        let saved_index = saved_index.filter(|_| is_same || resize.is_some());
        let begin = FeatureHistory {
            first_seen_position: position,
            complete_from: times.map(|(_, latest)| view.window.first_complete_window_after(latest)),
        };
        let Some(saved_index) = saved_index else {
            migrations.push(None);
            histories.push(vec![begin; view.features.len()]);
            continue;
        };
        let saved_window = saved.views[saved_index].window;
        let resized_from = times.filter(|_| !is_same).and_then(|(watermark, latest)| {
            view.window.first_complete_window_after_resize(saved_window, watermark, latest)
        });
        let saved_feature =
            |pool_index: &usize| saved.pool_indexes[saved_index].iter().position(|saved| saved == pool_index);
        let saved_feature_by_feature: Vec<_> = next.pool_indexes[view_index].iter().map(saved_feature).collect();
        let history = |saved_feature: &Option<usize>| {
            saved_feature.map_or(begin, |feature| {
                let history = saved_histories[saved_index][feature];
                FeatureHistory { complete_from: history.complete_from.max(resized_from), ..history }
            })
        };
        histories.push(saved_feature_by_feature.iter().map(history).collect());
        migrations.push(Some(ReferenceMigration { saved_view: saved_index, is_resized: !is_same }));
        let layouts = saved.views[saved_index].feature_definitions(schema);
        targets[saved_index] = SavedViewTarget::Migrated(ViewMigration {
            view_index,
            saved_layouts: layouts.iter().map(|feature| feature.accumulator_layout).collect(),
            saved_feature_by_feature,
            window_resize: resize.filter(|_| !is_same),
        });
    }
    MigrationPlan { targets, migrations, histories }
}

/// Checks that the rows of complete windows have the values of a run that has seen all events.
fn assert_complete(
    found: &[ObservedOutput],
    complete: &[ObservedOutput],
    views: &VersionViews,
    histories: &[Vec<FeatureHistory>],
) {
    for output in found {
        let ObservedOutput::Row { view, key, window, features, .. } = output else { continue };
        for (index, value) in features.iter().enumerate() {
            if histories[*view][index].complete_from.is_some_and(|from| window.start < from) {
                continue;
            }
            // A window may fire again, with other values.
            let same_window =
                complete.iter().filter_map(|other| match other {
                    ObservedOutput::Row {
                        view: other_view, key: other_key, window: other_window, features, ..
                    } if (other_view, other_key, other_window) == (view, key, window) => Some(&features[index]),
                    _ => None,
                });
            let known: Vec<&String> = same_window.collect();
            assert!(known.contains(&value), "{} of {key:?} in {window:?}", views.views[*view].name);
        }
    }
}

/// Saves the shard as a base and a delta of the last events, and restores it with other views.
fn save_and_migrate(shard: Shard, mut layers: Vec<Vec<u8>>, empty: Shard, targets: Vec<SavedViewTarget>) -> Shard {
    let mut shard = shard;
    let facts = shard.snapshot_metadata();
    shard.begin_snapshot(BaseOrDelta::Delta);
    let mut delta = Vec::new();
    while !shard.continue_snapshot(300, &mut delta) {}
    layers.push(delta);
    let emitted_row_counts = vec![0; empty.entity_counts_by_view().count()];
    let mut restore = ShardRestore::new(empty, facts.slot_count, targets);
    for layer in &layers {
        for part in layer.chunks(97) {
            restore.load_layer_part(part).expect("what a shard saved can be read");
        }
        restore.finish_layer().expect("a whole layer");
    }
    restore.finish(&ShardMetadata { emitted_row_counts, ..facts }).expect("whole")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// Each feature of each pipeline has the values of the events that it could see. From its first complete window on, it
    /// has the values of all events.
    #[test]
    fn a_chain_of_pipelines_keeps_what_each_feature_has_seen(
        (slide_ms, versions) in (15_i64..60).prop_flat_map(|slide_ms| (Just(slide_ms), prop::collection::vec(version(slide_ms), 2..8))),
        pool in prop::collection::vec(feature(), POOL_SIZE),
        events in stream(),
        max_out_of_orderness_ms in 0_i64..80,
        session_lateness_ms in prop_oneof![Just(0_i64), 1_i64..200],
    ) {
        let schema = schema();
        let version_views: Vec<VersionViews> = versions.iter().map(|version| version.build_views(slide_ms, session_lateness_ms, &pool)).collect();
        let shares: usize = versions.iter().map(|version| usize::from(version.event_share)).sum();
        let new_shard = |views: &VersionViews| Shard::new(&views.views, &schema, max_out_of_orderness_ms, [3; 16]);

        let mut reference = ReferenceShard::new(&version_views[0].views, &schema, max_out_of_orderness_ms);
        let mut shard = new_shard(&version_views[0]);
        let all_seen = FeatureHistory { first_seen_position: 0, complete_from: None };
        let mut histories: Vec<Vec<FeatureHistory>> =
            version_views[0].views.iter().map(|view| vec![all_seen; view.features.len()]).collect();
        let (mut position, mut share) = (0, 0);
        for (index, views) in version_views.iter().enumerate() {
            share += usize::from(versions[index].event_share);
            let end = events.len() * share / shares;
            let mut out = CollectedOutput::default();
            let mut base = Vec::new();
            shard.begin_snapshot(BaseOrDelta::Base);
            while !shard.continue_snapshot(1_000, &mut base) {}
            shard.end_snapshot(SnapshotStorageOutcome::Stored);
            for sample in &events[position..end] {
                process_sample(&mut shard, sample, &mut out);
                reference.process_event(sample);
            }
            let is_last = index + 1 == version_views.len();
            let mut knows_all = ReferenceShard::new(&views.views, &schema, max_out_of_orderness_ms);
            events[..position].iter().for_each(|sample| knows_all.process_event(sample));
            knows_all.observed.clear();
            events[position..end].iter().for_each(|sample| knows_all.process_event(sample));
            let (watermark, entities) = (shard.watermark(), shard.entity_count());
            let layers = vec![base];
            position = end;
            let next = if is_last {
                shard.finish_input(&mut out);
                prop_assert_eq!(shard.entity_count(), 0, "{} entities are left behind", entities);
                reference.finish_input();
                knows_all.finish_input();
                None
            } else {
                let times = watermark.map(|watermark| {
                    let by_events = shard.watermark_by_events().unwrap_or(watermark);
                    (watermark, EventTime::from_ms(by_events.ms() + max_out_of_orderness_ms + 1))
                });
                let next_views = &version_views[index + 1];
                let plan = plan_migration(views, &histories, next_views, &schema, position, times);
                Some((next_views, plan))
            };
            let (mut found, mut expected) = (out.0, std::mem::take(&mut reference.observed));
            found.sort();
            expected.sort();
            let missing: Vec<_> = expected.iter().filter(|output| !found.contains(output)).collect();
            let wrong: Vec<_> = found.iter().filter(|output| !expected.contains(output)).collect();
            prop_assert!(missing.is_empty() && wrong.is_empty(), "version {}: {:?} instead of {:?}", index, wrong, missing);
            prop_assert_eq!(found.len(), expected.len());
            assert_complete(&found, &knows_all.observed, views, &histories);
            let Some((next_views, plan)) = next else { break };
            shard = save_and_migrate(shard, layers, new_shard(next_views), plan.targets);
            let first_seen = plan.histories.iter().map(|features| features.iter().map(|f| f.first_seen_position).collect());
            reference.migrate(&next_views.views, &plan.migrations, first_seen.collect());
            histories = plan.histories;
        }
    }
}
