//! Which views' state a pipeline would keep.
//!
//! Owns: the comparison by name and definition. Invariant: it says what opening a partition would do.

use windrow_core::{FeatureView, Schema};

use crate::checkpoint::Manifest;

/// What becomes of a view's state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// The pipeline goes on with it.
    Kept,
    /// The view was defined otherwise: its state must be dropped.
    Changed {
        /// Its definition in the state.
        was: String,
        /// Its definition in the pipeline.
        is: String,
    },
    /// The pipeline has no such view any more: its state must be dropped.
    Gone,
    /// The state knows no such view: its windows begin anew.
    New,
}

impl Fate {
    /// Whether the job halts until it is allowed to drop the view's state.
    #[must_use]
    pub const fn needs_drop_state(&self) -> bool {
        matches!(self, Self::Changed { .. } | Self::Gone)
    }
}

/// What becomes of the state in `manifest` with these views: first what is in the state, then what is new.
#[must_use]
pub fn fates(views: &[FeatureView], schema: &Schema, manifest: &Manifest) -> Vec<(String, Fate)> {
    let stored = manifest.views.iter().map(|stored| {
        let fate = match views.iter().find(|view| *view.name == *stored.name) {
            None => Fate::Gone,
            Some(view) => {
                let is = view.definition(schema);
                if is == stored.definition { Fate::Kept } else { Fate::Changed { was: stored.definition.clone(), is } }
            }
        };
        (stored.name.clone(), fate)
    });
    let new = views
        .iter()
        .filter(|view| manifest.views.iter().all(|stored| *stored.name != *view.name))
        .map(|view| (view.name.to_string(), Fate::New));
    stored.chain(new).collect()
}
