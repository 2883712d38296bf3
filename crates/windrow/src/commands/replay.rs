//! `windrow replay`: runs a pipeline over a file or a pipe, without Kafka and Redis.

use std::fs::File;
use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use windrow_connectors::file::{BytesReadCounter, FileDeadLetters, FileSource, JsonLinesSink, TimeoutReader};
use windrow_connectors::job::JobInput;
use windrow_engine::{
    DeadLetterSink, NoDeadLetterSink, RejectedContent, StopSignal, SystemClock, Worker, WorkerMetrics, WorkerOutcome,
    WorkerParts,
};

use crate::cli::ReplayArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::format::{format_count, format_count_with_noun, format_duration};
use crate::pipeline_file;
use crate::progress_bar::{create_progress_bar, create_spinner};
use crate::reject_targets::WorkerRejectSink;
use crate::worker_totals::WorkerTotals;
use crate::{print, signals};

const READ_BUFFER_BYTES: usize = 1024 * 1024;

pub(crate) fn run(args: &ReplayArgs) -> Result<ExitStatus, CommandFailure> {
    let pipeline =
        pipeline_file::load(args.pipeline_args.pipeline_path.as_deref(), &args.pipeline_args.override_args.overrides)?;
    let input = open_input(&args.input_path)?;
    refuse_shared_files(args)?;
    let output = open_output(&args.output_path)?;
    let dead_letters: Box<dyn DeadLetterSink + Send> = match &args.dead_letter_path {
        Some(path) => Box::new(FileDeadLetters::open_truncated(path, RejectedContent::DeadLetters)?),
        None => Box::new(NoDeadLetterSink),
    };
    // Late events are among the lines of the output.
    let dead_letter_sink = WorkerRejectSink { dead_letters, late_events: Box::new(NoDeadLetterSink) };
    let stop = StopSignal::default();
    signals::start_signal_thread(&stop)?;

    let job = pipeline_file::create_job_definition(&pipeline, JobInput::with_one_partition(&input.name))?;
    let views = Arc::clone(&job.views);
    let metrics = WorkerMetrics::new(views.len());
    let progress = BytesReadCounter::default();
    let sink = JsonLinesSink::new(output.writer, output.name, &views, pipeline.event.schema.entity_key_name());
    let source = FileSource::new(input.reader, input.name, Arc::clone(&progress));
    let started = Instant::now();
    let mut worker = Worker::new(WorkerParts {
        job,
        source,
        sink,
        dead_letter_sink,
        clock: SystemClock::start_shared(),
        checkpoint_config: None,
        stop_signal: stop,
        metrics: Arc::clone(&metrics),
    });
    let ended = run_with_progress_bar(input.byte_count, &progress, || worker.run())?;

    let totals = WorkerTotals::combine_worker_metrics([&*metrics], views.len());
    print_summary(&totals, started.elapsed(), &totals.format_view_lines(&views));
    if ended != WorkerOutcome::InputExhausted {
        return Err(CommandFailure::new(
            ExitStatus::PartialOutput,
            "stopped before the end of the input: windows that were still open are not in the output",
        ));
    }
    Ok(ExitStatus::Success)
}

/// The file or pipe with events. `byte_count` is the size of a regular file, and `None` for a pipe.
struct ReplayInput {
    name: String,
    reader: Box<dyn BufRead>,
    byte_count: Option<u64>,
}

