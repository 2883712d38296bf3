//! Where the counting of a view's rows began.
//!
//! Rows of two runs have the same numbers only where both run over the same records from the same place with the same
//! rules. A beginning is a fingerprint of all that: topic, offset, the definitions of all views, how records are read. With it a
//! worker that goes on from a checkpoint, or begins again because there was none yet, knows which rows the store has
//! already; and one for which anything has changed writes its rows anew.
//! Invariant: the same circumstances give the same fingerprint in every run and version, different ones another.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use super::{CheckpointConfig, CheckpointManifest};
use crate::{Epoch, JobDefinition, Offset, ViewRowCount};

/// For every view of `job`, where its rows stand when reading goes on at `start`, with the state of `used`; `views` says
/// where the state of each is in it.
pub(super) fn row_counts_at_start(
    config: &CheckpointConfig,
    job: &JobDefinition,
    manifest: Option<&CheckpointManifest>,
    stored_view_indexes: &[Option<usize>],
    start: Option<Offset>,
    epoch: Epoch,
) -> Vec<ViewRowCount> {
    let reading = job.describe_decoding_rules();
    let all = describe_job_views(job);
    let (topic, id) = (&config.identity.topic, config.identity.topic_id.as_deref());
    // A place that is not known is like no other. Nor is one in a topic that cannot be told from its successor.
    let place = match (start, id) {
        (Some(start), Some(id)) => format!("offset {start} of {id}"),
        _ => format!("epoch {epoch}"),
    };
    let same_views = manifest.is_some_and(|used| describe_stored_views(used) == all);
    let count = |(view, stored): (&windrow_core::FeatureView, &Option<usize>)| {
        let (beginning, rows) = match (manifest, stored) {
            (Some(used), Some(stored)) => {
                let stored = &used.views[*stored];
                let goes_on = start.is_none_or(|start| start == used.offset) && used.reading == reading && same_views;
                let beginning = if goes_on {
                    stored.beginning
                } else {
                    let (before, rows) = (stored.beginning.to_string(), stored.rows.to_string());
                    fingerprint_parts(&[topic, &place, &view.name, &all, &reading, &before, &rows])
                };
                (beginning, stored.rows)
            }
            _ => (fingerprint_parts(&[topic, &place, &view.name, &all, &reading]), 0),
        };
        ViewRowCount { view: view.name.to_string(), beginning, rows }
    };
    job.views.iter().zip(stored_view_indexes).map(count).collect()
}

/// The beginning of rows that go on behind `before` after something that another run may not meet, at `offset`.
pub(crate) fn beginning_after_gap(before: u64, what: &str, offset: Option<Offset>) -> u64 {
    fingerprint_parts(&[&before.to_string(), what, &format!("{offset:?}")])
}

/// All views of the job. The order of a view's rows depends on the others too: entities have slots as long as any view
/// holds state for them.
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
