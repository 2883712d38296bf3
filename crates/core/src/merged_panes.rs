//! Merges of many panes that several windows of an entity use, so that the cost of a row does not grow with the number
//! of panes in its window.
//!
//! Owns: which panes of a window are merged first, and the stored merges of one entity. Does not own: the panes
//! ([`crate::sliding`]).
//! Invariants: (1) The order of merging depends on the panes and the window alone, not on the merges that are stored.
//! So a restored shard, which stores none yet, computes the same sums of doubles, to the last bit. (2) A stored merge
//! equals the merge of its panes: if an event changes one of them, the stored merges are dropped.
//! After a crash: snapshots contain no stored merges. The windows that fire after the restore compute them again.
//!
//! ```text
//!            window start                  boundary                        window end
//!                 ▼                            ▼                               ▼
//!  panes   ───────┬─────┬──────────────────────┬─────────────────────────┬─────┬──────►
//!                 │ one │        suffix        │         prefix          │ one │
//!                 │ by  │ (from each group to  │ (from the boundary to   │ by  │
//!                 │ one │    the boundary)     │     the last group)     │ one │
//! ```
//!
//! Every window contains a boundary. The suffixes of all groups of panes before it are computed once, and each next
//! window uses a shorter one. Each next window extends the prefix by the panes that it adds. So a pane is merged into
//! one suffix and one prefix, and a row merges a suffix, a prefix and fewer than two groups of panes. This is the
//! algorithm of van Herk, Gil and Werman for minima in sliding windows, with groups to save memory.

use std::ops::Range;

use crate::aggregate::{EntryAccumulatorsMut, FeatureAggregators};
use crate::entity_accumulators::{EntityAccumulators, PaneOrSessionSpan};

/// The number of panes in a group. Groups begin at the multiples of this number.
const PANES_PER_GROUP: i64 = 8;

/// The stored merges of the panes of one entity in one view.
#[derive(Debug, Default)]
pub(crate) struct MergedPanes {
    /// The pane at which all suffixes end and the prefix begins.
    boundary: i64,
    /// The suffixes, from the shortest to the longest. The span of an entry starts at the number of groups in the
    /// suffix. A group without panes has no suffix of its own: it equals the next shorter one.
    suffixes: EntityAccumulators,
    /// The prefix, a single entry; none if nothing is stored. Its span ends at the first pane that the prefix does not
    /// contain.
    prefix: EntityAccumulators,
}

/// Panes of an entity in a window: a range of positions, and the pane indexes that the range covers.
pub(crate) struct WindowPanes<'a> {
    pub(crate) panes: &'a EntityAccumulators,
    /// The positions in `panes` of all panes of the window.
    pub(crate) entries: Range<usize>,
    /// The indexes of the panes of the window. There are at least [`PANES_PER_GROUP`].
    pub(crate) window: Range<i64>,
}

impl WindowPanes<'_> {
    /// Returns the position of the first pane of the window with an index of at least `pane`.
    fn find_entry(&self, aggregators: &FeatureAggregators, pane: i64) -> usize {
        self.panes.find_first_entry_within(aggregators, self.entries.clone(), pane)
    }

    fn merge_entries(
        &self,
        aggregators: &FeatureAggregators,
        entries: Range<usize>,
        merged: &mut EntryAccumulatorsMut<'_>,
    ) {
        for entry in entries {
            aggregators.merge_newer_entry(merged, self.panes.entry_accumulators(aggregators, entry));
        }
    }
}

