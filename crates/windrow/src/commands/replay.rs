//! `windrow replay`: a pipeline over a file.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Write, stderr, stdin, stdout};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use windrow_connectors::file::{FileDeadLetters, FileSource, JsonLinesSink, Progress};
use windrow_engine::{CountOnly, DeadLetters, Ended, Handover, MonotonicClock, Stop, Worker, WorkerMetrics};

use crate::cli::ReplayArgs;
use crate::exit::{Exit, Failure};
use crate::status::{Totals, count, span};
use crate::{pipeline_file, signals};

const READ_BUFFER_BYTES: usize = 1024 * 1024;

pub(crate) fn run(args: &ReplayArgs) -> Result<Exit, Failure> {
    let pipeline = pipeline_file::load(args.pipeline.pipeline.as_deref(), &args.pipeline.set.overrides)?;
    let input = open_input(&args.input)?;
    let (output_name, output) = open_output(&args.output)?;
    let dead_letters: Box<dyn DeadLetters> = match &args.dead_letters {
        Some(path) => Box::new(FileDeadLetters::replace(path)?),
        None => Box::new(CountOnly),
    };
    let stop = Stop::default();
    signals::handle(&stop)?;

    let job = pipeline_file::job(&pipeline, &input.name, false)?;
    let views = Arc::clone(&job.views);
    let metrics = WorkerMetrics::new(views.len());
    let progress = Progress::default();
    let sink = JsonLinesSink::new(output, output_name, &views, pipeline.event.schema.key_name());
    let source = FileSource::new(input.reader, input.name, Arc::clone(&progress));
    let started = Instant::now();
    let mut worker = Worker::new(
        job,
        source,
        sink,
        dead_letters,
        MonotonicClock::start(),
        Handover::default(),
        stop,
        Arc::clone(&metrics),
    );
    let ended = with_progress_bar(input.bytes, &progress, || worker.run())?;

    let totals = Totals::of([&*metrics], views.len());
    report(&totals, started.elapsed(), &totals.per_view(&views), ended);
    Ok(Exit::Success)
}

/// What is read, and how much of it there is where that is known.
struct Input {
    name: String,
    reader: Box<dyn BufRead>,
    bytes: Option<u64>,
}

fn open_input(path: &Path) -> Result<Input, Failure> {
    if path.as_os_str() == "-" {
        let reader = Box::new(BufReader::with_capacity(READ_BUFFER_BYTES, stdin()));
        return Ok(Input { name: "standard input".to_owned(), reader, bytes: None });
    }
    let failed = |error| Failure::new(Exit::Input, format!("error: cannot open {}: {error}", path.display()));
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(Failure::new(
            Exit::Input,
            format!("error: {} is a directory, not a file of events", path.display()),
        ));
    }
    let bytes = metadata.is_file().then_some(metadata.len());
    let reader = Box::new(BufReader::with_capacity(READ_BUFFER_BYTES, file));
    Ok(Input { name: path.display().to_string(), reader, bytes })
}

fn open_output(path: &Path) -> Result<(String, Box<dyn Write>), Failure> {
    if path.as_os_str() == "-" {
        return Ok(("standard output".to_owned(), Box::new(stdout().lock())));
    }
    let file = File::create(path)
        .map_err(|error| Failure::new(Exit::Output, format!("error: cannot write {}: {error}", path.display())))?;
    Ok((path.display().to_string(), Box::new(file)))
}

/// Records per second, rounded.
fn rate(records: u64, elapsed: Duration) -> u64 {
    let per_second = u128::from(records) * 1_000_000 / elapsed.as_micros().max(1);
    u64::try_from(per_second).unwrap_or(u64::MAX)
}

/// Runs `work`, showing how far the input has been read where somebody sees it.
fn with_progress_bar<T>(bytes: Option<u64>, progress: &Progress, work: impl FnOnce() -> T) -> T {
    if !stderr().is_terminal() {
        return work();
    }
    let bar = match bytes {
        Some(bytes) => ProgressBar::new(bytes).with_style(
            ProgressStyle::with_template("{bar:40} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        ),
        None => ProgressBar::new_spinner(),
    };
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

#[allow(clippy::print_stderr)] // the summary is for the person, the rows are on stdout or in a file
fn report(totals: &Totals, elapsed: Duration, per_view: &[String], ended: Ended) {
    if ended != Ended::Exhausted {
        eprintln!("stopped before the end of the input; what had fired by then is written");
    }
    eprintln!(
        "{} records in {} ({} records/s), {} dead letters",
        count(totals.records),
        span(elapsed),
        count(rate(totals.records, elapsed)),
        count(totals.dead_letters),
    );
    for line in per_view {
        eprintln!("{line}");
    }
}
