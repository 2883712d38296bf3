//! The manifest of a checkpoint: a text object that lists the state objects of the checkpoint.
//!
//! Format (version 1): a line `windrow-checkpoint VERSION CRC-32`, then JSON. The checksum is written with eight
//! hexadecimal digits, and covers the version and the JSON. Unknown JSON members are ignored, so a later version of
//! Windrow may add members.
//! Invariant: an incomplete or altered manifest is rejected.

use serde::{Deserialize, Serialize};
use windrow_core::{
    AccumulatorLayout, EventSchema, EventTime, FeatureView, StoredFeatureDefinition, parse_feature_definitions,
};

use super::checksummed_text::{decode_checksummed_text, encode_checksummed_text};
use super::object_errors::{ObjectDamage, ObjectFault};
use super::state_object::compute_object_checksum;
use crate::identifiers::{Epoch, LeaderEpoch, Offset, Partition};
use crate::out_of_orderness_text::parse_max_out_of_orderness_ms;
use crate::{CountedRows, EarlierRowCount, LogPosition, ViewRowCount};

const MANIFEST_FORMAT_VERSION: u32 = 1;
/// The maximum number of earlier cuts in a manifest. If there are more, every second one of the older half is dropped.
const MAX_EARLIER_CUTS: usize = 32;
/// The maximum number of former numberings of a view in a manifest.
const MAX_FORMER_NUMBERINGS: usize = 8;
const MANIFEST_TITLE: &str = "windrow-checkpoint";

/// Identifies a checkpoint of a partition. A later checkpoint of the same partition has a larger id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
pub struct CheckpointId {
    /// The epoch under which the owner of the partition took the checkpoint.
    pub epoch: Epoch,
    /// The number of the checkpoint. A later checkpoint of the same partition has a larger number, also in a new epoch.
    #[serde(rename = "number")]
    pub checkpoint_number: u64,
}

impl std::fmt::Display for CheckpointId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of epoch {}", self.checkpoint_number, self.epoch)
    }
}

/// The content of a manifest: one checkpoint of one partition.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct CheckpointManifest {
    /// The id of the checkpoint.
    #[serde(flatten)]
    pub checkpoint_id: CheckpointId,
    /// The wall-clock time of the cut, in epoch milliseconds. Windrow displays this time, and no row depends on it.
    pub taken_at_ms: i64,
    /// The version of Windrow that wrote the manifest.
    #[serde(rename = "windrow")]
    pub windrow_version: String,
    /// The name of the process that wrote the manifest.
    #[serde(rename = "owner")]
    pub process_name: String,
    /// The name of the pipeline.
    #[serde(rename = "pipeline")]
    pub pipeline_name: String,
    /// The topic that the events come from.
    pub topic: String,
    /// The id of the topic; `None` if the source has no topic ids.
    pub topic_id: Option<String>,
    /// The number of partitions of the topic.
    #[serde(rename = "partitions")]
    pub topic_partition_count: i32,
    /// The partition of the checkpoint.
    pub partition: Partition,
    /// The offset of the first record that the checkpoint does not include.
    pub offset: Offset,
    /// The leader epoch of the record before `offset`; `None` if unknown. Manifests of older versions have none.
    #[serde(default)]
    pub leader_epoch: Option<LeaderEpoch>,
    /// The watermark in epoch milliseconds; `None` before the first event.
    pub watermark_ms: Option<i64>,
    /// What the watermark would be if only events had advanced it, in epoch milliseconds. `None` before the first event, and
    /// in manifests of older versions, in which only events advanced it.
    #[serde(default)]
    pub watermark_by_events_ms: Option<i64>,
    /// The latest event time that was accepted at the cut, in epoch milliseconds. `None` if the wall clock limited no event
    /// times. Manifests of older versions have none.
    #[serde(default)]
    pub event_time_limit_ms: Option<i64>,
    /// No event before the cut is later than this event time, in epoch milliseconds. `None` before the first event, and in
    /// manifests of older versions.
    #[serde(default)]
    pub latest_event_time_ms: Option<i64>,
    /// The number of entities that have state.
    #[serde(rename = "entities")]
    pub entity_count: u64,
    /// The number of slots in the shard. Each slot either holds the state of one entity or is free.
    #[serde(rename = "slots")]
    pub slot_count: u32,
    /// A text that describes how records are decoded, and how far out of order events may be. If the text differs
    /// between two jobs, the jobs may compute different rows.
    #[serde(rename = "reading")]
    pub decoding_and_lateness_description: String,
    /// The feature views of the job that took the checkpoint. Each state object consists of tables. Table 0 holds the
    /// entity keys, and table `n + 1` holds the state of view `n`.
    pub views: Vec<StoredView>,
    /// The layers of the state: the base, then the deltas, oldest first.
    pub layers: Vec<CheckpointLayer>,
    /// The cuts of earlier checkpoints that numbered their rows in the same way, oldest first. Older cuts are sparser.
    /// If the row store loses rows, the cuts tell the event times of these rows. Manifests of older versions have none.
    #[serde(default)]
    pub earlier_cuts: Vec<EarlierCut>,
    /// The path or URL of the state from which the job began: a savepoint, or the checkpoints of another job. `None` if
    /// the job began without such state.
    #[serde(rename = "from")]
    pub origin_savepoint_place: Option<String>,
}

