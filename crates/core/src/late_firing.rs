//! Windows that fire again, because late events have changed them after their first firing (window rule 15).
//!
//! Owns: the messages between the shard and its views about such windows. Does not own: which windows these are (the
//! state of the view).

use crate::entity_slot::EntitySlot;
use crate::row::ViewId;
use crate::time::EventTime;

/// What a view has done with an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum JoinOutcome {
    /// The event is late for the view, so it has joined no window.
    Late,
    /// No window that the event has joined has fired.
    JoinedOpenWindows,
    /// The watermark has passed the event, and the view allows lateness. So the event may have joined windows that have
    /// fired.
    JoinedAfterWatermark,
}

/// An event that may have joined windows of one view that have fired. The watermark has not moved since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LateJoin<'a> {
    pub(crate) view_id: ViewId,
    pub(crate) entity_key: &'a str,
    pub(crate) slot: EntitySlot,
    pub(crate) event_time: EventTime,
    pub(crate) watermark: EventTime,
}
