//! `windrow schema`: prints the JSON Schema of the pipeline file.

use crate::exit::{CommandFailure, ExitStatus};
use crate::print;

pub(crate) fn run() -> Result<ExitStatus, CommandFailure> {
    print::write_stdout(&windrow_spec::pipeline_file_schema())?;
    Ok(ExitStatus::Success)
}
