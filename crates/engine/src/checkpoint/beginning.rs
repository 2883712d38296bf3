//! Where the counting of a view's rows began.
//!
//! Rows of two runs have the same numbers only where both run over the same records from the same place with the same
//! rules. A beginning is a fingerprint of all that: topic, offset, the view's definition, how records are read. With it a
//! worker that goes on from a checkpoint, or begins again because there was none yet, knows which rows the store has
//! already; and one for which anything has changed writes its rows anew.
//! Invariant: the same circumstances give the same fingerprint in every run and version, different ones another.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use super::{Checkpoints, Manifest};
use crate::{Epoch, Job, Offset, RowCount};

/// For every view of `job`, where its rows stand when reading goes on at `start`, with the state of `used`; `views` says
/// where the state of each is in it.
pub(super) fn counts(
    checkpoints: &Checkpoints,
    job: &Job,
    used: Option<&Manifest>,
    views: &[Option<usize>],
    start: Option<Offset>,
    epoch: Epoch,
) -> Vec<RowCount> {
    let reading = job.reading();
    let topic = checkpoints.identity.topic_id.as_deref().unwrap_or(&checkpoints.identity.topic);
    // A place that is not known is like no other.
    let place = start.map_or_else(|| format!("epoch {epoch}"), |start| format!("offset {start}"));
    let count = |(view, stored): (&windrow_core::FeatureView, &Option<usize>)| {
        let definition = view.definition(&job.schema);
        let (beginning, rows) = match (used, stored) {
            (Some(used), Some(stored)) => {
                let stored = &used.views[*stored];
                let goes_on = start.is_none_or(|start| start == used.offset) && used.reading == reading;
                let beginning = if goes_on {
                    stored.beginning
                } else {
                    let (before, rows) = (stored.beginning.to_string(), stored.rows.to_string());
                    fingerprint(&[topic, &place, &definition, &reading, &before, &rows])
                };
                (beginning, stored.rows)
            }
            _ => (fingerprint(&[topic, &place, &definition, &reading]), 0),
        };
        RowCount { view: view.name.to_string(), beginning, rows }
    };
    job.views.iter().zip(views).map(count).collect()
}

fn fingerprint(parts: &[&str]) -> u64 {
    let mut hasher = SipHasher13::new();
    for part in parts {
        hasher.write(&(part.len() as u64).to_le_bytes());
        hasher.write(part.as_bytes());
    }
    hasher.finish()
}
