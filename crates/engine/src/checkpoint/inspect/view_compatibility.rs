//! Compares the views of a checkpoint with the views of a pipeline.
//!
//! Owns: the comparison by name and definition. Invariant: opening a partition makes the same decisions.

use windrow_core::{EventSchema, FeatureView};

use crate::checkpoint::manifest::CheckpointManifest;

/// Whether a view's state is kept or dropped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ViewCompatibility {
    /// The pipeline has the same view and continues with its state.
    Kept,
    /// The pipeline defines the view differently, so the state must be dropped.
    Changed {
        /// The definition stored in the checkpoint.
        stored_definition: String,
        /// The definition in the pipeline.
        pipeline_definition: String,
    },
    /// The pipeline no longer has the view, so the state must be dropped.
    Removed,
    /// The checkpoint has no such view. The view's windows begin empty.
    New,
}

/// A view of the checkpoint or of the pipeline, and whether its state is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ComparedView {
    /// The name of the view.
    pub name: String,
    /// Whether the view's state is kept or dropped.
    pub compatibility: ViewCompatibility,
}

impl ViewCompatibility {
    /// Returns whether the job halts until the operator allows it to drop the view's state.
    #[must_use]
    pub const fn needs_permission_to_drop_state(&self) -> bool {
        matches!(self, Self::Changed { .. } | Self::Removed)
    }
}

/// Compares `views` with the views in `manifest`. Returns first the stored views, then the new ones.
#[must_use]
pub fn compare_views(views: &[FeatureView], schema: &EventSchema, manifest: &CheckpointManifest) -> Vec<ComparedView> {
    let stored = manifest.views.iter().map(|stored| {
        let compatibility = match views.iter().find(|view| *view.name == *stored.name) {
            None => ViewCompatibility::Removed,
            Some(view) => {
                let pipeline_definition = view.definition_text(schema);
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