/// The cut of an earlier checkpoint, which need not exist any more.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct EarlierCut {
    /// The offset of the first record that the checkpoint did not include.
    pub offset: Offset,
    /// The watermark in epoch milliseconds; `None` before the first event.
    pub watermark_ms: Option<i64>,
    /// For each view of the manifest, the number of the last row before the cut.
    #[serde(rename = "rows")]
    pub last_row_number_by_view: Vec<u64>,
}

/// A feature view in a checkpoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct StoredView {
    /// The name of the view.
    #[serde(rename = "name")]
    pub view_name: String,
    /// The definition of the view ([`windrow_core::FeatureView::definition_text`]).
    #[serde(rename = "definition")]
    pub view_definition: String,
    /// The number of the last row that the shard computed for the view before the cut.
    #[serde(rename = "rows")]
    pub last_row_number: u64,
    /// The fingerprint of everything that determines the numbers of the view's rows (see `row_numbering_fingerprint`).
    #[serde(rename = "beginning")]
    pub row_numbering_fingerprint: u64,
    /// The numberings before, newest first, at most eight. If the row store goes back to one of them,
    /// they tell which rows it lacks. Manifests of older versions have none.
    #[serde(default, rename = "former")]
    pub former_numberings: Vec<FormerNumbering>,
    /// The features of the view, in the order of their state. Manifests of older versions have none: there the definition of
    /// the view tells the features.
    #[serde(default)]
    pub features: Vec<StoredFeature>,
}

/// A feature of a view in a checkpoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct StoredFeature {
    /// The name of the feature.
    #[serde(rename = "name")]
    pub feature_name: String,
    /// The definition of the feature ([`windrow_core::Feature::definition_text`]).
    #[serde(rename = "definition")]
    pub feature_definition: String,
    /// The number of 64-bit words of the feature in each pane or session.
    #[serde(rename = "words")]
    pub fixed_size_word_count: usize,
    /// The number of texts and sketches of the feature in each pane or session.
    #[serde(rename = "variable")]
    pub variable_accumulator_count: usize,
    /// The start of the first complete window, in epoch milliseconds. Earlier windows may lack events, because the feature
    /// was added later, or the windows became longer. `None` if no window lacks events.
    #[serde(default, rename = "complete_from_ms", skip_serializing_if = "Option::is_none")]
    pub complete_from_ms: Option<i64>,
}

/// A numbering of rows that a later one has replaced.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct FormerNumbering {
    /// The fingerprint of the numbering.
    #[serde(rename = "beginning")]
    pub row_numbering_fingerprint: u64,
    /// The number of the last row of this numbering that the checkpoint includes. The numbers continue in the next one.
    #[serde(rename = "rows")]
    pub last_row_number: u64,
}

impl StoredView {
    /// Returns the features as a checkpoint stores them. `complete_from_ms` has the first complete window of each feature; the
    /// last ones may be missing.
    pub(crate) fn describe_features(
        view: &FeatureView,
        schema: &EventSchema,
        complete_from_ms: &[Option<i64>],
    ) -> Vec<StoredFeature> {
        let complete_from_ms = complete_from_ms.iter().copied().chain(std::iter::repeat(None));
        let features = view.feature_definitions(schema).into_iter().zip(complete_from_ms);
        let describe = |(feature, complete_from_ms): (StoredFeatureDefinition, Option<i64>)| StoredFeature {
            feature_name: feature.feature_name,
            feature_definition: feature.feature_definition,
            fixed_size_word_count: feature.accumulator_layout.fixed_size_word_count,
            variable_accumulator_count: feature.accumulator_layout.variable_accumulator_count,
            complete_from_ms,
        };
        features.map(describe).collect()
    }

