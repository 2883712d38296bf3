//! Where the counting of a view's rows began.
//!
//! Rows of two runs have the same numbers only where both run over the same records from the same offset with the same
//! rules. A *beginning* is a fingerprint of all that: topic, offset, the definitions of all views, how records are read. By
//! it, a worker that continues from a checkpoint, or begins again because there was none yet, knows which rows the store has
//! already. Where anything has changed, the rows are written again.
//! Invariant: the same circumstances give the same fingerprint in every run and version, different ones another.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;
use windrow_core::FeatureView;

use super::config::CheckpointConfig;
use super::manifest::CheckpointManifest;
use super::opened_partition::RestoredShard;
use crate::{Epoch, JobDefinition, Offset, ViewRowCount};

/// Returns, for every view of `job`, how many rows it has when `restored` is read from `start` on.
pub(super) fn row_counts_at_start(
    config: &CheckpointConfig,
    job: &JobDefinition,
    restored: &RestoredShard,
    start: Option<Offset>,
    epoch: Epoch,
) -> Vec<ViewRowCount> {
    let manifest = restored.manifest.as_ref();
    let decoding_rules = job.describe_decoding_rules();
    let job_views = describe_job_views(job);
    let (topic, id) = (&config.identity.topic, config.identity.topic_id.as_deref());
    // An unknown offset equals no other. Neither does one in a topic that cannot be told from its successor.
    let place = match (start, id) {
        (Some(start), Some(id)) => format!("offset {start} of {id}"),
        _ => format!("epoch {epoch}"),
    };
    let has_same_views = manifest.is_some_and(|manifest| describe_stored_views(manifest) == job_views);
    let count_view = |(view, stored): (&FeatureView, &Option<usize>)| {
        let (beginning, rows) = match (manifest, stored) {
            (Some(manifest), Some(stored)) => {
                let stored = &manifest.views[*stored];
                let continues = start.is_none_or(|start| start == manifest.offset)
                    && manifest.reading == decoding_rules
                    && has_same_views;
                let beginning = if continues {
                    stored.beginning
                } else {
                    let (before, rows) = (stored.beginning.to_string(), stored.rows.to_string());
                    fingerprint_parts(&[topic, &place, &view.name, &job_views, &decoding_rules, &before, &rows])
                };
                (beginning, stored.rows)
            }
            _ => (fingerprint_parts(&[topic, &place, &view.name, &job_views, &decoding_rules]), 0),
        };
        ViewRowCount { view: view.name.to_string(), beginning, rows }
    };
    job.views.iter().zip(&restored.stored_view_indexes).map(count_view).collect()
}

/// Returns the beginning of rows that follow those of `before` after `event`, at `offset`: something that another run may
/// not meet.
pub(crate) fn beginning_after_gap(before: u64, event: &str, offset: Option<Offset>) -> u64 {
    fingerprint_parts(&[&before.to_string(), event, &format!("{offset:?}")])
}

/// Describes all views of the job. The order of a view's rows depends on the others too: entities have slots as long as any
/// view holds state for them.
fn describe_job_views(job: &JobDefinition) -> String {
    join_sorted_definitions(job.views.iter().map(|view| (&*view.name, view.definition(&job.schema))))
}

fn describe_stored_views(manifest: &CheckpointManifest) -> String {
    join_sorted_definitions(manifest.views.iter().map(|view| (view.name.as_str(), view.definition.clone())))
}

fn join_sorted_definitions<'a>(views: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut views: Vec<String> = views.map(|(name, definition)| format!("{name} = {definition}")).collect();
    views.sort_unstable();
    views.join("\n")
}

fn fingerprint_parts(parts: &[&str]) -> u64 {
    let mut hasher = SipHasher13::new();
    for part in parts {
        hasher.write(&(part.len() as u64).to_le_bytes());
        hasher.write(part.as_bytes());
    }
    hasher.finish()
}