impl MergedPanes {
    /// Merges the panes of a window into `merged`, which is empty. Stores merges for the next windows.
    pub(crate) fn merge_window(
        &mut self,
        aggregators: &FeatureAggregators,
        panes: &WindowPanes<'_>,
        merged: &mut EntryAccumulatorsMut<'_>,
    ) {
        let window = &panes.window;
        let suffix_start = round_up(window.start, PANES_PER_GROUP);
        // The distance of boundaries is at most the length of the window, less the panes before the first group. So the
        // window contains a boundary.
        let boundary = round_up(suffix_start, round_down(window.end - window.start, PANES_PER_GROUP));
        let prefix_end = round_down(window.end, PANES_PER_GROUP);
        let suffix_entry = panes.find_entry(aggregators, suffix_start);
        if self.boundary != boundary || self.prefix.is_empty() {
            self.restart(aggregators, panes, suffix_entry, boundary);
        }
        self.drop_suffixes_longer_than(aggregators, (boundary - suffix_start) / PANES_PER_GROUP);
        let prefix_end_entry = self.extend_prefix(aggregators, panes, prefix_end);
        panes.merge_entries(aggregators, panes.entries.start..suffix_entry, merged);
        let suffix_count = self.suffixes.entry_count(aggregators);
        if suffix_count > 0 {
            aggregators.merge_newer_entry(merged, self.suffixes.entry_accumulators(aggregators, suffix_count - 1));
        }
        aggregators.merge_newer_entry(merged, self.prefix.entry_accumulators(aggregators, 0));
        panes.merge_entries(aggregators, prefix_end_entry..panes.entries.end, merged);
    }

    /// Drops the stored merges if they may contain the pane with the index `pane`, because an event has changed it.
    pub(crate) fn forget_changed_pane(&mut self, aggregators: &FeatureAggregators, pane: i64) {
        if !self.prefix.is_empty() && pane < self.prefix.entry_span(aggregators, 0).span_end {
            *self = Self::default();
        }
    }

    /// Computes the suffixes that end at `boundary`, for the panes from the position `first_entry` on. Begins an empty
    /// prefix there.
    fn restart(
        &mut self,
        aggregators: &FeatureAggregators,
        panes: &WindowPanes<'_>,
        first_entry: usize,
        boundary: i64,
    ) {
        *self = Self { boundary, ..Self::default() };
        self.prefix.insert_entry(aggregators, 0, PaneOrSessionSpan { span_start: boundary, span_end: boundary });
        let mut end = panes.find_entry(aggregators, boundary);
        while end > first_entry {
            let group_start = round_down(panes.panes.entry_span(aggregators, end - 1).span_start, PANES_PER_GROUP);
            let is_in_group = |entry: &usize| panes.panes.entry_span(aggregators, *entry).span_start >= group_start;
            let start = (first_entry..end).rev().take_while(is_in_group).last().unwrap_or(first_entry);
            let group_count = (boundary - group_start) / PANES_PER_GROUP;
            let position = self.suffixes.entry_count(aggregators);
            let span = PaneOrSessionSpan { span_start: group_count, span_end: group_count };
            self.suffixes.insert_entry(aggregators, position, span);
            let mut suffix = self.suffixes.entry_accumulators_mut(aggregators, position);
            panes.merge_entries(aggregators, start..end, &mut suffix);
            if position > 0 {
                self.suffixes.merge_entry_into_older(aggregators, position, position - 1);
            }
            end = start;
        }
    }

    fn drop_suffixes_longer_than(&mut self, aggregators: &FeatureAggregators, group_count: i64) {
        let suffix_count = self.suffixes.entry_count(aggregators);
        let is_longer = |entry: &usize| self.suffixes.entry_span(aggregators, *entry).span_start > group_count;
        let longer = (0..suffix_count).rev().take_while(is_longer).count();
        if longer > 0 {
            self.suffixes.remove_entries(aggregators, suffix_count - longer, suffix_count);
        }
    }

    /// Extends the prefix up to the pane with the index `end`. Returns the position of this pane in the window.
    fn extend_prefix(&mut self, aggregators: &FeatureAggregators, panes: &WindowPanes<'_>, end: i64) -> usize {
        let PaneOrSessionSpan { span_start, span_end } = self.prefix.entry_span(aggregators, 0);
        let end_entry = panes.find_entry(aggregators, end);
        if span_end < end {
            let first = panes.find_entry(aggregators, span_end);
            let mut prefix = self.prefix.entry_accumulators_mut(aggregators, 0);
            panes.merge_entries(aggregators, first..end_entry, &mut prefix);
            self.prefix.set_entry_span(aggregators, 0, PaneOrSessionSpan { span_start, span_end: end });
        }
        end_entry
    }
}

fn round_down(number: i64, unit: i64) -> i64 {
    number.div_euclid(unit) * unit
}

fn round_up(number: i64, unit: i64) -> i64 {
    round_down(number + unit - 1, unit)
}
