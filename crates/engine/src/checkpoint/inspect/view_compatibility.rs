//! Which views' state a pipeline would keep.
//!
//! Owns: the comparison by name and definition. Invariant: its result is what opening a partition would do.

use windrow_core::{EventSchema, FeatureView};

use crate::checkpoint::manifest::CheckpointManifest;

/// What becomes of a view's state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ViewCompatibility {
    /// The pipeline continues with it.
    Kept,
    /// The pipeline defines the view otherwise: its state must be dropped.
    Changed {
        /// Its definition in the state.
        stored_definition: String,
        /// Its definition in the pipeline.
        pipeline_definition: String,
    },
    /// The pipeline no longer has such a view: its state must be dropped.
    Removed,
    /// The state has no such view: its windows begin anew.
    New,
}

/// A view of a checkpoint or of the pipeline, and what becomes of its state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ComparedView {
    /// Its name.
    pub name: String,
    /// What becomes of its state.
    pub compatibility: ViewCompatibility,
}

impl ViewCompatibility {
    /// Whether the job halts until it is allowed to drop the view's state.
    #[must_use]
    pub const fn needs_drop_state(&self) -> bool {
        matches!(self, Self::Changed { .. } | Self::Removed)
    }
}

/// Returns what becomes of the state in `manifest` with these views: first the views in the state, then the new ones.
#[must_use]
pub fn compare_views(views: &[FeatureView], schema: &EventSchema, manifest: &CheckpointManifest) -> Vec<ComparedView> {
    let stored = manifest.views.iter().map(|stored| {
        let compatibility = match views.iter().find(|view| *view.name == *stored.name) {
            None => ViewCompatibility::Removed,
            Some(view) => {
                let pipeline_definition = view.definition(schema);
                if pipeline_definition == stored.definition {
                    ViewCompatibility::Kept
                } else {
                    ViewCompatibility::Changed { stored_definition: stored.definition.clone(), pipeline_definition }
                }
            }
        };
        ComparedView { name: stored.name.clone(), compatibility }
    });
    let new = views
        .iter()
        .filter(|view| manifest.views.iter().all(|stored| *stored.name != *view.name))
        .map(|view| ComparedView { name: view.name.to_string(), compatibility: ViewCompatibility::New });
    stored.chain(new).collect()
}
