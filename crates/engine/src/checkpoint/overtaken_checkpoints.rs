//! Finds checkpoints that were created too late to count.
//!
//! An owner reads the largest epoch before it creates a manifest, and again afterwards. If it is suspended or its store hangs in
//! between, the manifest may appear after the owner of a larger epoch has listed the checkpoints. The new owner then does not
//! know this checkpoint, and deletes its state objects with those of other unfinished checkpoints.

use std::collections::{BTreeMap, BTreeSet};

use super::manifest::CheckpointId;
use crate::identifiers::Epoch;

/// Returns those of `ids`, the checkpoints of one partition, that were overtaken by the owner of a larger epoch. This owner
/// numbers its checkpoints after all that it has listed. So a checkpoint of a smaller epoch with the same or a larger number was
/// not in its list.
pub(super) fn find_overtaken_checkpoints(ids: impl IntoIterator<Item = CheckpointId>) -> BTreeSet<CheckpointId> {
    let mut numbers_by_epoch: BTreeMap<Epoch, BTreeSet<u64>> = BTreeMap::new();
    for CheckpointId { epoch, checkpoint_number } in ids {
        numbers_by_epoch.entry(epoch).or_default().insert(checkpoint_number);
    }
    let mut overtaken = BTreeSet::new();
    let mut smallest_number_of_larger_epochs = u64::MAX;
    for (epoch, numbers) in numbers_by_epoch.into_iter().rev() {
        let late = numbers.range(smallest_number_of_larger_epochs..);
        overtaken.extend(late.map(|&checkpoint_number| CheckpointId { epoch, checkpoint_number }));
        let smallest = numbers.first().copied().unwrap_or(u64::MAX);
        smallest_number_of_larger_epochs = smallest_number_of_larger_epochs.min(smallest);
    }
    overtaken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_a_larger_epoch_has_used_are_overtaken() {
        let id = |epoch, checkpoint_number| CheckpointId { epoch, checkpoint_number };
        let overtaken = |ids: &[CheckpointId]| find_overtaken_checkpoints(ids.iter().copied());
        let complete = [id(1, 7), id(1, 8), id(2, 9), id(2, 10), id(4, 13)];
        assert_eq!(overtaken(&complete), BTreeSet::new());
        assert_eq!(overtaken(&[&complete[..], &[id(1, 9)]].concat()), BTreeSet::from([id(1, 9)]));
        assert_eq!(overtaken(&[&complete[..], &[id(1, 14)]].concat()), BTreeSet::from([id(1, 14)]));
        assert_eq!(overtaken(&[&complete[..], &[id(3, 12)]].concat()), BTreeSet::new());
        let twice = [id(1, 14), id(2, 15), id(3, 13)];
        assert_eq!(overtaken(&twice), BTreeSet::from([id(1, 14), id(2, 15)]), "no larger epoch hides another one");
        assert_eq!(overtaken(&[]), BTreeSet::new());
    }
}
