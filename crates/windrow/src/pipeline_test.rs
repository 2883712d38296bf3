//! Runs the tests of a pipeline file, and compares what happened with what each test expects.
//!
//! ```text
//!   PipelineTest ──► test_run: decoder and shard ──► TestRun ──► comparison ──► TestDifference ──► text, JSON
//!                                                                    └─ missing_row: why a row is missing
//! ```
//!
//! Owns: the meaning of an expectation, and the text of a difference. Does not own: the syntax of tests (the spec
//! crate), the rules of events and windows (the decoder and the shard of a job, which run here too).

mod comparison;
mod difference;
mod missing_row;
mod test_output;
mod test_run;
mod test_texts;

pub(crate) use comparison::compare_with_expectations;
pub(crate) use test_output::{TestResult, format_result_lines, result_as_json};
pub(crate) use test_run::TestRunner;
pub(crate) use test_texts::TestTexts;
