//! Compares the views of a checkpoint with the views of a pipeline.
//!
//! Owns: the comparison by name and definition. Invariant: a job that opens a partition keeps and drops the same state.

use windrow_core::{EventSchema, FeatureView};

use crate::checkpoint::manifest::CheckpointManifest;

/// What happens to a view's stored state when a job continues with the pipeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ViewCompatibility {
    /// The pipeline has the same view, so its state is kept.
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
    /// The checkpoint has no such view, so its windows begin empty.
    New,
}

/// A view of a checkpoint or of a pipeline, after the comparison of both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ComparedView {
    /// The name of the view.
    pub view_name: String,
    /// What happens to the view's stored state.
    pub compatibility: ViewCompatibility,
}

impl ViewCompatibility {
    /// Returns whether a job halts until an operator permits it to drop the view's state.
    #[must_use]
    pub const fn needs_permission_to_drop_state(&self) -> bool {
        matches!(self, Self::Changed { .. } | Self::Removed)
    }
}

/// Compares the pipeline's `views` with the views in `manifest`. Returns the stored views first, then the new views.
#[must_use]
pub fn compare_views(views: &[FeatureView], schema: &EventSchema, manifest: &CheckpointManifest) -> Vec<ComparedView> {
    let stored = manifest.views.iter().map(|stored| {
        let compatibility = match views.iter().find(|view| *view.name == *stored.view_name) {
            None => ViewCompatibility::Removed,
            Some(view) => {
                let pipeline_definition = view.definition_text(schema);
                if pipeline_definition == stored.view_definition {
                    ViewCompatibility::Kept
                } else {
                    ViewCompatibility::Changed {
                        stored_definition: stored.view_definition.clone(),
                        pipeline_definition,
                    }
                }
            }
        };
        ComparedView { view_name: stored.view_name.clone(), compatibility }
    });
    let new = views
        .iter()
        .filter(|view| manifest.views.iter().all(|stored| *stored.view_name != *view.name))
        .map(|view| ComparedView { view_name: view.name.to_string(), compatibility: ViewCompatibility::New });
    stored.chain(new).collect()
}
