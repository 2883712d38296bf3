//! What the wall clock has decided about a partition.
//!
//! The log does not tell when a partition was idle, or which event times were in the future. So these decisions are written
//! down: with each row that may depend on them, in the same transaction of the row store ([`crate::Sink`]). A restart reads
//! them from the fence, and follows them instead of the clock up to the last record that the rows depend on.
//!
//! Owns: the list of decisions, and which of them are still needed. Does not own: when to decide (the worker), storing them
//! (the fence).
//! Invariants: (1) Decisions are in the order of their offsets, with at most one of each kind per offset: between two
//! records, the last one is enough. (2) A decision is forgotten only if no kept checkpoint is older. `known_from` tells it:
//! a run that begins earlier cannot repeat the decisions, and numbers its rows anew.
//! After a crash: decisions that no stored row depends on are lost. The next owner decides again.

use windrow_core::EventTime;

use crate::Offset;

/// The decisions of the wall clock about one partition, in the order of their offsets.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ClockDecisions {
    /// Decisions before this offset may be missing.
    pub known_from: Offset,
    /// The decisions. No two of the same kind have the same offset.
    pub decisions: Vec<ClockDecision>,
}

/// One decision of the wall clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClockDecision {
    /// The decision was made after all records before this offset, and before all others.
    pub before_offset: Offset,
    /// What follows from the decision.
    pub effect: ClockEffect,
}

/// What follows from a decision of the wall clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockEffect {
    /// The partition is idle: its watermark advances to this time.
    AdvanceWatermark(EventTime),
    /// From here on, events after this time are refused.
    LimitEventTime(EventTime),
}

impl ClockDecisions {
    /// Adds a decision after all others. It replaces the decision of the same kind at the same offset.
    pub fn push(&mut self, decision: ClockDecision) {
        let is_replaced = |other: &ClockDecision| {
            other.before_offset == decision.before_offset
                && std::mem::discriminant(&other.effect) == std::mem::discriminant(&decision.effect)
        };
        // At one offset there are at most two decisions.
        let from = self.decisions.len().saturating_sub(2);
        match self.decisions[from..].iter().position(is_replaced) {
            Some(index) => self.decisions[from + index] = decision,
            None => self.decisions.push(decision),
        }
    }

    /// Forgets the decisions before `offset`, which no kept checkpoint needs.
    pub fn forget_before(&mut self, offset: Offset) {
        let needed = self.decisions.partition_point(|decision| decision.before_offset < offset);
        if needed > 0 {
            self.decisions.drain(..needed);
            self.known_from = self.known_from.max(offset);
        }
    }

    /// Returns whether there is nothing to store.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known_from == 0 && self.decisions.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(before_offset: Offset, effect: ClockEffect) -> ClockDecision {
        ClockDecision { before_offset, effect }
    }

    #[test]
    fn between_two_records_the_last_decision_of_a_kind_counts() {
        let advance = |ms| ClockEffect::AdvanceWatermark(EventTime::from_ms(ms));
        let limit = |ms| ClockEffect::LimitEventTime(EventTime::from_ms(ms));
        let mut known = ClockDecisions::default();
        for (offset, effect) in
            [(3, advance(10)), (3, limit(99)), (3, advance(20)), (4, advance(30)), (9, limit(100)), (9, limit(101))]
        {
            known.push(decision(offset, effect));
        }
        let kept = [(3, advance(20)), (3, limit(99)), (4, advance(30)), (9, limit(101))];
        assert_eq!(known.decisions, kept.map(|(offset, effect)| decision(offset, effect)));
        known.forget_before(3);
        assert_eq!((known.known_from, known.decisions.len()), (0, 4));
        known.forget_before(4);
        assert_eq!((known.known_from, known.decisions.len()), (4, 2));
    }
}