    /// Returns the features, in the order of their state. Returns `None` if an older version has written the manifest and
    /// the definition of the view is not understood.
    pub(crate) fn read_feature_definitions(&self) -> Option<Vec<StoredFeatureDefinition>> {
        if self.features.is_empty() {
            return parse_feature_definitions(&self.view_definition);
        }
        let read = |feature: &StoredFeature| StoredFeatureDefinition {
            feature_name: feature.feature_name.clone(),
            feature_definition: feature.feature_definition.clone(),
            accumulator_layout: AccumulatorLayout {
                fixed_size_word_count: feature.fixed_size_word_count,
                variable_accumulator_count: feature.variable_accumulator_count,
            },
        };
        Some(self.features.iter().map(read).collect())
    }

    /// Returns the start of the first complete window of the feature `feature_name`, in epoch milliseconds; `None` if no
    /// window lacks events.
    pub(crate) fn complete_from_ms(&self, feature_name: &str) -> Option<i64> {
        self.features.iter().find(|feature| feature.feature_name == feature_name)?.complete_from_ms
    }

    /// Returns the former numberings of a view that follows this one and includes its rows up to `last_shared_row`: all
    /// numberings of this view, without the one with `next_fingerprint`.
    pub(crate) fn former_numberings_for_next(
        &self,
        next_fingerprint: u64,
        last_shared_row: u64,
    ) -> Vec<FormerNumbering> {
        let (row_numbering_fingerprint, last_row_number) = (self.row_numbering_fingerprint, self.last_row_number);
        let newest = FormerNumbering { row_numbering_fingerprint, last_row_number };
        let all = std::iter::once(newest).chain(self.former_numberings.iter().copied());
        let others = all.filter(|numbering| numbering.row_numbering_fingerprint != next_fingerprint);
        let shared = others.map(|numbering| FormerNumbering {
            last_row_number: numbering.last_row_number.min(last_shared_row),
            ..numbering
        });
        shared.take(MAX_FORMER_NUMBERINGS).collect()
    }
}

/// The state objects of one snapshot: a base or a delta.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct CheckpointLayer {
    /// The state objects of the layer, in the order in which they were written.
    pub parts: Vec<StatePart>,
}

impl CheckpointLayer {
    /// Returns the total size of the layer's state objects in bytes.
    #[must_use]
    pub fn layer_byte_count(&self) -> u64 {
        self.parts.iter().map(|part| part.object_byte_count).sum()
    }
}

/// The entry for one state object in a manifest.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct StatePart {
    /// The name of the object.
    #[serde(rename = "name")]
    pub object_name: String,
    /// The size of the object in bytes.
    #[serde(rename = "bytes")]
    pub object_byte_count: u64,
    /// The CRC-32 of all bytes of the object except the four bytes in the header that hold this checksum.
    pub crc32: u32,
}

impl StatePart {
    /// Returns the entry for the state object with the name `name` and the bytes `object`.
    pub(crate) fn entry_for_object(name: String, object: &[u8]) -> Self {
        Self { object_name: name, object_byte_count: object.len() as u64, crc32: compute_object_checksum(object) }
    }

    /// Returns whether the state object with the bytes `object` has the size and the checksum in this entry.
    pub(crate) fn matches_size_and_checksum(&self, object: &[u8]) -> bool {
        object.len() as u64 == self.object_byte_count && compute_object_checksum(object) == self.crc32
    }
}

impl CheckpointManifest {
    /// Returns the total size of the checkpoint's state objects in bytes.
    #[must_use]
    pub fn state_byte_count(&self) -> u64 {
        self.layers.iter().map(CheckpointLayer::layer_byte_count).sum()
    }

    /// Returns an event time such that no event before the cut is later; `None` before the first event.
    pub(crate) fn latest_event_time(&self) -> Option<EventTime> {
        // Events keep the watermark this time and one millisecond behind the latest of them.
        let out_of_orderness = parse_max_out_of_orderness_ms(&self.decoding_and_lateness_description);
        let watermark_by_events_ms = self.watermark_by_events_ms.or(self.watermark_ms);
        let from_watermark = watermark_by_events_ms.map(|ms| ms.saturating_add(out_of_orderness.unwrap_or(0) + 1));
        self.latest_event_time_ms.max(from_watermark).map(EventTime::from_ms)
    }

