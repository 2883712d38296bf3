//! A *row-numbering fingerprint* is a hash of everything that determines the numbers of a feature view's rows.
//!
//! Two runs of a job number rows equally only if both runs read the same records from the same offset under the same
//! rules. So the fingerprint covers the topic, the first offset, the definitions of all views and the decoding rules. A
//! worker that continues a partition compares its own fingerprint with the fingerprint in the row store. If the
//! fingerprints are equal, the worker skips the rows that the row store already holds. If the fingerprints differ, the
//! worker writes these rows again.
//! Invariant: equal inputs give equal fingerprints in every run and in every version of Windrow.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;
use windrow_core::{FeatureView, parse_window_definition};

use super::config::CheckpointConfig;
use super::manifest::CheckpointManifest;
use super::opened_partition::RestoredShard;
use crate::{Epoch, JobDefinition, Offset, ViewRowCount};

/// Returns two values for every feature view of `job`: the number of the view's last row before the offset `start`, and
/// the fingerprint for its rows from `start` on.
pub(super) fn compute_row_counts_at_start(
    config: &CheckpointConfig,
    job: &JobDefinition,
    restored: &RestoredShard,
    start: Option<Offset>,
    epoch: Epoch,
) -> Vec<ViewRowCount> {
    let manifest = restored.manifest.as_ref();
    let decoding_rules = job.describe_decoding_and_lateness();
    let job_views = describe_job_views(job);
    let (topic, id) = (&config.state_identity.topic, config.state_identity.topic_id.as_deref());
    // If the start offset or the topic id is unknown, the fingerprint contains the epoch instead of both. No other run
    // has the same epoch. So two runs that may read different records never have the same fingerprint.
    let place = match (start, id) {
        (Some(start), Some(id)) => format!("offset {start} of {id}"),
        _ => format!("epoch {epoch}"),
    };
    let keeps_all_views = restored.stored_view_index_by_job_view.iter().all(Option::is_some);
    let has_same_slots = keeps_all_views && manifest.is_some_and(|manifest| has_same_windows(manifest, job));
    let count_view = |(view, stored): (&FeatureView, &Option<usize>)| {
        let (fingerprint, rows) = match (manifest, stored) {
            (Some(manifest), Some(stored)) => {
                let stored = &manifest.views[*stored];
                let continues = start.is_none_or(|start| start == manifest.offset)
                    && manifest.decoding_and_lateness_description == decoding_rules
                    && has_same_slots
                    && stored.view_definition == view.definition_text(&job.schema);
                let fingerprint = if continues {
                    stored.row_numbering_fingerprint
                } else {
                    let (before, rows) =
                        (stored.row_numbering_fingerprint.to_string(), stored.last_row_number.to_string());
                    hash_text_parts(&[topic, &place, &view.name, &job_views, &decoding_rules, &before, &rows])
                };
                (fingerprint, stored.last_row_number)
            }
            // A view that was added begins with the numbering of the others, which also depends on lost records.
            (Some(manifest), None) => {
                let others = join_fingerprints(manifest);
                (hash_text_parts(&[topic, &place, &view.name, &job_views, &decoding_rules, &others]), 0)
            }
            (None, _) => (hash_text_parts(&[topic, &place, &view.name, &job_views, &decoding_rules]), 0),
        };
        ViewRowCount { view: view.name.to_string(), row_numbering_fingerprint: fingerprint, last_row_number: rows }
    };
    job.views.iter().zip(&restored.stored_view_index_by_job_view).map(count_view).collect()
}

/// Returns the new fingerprint after row counting has restarted at `offset`, such as after a jump to another offset.
/// `before` is the fingerprint for the rows before the restart. The new fingerprint differs from `before`, because
/// another run may process the same records without the restart.
pub(crate) fn derive_fingerprint_after_restart(before: u64, restart_cause: &str, offset: Option<Offset>) -> u64 {
    hash_text_parts(&[&before.to_string(), restart_cause, &format!("{offset:?}")])
}

/// Returns a text with the definitions of all views of the job. The text contains all views, because every view affects
/// the order of the other views' rows. The reason: the order of rows depends on the slots of the entities. A slot
/// becomes free only if no view holds state of its entity. So every view affects which slots later entities get.
fn describe_job_views(job: &JobDefinition) -> String {
    join_sorted_definitions(job.views.iter().map(|view| (&*view.name, view.definition_text(&job.schema))))
}

/// Returns whether the views in `manifest` have the same names, windows, allowed lateness and entity keys as the views of
/// `job`. If their state is kept, an entity then gets the same slot, whatever the features are.
fn has_same_windows(manifest: &CheckpointManifest, job: &JobDefinition) -> bool {
    let windows = |text: &str| {
        let parsed = parse_window_definition(text)?;
        Some((parsed.window, parsed.allowed_lateness_ms, parsed.quoted_entity_key.to_owned()))
    };
    let stored_view = |view: &FeatureView| manifest.views.iter().find(|stored| *stored.view_name == *view.name);
    let is_same = |view: &FeatureView| {
        let definition = view.definition_text(&job.schema);
        stored_view(view).is_some_and(|stored| {
            stored.view_definition == definition
                || windows(&definition).is_some_and(|found| Some(found) == windows(&stored.view_definition))
        })
    };
    manifest.views.len() == job.views.len() && job.views.iter().all(is_same)
}

fn join_fingerprints(manifest: &CheckpointManifest) -> String {
    let fingerprints = manifest.views.iter().map(|view| view.row_numbering_fingerprint.to_string());
    fingerprints.collect::<Vec<_>>().join(" ")
}

fn join_sorted_definitions<'a>(views: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut views: Vec<String> = views.map(|(name, definition)| format!("{name} = {definition}")).collect();
    views.sort_unstable();
    views.join("\n")
}

fn hash_text_parts(parts: &[&str]) -> u64 {
    let mut hasher = SipHasher13::new();
    for part in parts {
        hasher.write(&(part.len() as u64).to_le_bytes());
        hasher.write(part.as_bytes());
    }
    hasher.finish()
}
