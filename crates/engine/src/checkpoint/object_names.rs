//! The names of the objects in a checkpoint store.
//!
//! ```text
//! partition-3/epoch/0000000007                        the claim of partition 3 under epoch 7
//! partition-3/checkpoint/0000000007-0000000041        the manifest of checkpoint 41, taken in epoch 7
//! partition-3/state/0000000007-0000000041-0002        the third state object of checkpoint 41
//! partition-3/refusing-fence                          the fence refused a claim for want of checkpoints
//! savepoint/request                                   the current savepoint request
//! savepoint/ID/partition-3                            the confirmation that partition 3 is in savepoint ID
//! savepoint/ID/parked-3                               partition 3 is parked, so savepoint ID fails
//! savepoints/ID/…                                     the default folder of savepoint ID
//! store-probe                                         a worker probes whether the store answers, and deletes this object
//! store-probes/…                                      no object: a worker lists this folder to probe the store
//! instances/…                                         the reports of instances, which the web server writes
//! ```
//!
//! The folder of a savepoint contains a folder for each partition, with manifests and state objects but without epochs.
//! It also contains the object `savepoint`, which lists the partitions.
//! Invariant: if the names of a partition's manifests are sorted as text, older checkpoints precede newer ones. The
//! same is true of the names of epoch objects and of state objects.

use super::manifest::CheckpointId;
use crate::identifiers::{Epoch, Partition};

/// The name of the object that requests a savepoint.
pub(crate) const SAVEPOINT_REQUEST_OBJECT: &str = "savepoint/request";
/// The name of the object with which workers find out whether the store answers. Several processes may create and delete it.
pub(crate) const STORE_PROBE_OBJECT: &str = "store-probe";
/// The name of a folder that never holds an object. With it, workers find out whether the store lists folders.
pub(crate) const STORE_PROBE_FOLDER: &str = "store-probes";
/// The name of the object that lists the partitions of a savepoint. The object is created after all other objects of
/// the savepoint, so it marks the savepoint as complete.
pub(crate) const SAVEPOINT_SUMMARY_OBJECT: &str = "savepoint";

/// The folder that contains the default folder of each savepoint. It is within the folder of the job's checkpoints.
pub(crate) const SAVEPOINTS_FOLDER: &str = "savepoints";

/// Returns the default folder of the savepoint `id`, within the folder of the job's checkpoints.
#[must_use]
pub fn default_savepoint_folder(id: &str) -> String {
    format!("{SAVEPOINTS_FOLDER}/{id}")
}

/// Splits the name of a savepoint's object into the id of the savepoint and the object's name within the savepoint's
/// folder. Returns `None` for an object outside [`SAVEPOINTS_FOLDER`].
pub(crate) fn split_savepoint_object_name(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(SAVEPOINTS_FOLDER)?.strip_prefix('/')?.split_once('/')
}

/// Returns the name of a partition's folder.
#[must_use]
pub fn partition_folder(partition: Partition) -> String {
    format!("partition-{partition}")
}

pub(crate) fn epochs_folder(partition: Partition) -> String {
    format!("partition-{partition}/epoch")
}

pub(crate) fn epoch_object_name(partition: Partition, epoch: Epoch) -> String {
    format!("partition-{partition}/epoch/{epoch:010}")
}

pub(crate) fn refusing_fence_object_name(partition: Partition) -> String {
    format!("partition-{partition}/refusing-fence")
}

pub(crate) fn checkpoints_folder(partition: Partition) -> String {
    format!("partition-{partition}/checkpoint")
}

pub(crate) fn manifest_object_name(partition: Partition, id: CheckpointId) -> String {
    format!("partition-{partition}/checkpoint/{:010}-{:010}", id.epoch, id.checkpoint_number)
}

pub(crate) fn state_object_name(partition: Partition, id: CheckpointId, part: usize) -> String {
    format!("partition-{partition}/state/{:010}-{:010}-{part:04}", id.epoch, id.checkpoint_number)
}

pub(crate) fn savepoint_confirmations_folder(savepoint: &str) -> String {
    format!("savepoint/{savepoint}")
}

pub(crate) fn savepoint_confirmation_object_name(savepoint: &str, partition: Partition) -> String {
    format!("savepoint/{savepoint}/partition-{partition}")
}

pub(crate) fn savepoint_refusal_object_name(savepoint: &str, partition: Partition) -> String {
    format!("savepoint/{savepoint}/parked-{partition}")
}

/// The meaning of an object's name: the kind of the object, the partition, and the epoch or checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ParsedObjectName {
    Epoch(Partition, Epoch),
    Checkpoint(Partition, CheckpointId),
    State(Partition, CheckpointId),
    /// The name has another form, such as the name of a savepoint request.
    Other,
}

pub(crate) fn parse_object_name(name: &str) -> ParsedObjectName {
    let parse = || {
        let mut segments = name.split('/');
        let partition = segments.next()?.strip_prefix("partition-")?.parse().ok()?;
        let (kind, last) = (segments.next()?, segments.next()?);
        if segments.next().is_some() {
            return None;
        }
        let mut numbers = last.split('-').map(str::parse::<u64>);
        let mut number = || numbers.next()?.ok();
        match kind {
            "epoch" => Some(ParsedObjectName::Epoch(partition, number()?)),
            "checkpoint" => Some(ParsedObjectName::Checkpoint(
                partition,
                CheckpointId { epoch: number()?, checkpoint_number: number()? },
            )),
            "state" => Some(ParsedObjectName::State(
                partition,
                CheckpointId { epoch: number()?, checkpoint_number: number()? },
            )),
            _ => None,
        }
    };
    parse().unwrap_or(ParsedObjectName::Other)
}

/// Escapes `text` for use as one segment of an object name. Letters, digits, `_` and `-` stay. A `.` stays unless it is
/// the first character. Every other byte becomes `%XX`.
#[must_use]
pub fn escape_name_segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || (byte == b'.' && !out.is_empty()) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let id = CheckpointId { epoch: 7, checkpoint_number: 41 };
        assert_eq!(parse_object_name(&epoch_object_name(3, 7)), ParsedObjectName::Epoch(3, 7));
        assert_eq!(parse_object_name(&manifest_object_name(3, id)), ParsedObjectName::Checkpoint(3, id));
        assert_eq!(parse_object_name(&state_object_name(3, id, 2)), ParsedObjectName::State(3, id));
        for other in
            ["", "savepoint", "partition-3", "partition-x/epoch/1", "partition-3/epoch/1/2", "partition-3/epoch/x"]
        {
            assert_eq!(parse_object_name(other), ParsedObjectName::Other, "{other}");
        }
    }

    #[test]
    fn savepoints_are_found_by_their_objects() {
        let folder = default_savepoint_folder("20261125T103000Z-a1b2");
        let name = format!("{folder}/partition-3/state/0000000007-0000000041-0002");
        assert_eq!(parse_object_name(&name), ParsedObjectName::Other, "no checkpoint of the job's own");
        let found = split_savepoint_object_name(&name);
        assert_eq!(found, Some(("20261125T103000Z-a1b2", "partition-3/state/0000000007-0000000041-0002")));
        assert_eq!(split_savepoint_object_name("savepoint/ID/partition-3"), None);
    }

    #[test]
    fn segments_are_safe_and_different() {
        assert_eq!(escape_name_segment("feature-engineering_group.2"), "feature-engineering_group.2");
        assert_eq!(escape_name_segment("../a b/한"), "%2E.%2Fa%20b%2F%ED%95%9C");
        assert_ne!(escape_name_segment("a%2Fb"), escape_name_segment("a/b"));
    }
}