    /// Returns the position of the cut in the log.
    pub(crate) fn log_position(&self) -> LogPosition {
        LogPosition { offset: self.offset, leader_epoch: self.leader_epoch }
    }

    /// Returns the rows of all views before the cut.
    pub(crate) fn counted_rows(&self) -> impl Iterator<Item = CountedRows> {
        self.views.iter().enumerate().map(|(index, view)| {
            let count = |row_numbering_fingerprint, last_row_number| ViewRowCount {
                view: view.view_name.clone(),
                row_numbering_fingerprint,
                last_row_number,
            };
            let former = |one: &FormerNumbering| count(one.row_numbering_fingerprint, one.last_row_number);
            let earlier = |cut: &EarlierCut| {
                let last_row_number = *cut.last_row_number_by_view.get(index)?;
                Some(EarlierRowCount { offset: cut.offset, last_row_number })
            };
            CountedRows {
                checkpoint_position: self.log_position(),
                newest_numbering: count(view.row_numbering_fingerprint, view.last_row_number),
                former_numberings: view.former_numberings.iter().map(former).collect(),
                earlier_counts: self.earlier_cuts.iter().filter_map(earlier).collect(),
            }
        })
    }

    /// Returns the earlier cuts for the manifest of a checkpoint that follows this one and has `views`: the earlier
    /// cuts of this manifest, and its own cut. Returns no cuts if `views` number their rows differently.
    pub(crate) fn earlier_cuts_for_next(&self, views: &[StoredView]) -> Vec<EarlierCut> {
        let numbering = |views: &[StoredView]| -> Vec<(String, u64)> {
            views.iter().map(|view| (view.view_name.clone(), view.row_numbering_fingerprint)).collect()
        };
        if numbering(&self.views) != numbering(views) {
            return Vec::new();
        }
        let mut cuts = self.earlier_cuts.clone();
        cuts.push(EarlierCut {
            offset: self.offset,
            watermark_ms: self.watermark_ms,
            last_row_number_by_view: self.views.iter().map(|view| view.last_row_number).collect(),
        });
        if cuts.len() > MAX_EARLIER_CUTS {
            let mut index = 0;
            cuts.retain(|_| {
                index += 1;
                index > MAX_EARLIER_CUTS / 2 || index % 2 == 1
            });
        }
        cuts
    }

    /// Returns the format version in the title line of `bytes`; `None` if the first line is not the title line of a
    /// manifest.
    pub(crate) fn parse_format_version(bytes: &[u8]) -> Option<u32> {
        let line = bytes.split(|byte| *byte == b'\n').next()?;
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        words.next().filter(|title| *title == MANIFEST_TITLE)?;
        words.next()?.parse().ok()
    }

