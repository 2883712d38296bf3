//! Compares the feature views of a checkpoint with the feature views of a pipeline.
//!
//! Owns: the comparison by name and definition. Invariant: the result agrees with `restore_shard`, which keeps or drops
//! the state when a job opens a partition.

use windrow_core::{EventSchema, FeatureView};

use crate::checkpoint::manifest::CheckpointManifest;

/// What happens to the stored state of a feature view when a job continues from the checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ViewCompatibility {
    /// The pipeline has a view of the same name and definition, so the state is kept.
    Kept,
    /// The pipeline defines the view differently, so the state must be dropped.
    Changed {
        /// The definition stored in the checkpoint.
        stored_definition: String,
        /// The definition in the pipeline.
        pipeline_definition: String,
    },
    /// The pipeline has no view of this name, so the state must be dropped.
    Removed,
    /// Only the pipeline has a view of this name, so the view begins without state.
    New,
}

/// The result of the comparison for one feature view of the checkpoint, of the pipeline or of both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ComparedView {
    /// The name of the view.
    pub view_name: String,
    /// What happens to the stored state of the view.
    pub compatibility: ViewCompatibility,
}

impl ViewCompatibility {
    /// Returns whether the job must drop the stored state of the view. The job needs an operator's permission to do
    /// this.
    #[must_use]
    pub const fn needs_permission_to_drop_state(&self) -> bool {
        matches!(self, Self::Changed { .. } | Self::Removed)
    }
}

/// Compares the pipeline's `views` with the views in `manifest`. Returns the views of the manifest first, then the
/// views that only the pipeline has.
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
