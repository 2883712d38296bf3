//! The differences between what a test expects and what happened.

/// One difference. All times and values are texts already.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TestDifference {
    pub(crate) kind: DifferenceKind,
    /// The line of the expectation in the pipeline file, if there is one.
    pub(crate) line: Option<usize>,
    /// A sentence fragment that names the row, the event or the record, and what is wrong with it.
    pub(crate) message: String,
    /// The features that differ.
    pub(crate) features: Vec<FeatureDifference>,
    /// What the author of the test probably needs to know.
    pub(crate) explanations: Vec<String>,
}

/// A feature that has another value than expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FeatureDifference {
    pub(crate) feature: String,
    pub(crate) expected: String,
    pub(crate) actual: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DifferenceKind {
    FeatureValues,
    MissingRow,
    UnexpectedRow,
    MissingLateEvent,
    UnexpectedLateEvent,
    MissingDeadLetter,
    UnexpectedDeadLetter,
    DeadLetterReason,
}

impl DifferenceKind {
    /// Returns the name of the kind in JSON, which never changes.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::FeatureValues => "feature_values",
            Self::MissingRow => "missing_row",
            Self::UnexpectedRow => "unexpected_row",
            Self::MissingLateEvent => "missing_late_event",
            Self::UnexpectedLateEvent => "unexpected_late_event",
            Self::MissingDeadLetter => "missing_dead_letter",
            Self::UnexpectedDeadLetter => "unexpected_dead_letter",
            Self::DeadLetterReason => "dead_letter_reason",
        }
    }
}