    pub(crate) fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let body = serde_json::to_string_pretty(self)?;
        Ok(encode_checksummed_text(MANIFEST_TITLE, MANIFEST_FORMAT_VERSION, &body))
    }

    /// Decodes a manifest. Accepts the current format version and older versions.
    ///
    /// # Errors
    /// When the manifest is damaged, or has a newer format version than this version of Windrow reads.
    pub fn decode(bytes: &[u8]) -> Result<Self, ObjectFault> {
        let body = decode_checksummed_text(MANIFEST_TITLE, MANIFEST_FORMAT_VERSION, bytes)?;
        serde_json::from_str(body)
            .map_err(|error| ObjectDamage::UnparsableContent { expected: "manifest", detail: error.to_string() }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_manifest() -> CheckpointManifest {
        let part = |name: &str| StatePart { object_name: name.to_owned(), object_byte_count: 10, crc32: 7 };
        CheckpointManifest {
            checkpoint_id: CheckpointId { epoch: 3, checkpoint_number: 12 },
            taken_at_ms: 1,
            windrow_version: "0.1.0".to_owned(),
            process_name: "host 1".to_owned(),
            pipeline_name: "ecommerce".to_owned(),
            topic: "events".to_owned(),
            topic_id: Some("abc".to_owned()),
            topic_partition_count: 4,
            partition: 2,
            offset: 99,
            leader_epoch: Some(3),
            watermark_ms: None,
            watermark_by_events_ms: None,
            event_time_limit_ms: None,
            latest_event_time_ms: None,
            entity_count: 5,
            slot_count: 6,
            decoding_and_lateness_description: "r".to_owned(),
            views: vec![StoredView {
                view_name: "v".to_owned(),
                view_definition: "d".to_owned(),
                last_row_number: 8,
                row_numbering_fingerprint: 1,
                former_numberings: vec![FormerNumbering { row_numbering_fingerprint: 4, last_row_number: 5 }],
                features: vec![StoredFeature {
                    feature_name: "f".to_owned(),
                    feature_definition: "count(*)".to_owned(),
                    fixed_size_word_count: 1,
                    variable_accumulator_count: 0,
                    complete_from_ms: Some(3),
                }],
            }],
            layers: vec![
                CheckpointLayer { parts: vec![part("a"), part("b")] },
                CheckpointLayer { parts: vec![part("c")] },
            ],
            earlier_cuts: vec![EarlierCut { offset: 7, watermark_ms: Some(3), last_row_number_by_view: vec![2] }],
            origin_savepoint_place: None,
        }
    }

    #[test]
    fn earlier_cuts_get_sparser_and_end_where_rows_are_numbered_differently() {
        let mut manifest = CheckpointManifest { earlier_cuts: Vec::new(), ..sample_manifest() };
        for checkpoint in 0..200 {
            manifest.offset = checkpoint;
            manifest.earlier_cuts = manifest.earlier_cuts_for_next(&manifest.views);
        }
        let offsets: Vec<_> = manifest.earlier_cuts.iter().map(|cut| cut.offset).collect();
        assert!(offsets.len() <= MAX_EARLIER_CUTS && offsets.is_sorted(), "{offsets:?}");
        assert_eq!((offsets[0], offsets.last()), (0, Some(&199)), "{offsets:?}");
        assert!(offsets.ends_with(&(190..200).collect::<Vec<_>>()), "{offsets:?}");

        let mut views = manifest.views.clone();
        views[0].row_numbering_fingerprint += 1;
        assert_eq!(manifest.earlier_cuts_for_next(&views), []);
    }

    #[test]
    fn the_latest_event_is_known_from_the_watermark_and_from_before() {
        let description = "json, out of order up to 10000 ms, Windrow 0.1.0".to_owned();
        let older = CheckpointManifest {
            watermark_ms: Some(500),
            decoding_and_lateness_description: description,
            ..sample_manifest()
        };
        assert_eq!(older.latest_event_time(), Some(EventTime::from_ms(10_501)));
        // Before, events might have been out of order by more.
        let newer = CheckpointManifest { latest_event_time_ms: Some(60_000), ..older };
        assert_eq!(newer.latest_event_time(), Some(EventTime::from_ms(60_000)));
        assert_eq!(sample_manifest().latest_event_time(), None);
    }

    #[test]
    fn a_manifest_without_earlier_cuts_is_read() {
        let json = serde_json::to_value(sample_manifest()).expect("JSON");
        let serde_json::Value::Object(mut members) = json else { panic!("an object") };
        members.remove("earlier_cuts");
        let bytes = encode_checksummed_text(MANIFEST_TITLE, 1, &serde_json::Value::from(members).to_string());
        let expected = CheckpointManifest { earlier_cuts: Vec::new(), ..sample_manifest() };
        assert_eq!(CheckpointManifest::decode(&bytes), Ok(expected));
    }

    #[test]
    fn every_flip_and_every_cut_is_noticed() {
        let bytes = sample_manifest().encode().expect("written");
        assert_eq!(CheckpointManifest::decode(&bytes), Ok(sample_manifest()));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let read = CheckpointManifest::decode(&flipped);
                assert!(matches!(read, Err(ObjectFault::Damaged(_))), "bit {bit} of byte {at}");
            }
            let read = CheckpointManifest::decode(&bytes[..at]);
            assert!(matches!(read, Err(ObjectFault::Damaged(_))), "cut at {at}");
        }
    }

    #[test]
    fn a_newer_version_is_not_called_damaged() {
        let bytes = encode_checksummed_text(MANIFEST_TITLE, 2, "{}");
        assert_eq!(CheckpointManifest::parse_format_version(&bytes), Some(2));
        assert_eq!(CheckpointManifest::parse_format_version(b"nonsense"), None);
        assert_eq!(CheckpointManifest::decode(&bytes), Err(ObjectFault::Newer { found: 2, known: 1 }));
    }
}
