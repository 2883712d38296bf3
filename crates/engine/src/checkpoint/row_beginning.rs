//! A *beginning* identifies where and how the counting of a view's rows began.
//!
//! Two runs give the same row numbers only if they read the same records from the same offset under the same rules. A
//! *beginning* is a fingerprint of the topic, the offset, the definitions of all views and the decoding rules. A worker
//! that resumes compares beginnings to learn which rows the row store already has. After any change, the rows are
//! written again.
//! Invariant: equal circumstances give equal fingerprints in every run and version; different circumstances give
//! different ones.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;
use windrow_core::FeatureView;

use super::config::CheckpointConfig;
use super::manifest::CheckpointManifest;
use super::opened_partition::RestoredShard;
use crate::{Epoch, JobDefinition, Offset, ViewRowCount};

/// Returns the row count of every view of `job` at the moment when `restored` is read from `start`.
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
    let (topic, id) = (&config.identity.topic, config.identity.topic_id.as_deref());
    // An unknown offset never equals another offset. Without a topic id, a recreated topic cannot be recognized, so its
    // offsets are not compared either.
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
        ViewRowCount { view: view.name.to_string(), counting_start_fingerprint: beginning, last_row_number: rows }
    };
    job.views.iter().zip(&restored.stored_view_indexes).map(count_view).collect()
}

/// Returns the beginning of the rows that follow `event` at `offset`. `before` is the beginning of the rows before it.
/// Another run may not meet the same event.
pub(crate) fn compute_beginning_after_gap(before: u64, event: &str, offset: Option<Offset>) -> u64 {
    fingerprint_parts(&[&before.to_string(), event, &format!("{offset:?}")])
}

/// Describes all views of the job. One view's row order depends on the other views: an entity keeps its slot while any
/// view holds state for it.
fn describe_job_views(job: &JobDefinition) -> String {
    join_sorted_definitions(job.views.iter().map(|view| (&*view.name, view.definition_text(&job.schema))))
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
