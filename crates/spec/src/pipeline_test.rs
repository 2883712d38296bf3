//! A test of the pipeline file, as types: `[[test]]`.
//!
//! Owns: the types. Does not own: reading the pipeline file ([`crate::parse`]), running a test (the binary).

use windrow_core::{EventTime, Literal, ViewId};

/// `[[test]]`: events, and the rows, late events and dead letters that they must give.
#[derive(Clone, PartialEq, Debug)]
pub struct PipelineTest {
    /// The name of the test, unique in the pipeline file.
    pub name: String,
    /// The line of the test in the pipeline file, or `None` if a `--set` contains the test.
    pub line: Option<usize>,
    /// The records of one partition, and what the wall clock shows, in order.
    pub steps: Vec<TestStep>,
    /// Whether all windows that are still open fire after the last event, as at the end of bounded input (window
    /// rule 6).
    pub ends_input: bool,
    /// The rows of each view that the test names. The rows of other views are not compared.
    pub expected_rows: Vec<ExpectedViewRows>,
    /// Whether a view that the test names may write rows that the test does not list.
    pub allows_other_rows: bool,
    /// All late events, in any order.
    pub expected_late_events: Vec<ExpectedLateEvent>,
    /// For each dead letter, in order, a part of its reason.
    pub expected_dead_letters: Vec<String>,
}

/// A step of a test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TestStep {
    /// The next record of the partition.
    Record(String),
    /// No further record comes until the wall clock shows this time: the partition is idle, and its watermark follows the
    /// clock (window rule 17).
    ClockTime(EventTime),
}

/// The rows that a test expects of one view.
#[derive(Clone, PartialEq, Debug)]
pub struct ExpectedViewRows {
    /// The view.
    pub view_id: ViewId,
    /// The rows. Their order counts only among rows of the same window and entity.
    pub rows: Vec<ExpectedTestRow>,
}

/// A row that a test expects. At least one of the start and the end of the window is given.
#[derive(Clone, PartialEq, Debug)]
pub struct ExpectedTestRow {
    /// The line of the row in the pipeline file, or `None` if a `--set` contains the test.
    pub line: Option<usize>,
    /// The entity key.
    pub entity_key: String,
    /// The start of the window.
    pub window_start: Option<EventTime>,
    /// The end of the window.
    pub window_end: Option<EventTime>,
    /// The features that the test compares.
    pub features: Vec<ExpectedFeature>,
}

/// A feature with the value that a test expects.
#[derive(Clone, PartialEq, Debug)]
pub struct ExpectedFeature {
    /// The position of the feature among the features of its view.
    pub feature_index: usize,
    /// The value, or `None` for NULL. A value has the type of the feature.
    pub value: Option<Literal>,
}

/// An event that a test expects to be late for a view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpectedLateEvent {
    /// The view.
    pub view_id: ViewId,
    /// The line of the entry in the pipeline file, or `None` if a `--set` contains the test.
    pub line: Option<usize>,
    /// The entity key.
    pub entity_key: String,
    /// The event time.
    pub event_time: EventTime,
}
