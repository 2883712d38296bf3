//! `windrow generate`: writes realistic events to Kafka or a file.

mod backlog_start;

use std::fs::File;
use std::io::{BufWriter, Write, stdout};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use jiff::Timestamp;
use windrow_connectors::kafka::{EventProducer, MissingTopicPolicy, wait_for_topic};
use windrow_core::EventTime;
use windrow_engine::StopSignal;
use windrow_generator::{EventGenerator, GeneratedEvent, GeneratorSettings};

use crate::cli::GenerateArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::format::{format_count_with_noun, format_duration};
use crate::number_conversions::signed_milliseconds;
use crate::progress_bar::{create_progress_bar, create_spinner};
use crate::wall_clock::now_ms;
use crate::{pipeline_file, print, signals};

/// The default rate in events per second of event time.
const DEFAULT_EVENTS_PER_SECOND: f64 = 50.0;
/// The default event time at which the backlog ends if the events go to a file. The time is fixed, so that equal flags
/// give equal files.
const DEFAULT_FILE_BACKLOG_END_TIME: Timestamp = Timestamp::constant(1_704_110_400, 0);
const WRITE_BUFFER_BYTES: usize = 1024 * 1024;
/// How long Kafka may take to acknowledge the last generated events.
const KAFKA_FLUSH_TIMEOUT: Duration = Duration::from_secs(30);
/// The number of events between two updates of the progress bar. At each update, `generate_to_writer` also checks
/// whether a stop was requested.
const EVENTS_BETWEEN_PROGRESS_UPDATES: u64 = 1024;

pub(crate) fn run(args: &GenerateArgs) -> Result<ExitStatus, CommandFailure> {
    let stop = StopSignal::default();
    signals::start_signal_thread(&stop)?;
    match args.event_destination.as_str() {
        "kafka" => generate_to_kafka(args, &stop),
        "-" => generate_to_writer(args, "standard output", stdout().lock(), &stop),
        path => {
            // Check the flags before the file is truncated, so that a wrong flag destroys no data.
            let backlog = BacklogSpan::from_args(args, DEFAULT_FILE_BACKLOG_END_TIME.as_millisecond());
            create_generator(args, choose_rate(args, backlog), backlog.start_ms)?;
            event_count_for_file(args)?;
            let file = File::create(path).map_err(|error| {
                CommandFailure::new(ExitStatus::UnwritableOutput, format!("error: cannot write {path}: {error}"))
            })?;
            generate_to_writer(args, path, file, &stop)
        }
    }
}

/// The span of event time whose events are sent at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct BacklogSpan {
    /// The event time of the first event, in epoch milliseconds.
    start_ms: i64,
    end_ms: i64,
}

impl BacklogSpan {
    /// Returns the span of `--backlog` that ends at the epoch time `end_ms`; an empty span without the flag.
    fn from_args(args: &GenerateArgs, end_ms: i64) -> Self {
        Self { start_ms: end_ms - signed_milliseconds(args.backlog_event_time_span.unwrap_or_default()), end_ms }
    }

    /// Returns the part of the span after the event time `newest`.
    fn after(self, newest: Option<EventTime>) -> Self {
        let start_ms = newest.map_or(self.start_ms, |newest| self.start_ms.max(newest.ms() + 1).min(self.end_ms));
        Self { start_ms, ..self }
    }

    fn length_ms(self) -> i64 {
        self.end_ms - self.start_ms
    }

    /// Returns how many of `count` events, spread evenly over `whole`, lie in this part of `whole`.
    fn share_of(self, count: u64, whole: Self) -> u64 {
        let length = |span: Self| u128::from(span.length_ms().unsigned_abs());
        match length(whole) {
            0 => count,
            whole_length => {
                let share = u128::from(count) * length(self) / whole_length;
                u64::try_from(share).unwrap_or(count)
            }
        }
    }
}

/// Returns the events per second of event time. Without `--rate`, `--count` events are spread over the span of
/// `--backlog`, which is `requested`.
fn choose_rate(args: &GenerateArgs, requested: BacklogSpan) -> f64 {
    args.events_per_second.unwrap_or_else(|| match (requested.length_ms(), args.event_count) {
        (length_ms @ 1.., Some(count)) => count as f64 * 1_000.0 / length_ms as f64,
        _ => DEFAULT_EVENTS_PER_SECOND,
    })
}

/// Creates the generator for the flags in `args`, with `rate` events per second. The stream of events starts at the epoch
/// time `start_ms`.
fn create_generator(args: &GenerateArgs, rate: f64, start_ms: i64) -> Result<EventGenerator, CommandFailure> {
    EventGenerator::new(GeneratorSettings {
        user_count: args.user_count,
        seed: args.seed,
        start_ms,
        events_per_second: rate,
        disorder_ms: signed_milliseconds(args.max_disorder),
        late_percent: args.late_percent,
        malformed_percent: args.malformed_percent,
    })
    .map_err(|error| CommandFailure::new(ExitStatus::Usage, format!("error: {error}")))
}

/// Returns the number of events to write to a file. Fails if the flags do not limit this number.
fn event_count_for_file(args: &GenerateArgs) -> Result<u64, CommandFailure> {
    match (args.event_count, args.backlog_event_time_span) {
        (Some(count), _) => Ok(count),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "rounds down; a negative number becomes 0"
        )]
        (None, Some(backlog)) => {
            Ok((args.events_per_second.unwrap_or(DEFAULT_EVENTS_PER_SECOND) * backlog.as_secs_f64()) as u64)
        }
        (None, None) => Err(CommandFailure::new(
            ExitStatus::Usage,
            "error: the number of events is missing: give --count N, or --backlog with --rate (only --to kafka runs \
             without a limit)",
        )),
    }
}

