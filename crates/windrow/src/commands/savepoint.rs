//! `windrow savepoint`: takes a savepoint of a running pipeline.

use std::time::Instant;

use indicatif::ProgressBar;
use jiff::Timestamp;
use serde_json::json;
use windrow_engine::checkpoint::{
    SavepointParameters, SavepointProgress, default_savepoint_folder, escape_name_segment, take_savepoint,
};
use windrow_engine::{StopSignal, SystemClock};

use crate::cli::SavepointArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::format::{format_byte_size, format_count_with_noun, format_duration};
use crate::job_state_folder::{JobStateFolder, random_hex_digits};
use crate::number_conversions::whole_milliseconds;
use crate::{pipeline_file, print, progress_bar, signals};

pub(crate) fn run(args: &SavepointArgs) -> Result<ExitStatus, CommandFailure> {
    let pipeline =
        pipeline_file::load(args.pipeline_args.pipeline_path.as_deref(), &args.pipeline_args.override_args.overrides)?;
    let stop = StopSignal::default();
    signals::start_signal_thread(&stop)?;
    let place = JobStateFolder::open_for_pipeline(&pipeline)?;
    let id = format!("{}-{}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ"), random_hex_digits(4)?);
    let to = match &args.savepoint_parent_location {
        None => format!("{}/{}", place.location(), default_savepoint_folder(&id)),
        // Opening the location makes a relative path absolute. The instances that write the savepoint may have other
        // working directories, where the relative path would name another location.
        Some(to) => {
            let to = place.open_other_location(to)?;
            format!("{}/savepoint-{}-{id}", to.place().trim_end_matches('/'), escape_name_segment(&pipeline.name))
        }
    };
    let to = place.open_other_location(&to)?;

    let began = Instant::now();
    let bar = progress_bar::create_progress_bar(0, "{bar:40} {pos}/{len} partitions saved {elapsed}");
    let taken = take_savepoint(
        SavepointParameters {
            checkpoint_store: &*place.store,
            target_store: &*to,
            savepoint_id: &id,
            confirmation_timeout: args.savepoint_timeout,
            clock: &SystemClock::start(),
            stop_signal: &stop,
        },
        |progress| update_progress_bar(&bar, progress),
    );
    bar.finish_and_clear();
    let content = taken.map_err(|halt| {
        let failure = CommandFailure::from(halt);
        if stop.is_requested() { failure.with_exit_status(ExitStatus::PartialOutput) } else { failure }
    })?;
    let took = began.elapsed();
    let partitions = content.partition_numbers.len() as u64;
    if args.json {
        let report = json!({
            "id": content.savepoint_id,
            "location": to.place(),
            "pipeline": content.pipeline_name,
            "topic": content.topic,
            "partitions": partitions,
            "bytes": content.total_state_byte_count,
            "took_ms": whole_milliseconds(took),
        });
        print::write_stdout(&format!("{report:#}\n"))?;
    } else {
        print::write_stdout(&format!("{}\n", to.place()))?;
    }
    print::write_stderr_line(&format!(
        "savepoint {} of pipeline {}: {}, {} in {}. Start from it with `windrow run --from {}`",
        content.savepoint_id,
        content.pipeline_name,
        format_count_with_noun(partitions, "partition"),
        format_byte_size(content.total_state_byte_count),
        format_duration(took),
        to.place()
    ));
    Ok(ExitStatus::Success)
}

fn update_progress_bar(bar: &ProgressBar, progress: SavepointProgress) {
    bar.set_length(progress.partition_count as u64);
    bar.set_position(progress.saved_partition_count as u64);
}