fn open_input(path: &Path) -> Result<ReplayInput, CommandFailure> {
    if path.as_os_str() == "-" {
        // Do not read from `std::io::Stdin`, because it reads ahead into an internal buffer. `TimeoutReader` waits for
        // input with the system call `poll`, which does not see the bytes in this buffer.
        let pipe = stdin().as_fd().try_clone_to_owned().map(File::from).map_err(|error| {
            CommandFailure::new(ExitStatus::UnusableInput, format!("error: cannot open standard input: {error}"))
        })?;
        let reader = Box::new(BufReader::with_capacity(READ_BUFFER_BYTES, TimeoutReader::new(pipe)));
        return Ok(ReplayInput { name: "standard input".to_owned(), reader, byte_count: None });
    }
    let failed = |error| {
        CommandFailure::new(ExitStatus::UnusableInput, format!("error: cannot open {}: {error}", path.display()))
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(CommandFailure::new(
            ExitStatus::UnusableInput,
            format!("error: {} is a directory, not a file of events", path.display()),
        ));
    }
    let bytes = metadata.is_file().then_some(metadata.len());
    let reader = Box::new(BufReader::with_capacity(READ_BUFFER_BYTES, TimeoutReader::new(file)));
    Ok(ReplayInput { name: path.display().to_string(), reader, byte_count: bytes })
}

/// Fails if two flags name the same file. Output to such a file would destroy the events or mix rows with dead letters.
fn refuse_shared_files(args: &ReplayArgs) -> Result<(), CommandFailure> {
    let files = [
        ("--input", Some(&args.input_path)),
        ("--output", Some(&args.output_path)),
        ("--dead-letters", args.dead_letter_path.as_ref()),
    ];
    for (index, (one, first)) in files.iter().enumerate() {
        for (other, second) in &files[index + 1..] {
            let (Some(first), Some(second)) = (first, second) else { continue };
            // Compare the paths too, because `is_same_file` fails for a file that does not exist yet.
            if first == second && first.as_os_str() != "-" || same_file::is_same_file(first, second).unwrap_or(false) {
                let path = second.display();
                return Err(CommandFailure::new(
                    ExitStatus::Usage,
                    format!("error: {one} and {other} are the same file, {path}"),
                ));
            }
        }
    }
    Ok(())
}

/// The file or pipe to which rows and late events are written. `name` is the name of this file or pipe in messages.
struct ReplayOutput {
    name: String,
    writer: Box<dyn Write>,
}

fn open_output(path: &Path) -> Result<ReplayOutput, CommandFailure> {
    if path.as_os_str() == "-" {
        return Ok(ReplayOutput { name: "standard output".to_owned(), writer: Box::new(stdout().lock()) });
    }
    let file = File::create(path).map_err(|error| {
        CommandFailure::new(ExitStatus::UnwritableOutput, format!("error: cannot write {}: {error}", path.display()))
    })?;
    Ok(ReplayOutput { name: path.display().to_string(), writer: Box::new(file) })
}

/// Returns the number of records per second, rounded down.
fn records_per_second(records: u64, elapsed: Duration) -> u64 {
    let per_second = u128::from(records) * 1_000_000 / elapsed.as_micros().max(1);
    u64::try_from(per_second).unwrap_or(u64::MAX)
}

/// Runs `work`. Until `work` ends, a progress bar on stderr shows how many bytes of the input have been read.
fn run_with_progress_bar<T>(bytes: Option<u64>, progress: &BytesReadCounter, work: impl FnOnce() -> T) -> T {
    let bar = match bytes {
        Some(bytes) => {
            create_progress_bar(bytes, "{bar:40} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}")
        }
        None => create_spinner("{spinner}"),
    };
    if bar.is_hidden() {
        return work();
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                bar.set_position(progress.get());
                thread::sleep(Duration::from_millis(100));
            }
            bar.finish_and_clear();
        });
        let result = work();
        done.store(true, Ordering::Release);
        result
    })
}

fn print_summary(totals: &WorkerTotals, elapsed: Duration, per_view: &[String]) {
    print::write_stderr_line(&format!(
        "{} in {} ({} records/s), {}",
        format_count_with_noun(totals.records_read, "record"),
        format_duration(elapsed),
        format_count(records_per_second(totals.records_read, elapsed)),
        format_count_with_noun(totals.dead_letter_count, "dead letter"),
    ));
    per_view.iter().for_each(|line| print::write_stderr_line(line));
}