fn generate_to_writer(
    args: &GenerateArgs,
    name: &str,
    writer: impl Write,
    stop: &StopSignal,
) -> Result<ExitStatus, CommandFailure> {
    let now_ms = args.backlog_end_event_time.unwrap_or(DEFAULT_FILE_BACKLOG_END_TIME).as_millisecond();
    let events = event_count_for_file(args)?;
    let backlog = BacklogSpan::from_args(args, now_ms);
    let mut generator = create_generator(args, choose_rate(args, backlog), backlog.start_ms)?;
    let failed =
        |error| CommandFailure::new(ExitStatus::UnwritableOutput, format!("error: cannot write {name}: {error}"));
    let mut writer = BufWriter::with_capacity(WRITE_BUFFER_BYTES, writer);
    let bar = create_event_progress_bar(Some(events));
    let started = Instant::now();
    let mut written = 0;
    while written < events {
        if written % EVENTS_BETWEEN_PROGRESS_UPDATES == 0 {
            bar.set_position(written);
            if stop.is_requested() {
                break;
            }
        }
        writer.write_all(generator.next().payload).and_then(|()| writer.write_all(b"\n")).map_err(failed)?;
        written += 1;
    }
    writer.flush().map_err(failed)?;
    bar.finish_and_clear();
    print_summary(written, name, started.elapsed());
    Ok(if written == events { ExitStatus::Success } else { ExitStatus::PartialOutput })
}

fn generate_to_kafka(args: &GenerateArgs, stop: &StopSignal) -> Result<ExitStatus, CommandFailure> {
    let pipeline = pipeline_file::load(args.pipeline_path.as_deref(), &args.override_args.overrides)?;
    let source = pipeline.source.kafka();
    let find_backlog = || {
        let end = args.backlog_end_event_time.unwrap_or_else(Timestamp::now);
        BacklogSpan::from_args(args, end.as_millisecond())
    };
    // Check the flags before the wait for Kafka, which may take any time.
    let requested = find_backlog();
    let rate = choose_rate(args, requested);
    create_generator(args, rate, requested.start_ms)?;
    let missing_topic = MissingTopicPolicy::Create { partition_count: None };
    let Some(topic) = wait_for_topic(&source.brokers, &source.topic, missing_topic, None, stop)? else {
        return Ok(ExitStatus::Success);
    };
    let (mut backlog, mut event_count) = (find_backlog(), args.event_count);
    if args.backlog_event_time_span.is_some() {
        let requested = backlog;
        backlog = backlog_start::continue_after_newest_event(&pipeline, &topic, requested, stop)?;
        if args.events_per_second.is_none() {
            event_count = event_count.map(|count| backlog.share_of(count, requested));
        }
    }
    let mut generator = create_generator(args, rate, backlog.start_ms)?;
    let producer = EventProducer::new(&source.brokers, &source.topic, stop.clone())?;
    let bar = create_event_progress_bar(event_count);
    let started = Instant::now();
    let clock_offset_ms = args.backlog_end_event_time.map_or(0, |now| now.as_millisecond() - now_ms());
    let mut sent = 0;
    while event_count.is_none_or(|count| sent < count) && !stop.is_requested() {
        let event = generator.next();
        if wait_until_due(&event, clock_offset_ms, stop) == WaitOutcome::Stopped {
            break;
        }
        producer.send(event.record_key, event.payload)?;
        sent += 1;
        if sent % EVENTS_BETWEEN_PROGRESS_UPDATES == 0 {
            bar.set_position(sent);
        }
    }
    producer.flush(KAFKA_FLUSH_TIMEOUT)?;
    bar.finish_and_clear();
    print_summary(sent, &format!("topic {} on {}", source.topic, source.brokers), started.elapsed());
    Ok(if event_count.is_none_or(|count| sent == count) { ExitStatus::Success } else { ExitStatus::PartialOutput })
}

/// Why a wait ended: a generated event became due, or a stop was requested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WaitOutcome {
    Due,
    Stopped,
}

/// Waits until the simulated time reaches the arrival time of `event`, or until a stop is requested. The simulated time
/// is the wall clock plus `clock_offset_ms`.
pub(crate) fn wait_until_due(event: &GeneratedEvent<'_>, clock_offset_ms: i64, stop: &StopSignal) -> WaitOutcome {
    loop {
        let early_ms = event.arrival_ms - (now_ms() + clock_offset_ms);
        if stop.is_requested() {
            return WaitOutcome::Stopped;
        }
        if early_ms <= 0 {
            return WaitOutcome::Due;
        }
        thread::sleep(Duration::from_millis(early_ms.unsigned_abs().min(200)));
    }
}

fn create_event_progress_bar(events: Option<u64>) -> ProgressBar {
    match events {
        Some(events) => create_progress_bar(events, "{bar:40} {human_pos}/{human_len} events {per_sec} {eta}"),
        None => create_spinner("{spinner} {human_pos} events {per_sec}"),
    }
}

fn print_summary(events: u64, place: &str, elapsed: Duration) {
    print::write_stderr_line(&format!(
        "{} to {place} in {}",
        format_count_with_noun(events, "event"),
        format_duration(elapsed)
    ));
}
