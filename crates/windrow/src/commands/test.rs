//! `windrow test`: runs the tests of a pipeline file, without Kafka and Redis.

use serde_json::json;
use windrow_spec::PipelineTest;

use crate::cli::TestArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::format::format_count_with_noun;
use crate::pipeline_file::{self, PipelineText};
use crate::pipeline_test::{
    TestResult, TestRunner, TestTexts, compare_with_expectations, format_result_lines, result_as_json,
};
use crate::print;

pub(crate) fn run(args: &TestArgs) -> Result<ExitStatus, CommandFailure> {
    let (path, overrides) = (args.pipeline_args.pipeline_path.as_deref(), &args.pipeline_args.override_args.overrides);
    let PipelineText { display_name: file_name, toml_text } = pipeline_file::read_pipeline_text(path)?;
    let pipeline = windrow_spec::parse_for_tests(&file_name, &toml_text, overrides)
        .map_err(|mistakes| CommandFailure::new(ExitStatus::Pipeline, pipeline_file::render_mistakes(&mistakes)))?;
    let is_chosen = |test: &&PipelineTest| args.filter.as_ref().is_none_or(|part| test.name.contains(part.as_str()));
    let tests: Vec<&PipelineTest> = pipeline.tests.iter().filter(is_chosen).collect();
    if tests.is_empty() {
        return Err(CommandFailure::new(ExitStatus::Usage, describe_missing_tests(args, &file_name, &pipeline.tests)));
    }
    let (runner, texts) = (TestRunner::new(&pipeline), TestTexts::new(&pipeline));
    let results: Vec<TestResult<'_>> = tests
        .into_iter()
        .map(|test| TestResult {
            name: &test.name,
            line: test.line,
            differences: compare_with_expectations(test, &runner.run_test(test), &texts),
        })
        .collect();
    let failed_count = results.iter().filter(|result| !result.has_passed()).count();
    if args.json {
        let passed_count = results.len() - failed_count;
        let tests: Vec<_> = results.iter().map(result_as_json).collect();
        let report = json!({ "file": file_name, "passed": passed_count, "failed": failed_count, "tests": tests });
        print::write_stdout(&format!("{report:#}\n"))?;
    } else {
        let lines: String = results.iter().map(|result| format_result_lines(result, &file_name)).collect();
        print::write_stdout(&lines)?;
        let passed_count = results.len() - failed_count;
        let total = format_count_with_noun(results.len() as u64, "test");
        print::write_stdout(&format!("{total}: {passed_count} passed, {failed_count} failed\n"))?;
    }
    Ok(if failed_count == 0 { ExitStatus::Success } else { ExitStatus::FailedTests })
}

fn describe_missing_tests(args: &TestArgs, file_name: &str, tests: &[PipelineTest]) -> String {
    let count = format_count_with_noun(tests.len() as u64, "test");
    match &args.filter {
        Some(part) if !tests.is_empty() => {
            format!("error: none of the {count} of {file_name} has a name that contains {part:?}")
        }
        _ => format!(
            "error: {file_name} has no tests\nhint: a test is a block [[test]] with events and the rows that they must give; \
             docs/pipeline.md has examples"
        ),
    }
}
