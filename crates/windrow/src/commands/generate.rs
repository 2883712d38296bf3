//! `windrow generate`: believable events, to Kafka or to a file.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write, stderr, stdout};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use windrow_connectors::kafka::{EventProducer, await_topic};
use windrow_engine::Stop;
use windrow_generator::{Generated, Generator, Settings};

use crate::cli::GenerateArgs;
use crate::exit::{Exit, Failure};
use crate::status::{plural, span};
use crate::{pipeline_file, print, signals};

/// Events per second of event time where nothing else says it.
const DEFAULT_RATE: f64 = 50.0;
/// The present for files, so that the same flags give the same bytes.
const FILE_NOW: Timestamp = Timestamp::constant(1_704_110_400, 0);
const WRITE_BUFFER_BYTES: usize = 1024 * 1024;
/// How long Kafka may take for what was sent when the generator ends.
const FLUSH_PATIENCE: Duration = Duration::from_secs(30);
/// Events between two looks at the stop flag and the progress bar.
const LOOK_UP_EVERY: u64 = 1024;

pub(crate) fn run(args: &GenerateArgs) -> Result<Exit, Failure> {
    let stop = Stop::default();
    signals::handle(&stop)?;
    match args.to.as_str() {
        "kafka" => to_kafka(args, &stop),
        "-" => to_writer(args, "standard output", stdout().lock(), &stop),
        path => {
            // Whatever is wrong with the flags is said before the file is emptied.
            generator(args, FILE_NOW.as_millisecond())?;
            events_for_file(args)?;
            let file = File::create(path)
                .map_err(|error| Failure::new(Exit::Output, format!("error: cannot write {path}: {error}")))?;
            to_writer(args, path, file, &stop)
        }
    }
}

/// The stream that the flags ask for, with the present at `now_ms`.
pub(crate) fn generator(args: &GenerateArgs, now_ms: i64) -> Result<Generator, Failure> {
    let backlog_ms = ms(args.backlog.unwrap_or_default());
    #[allow(clippy::cast_precision_loss)] // a rate does not need 53 bits
    let rate = args.rate.unwrap_or_else(|| match (args.backlog, args.count) {
        (Some(backlog), Some(count)) if !backlog.is_zero() => count as f64 / backlog.as_secs_f64(),
        _ => DEFAULT_RATE,
    });
    Generator::new(Settings {
        users: args.users,
        seed: args.seed,
        start_ms: now_ms - backlog_ms,
        rate,
        disorder_ms: ms(args.disorder),
        late_percent: args.late,
        malformed_percent: args.malformed,
    })
    .map_err(|error| Failure::new(Exit::Usage, format!("error: {error}")))
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// How many events a file gets.
fn events_for_file(args: &GenerateArgs) -> Result<u64, Failure> {
    match (args.count, args.backlog) {
        (Some(count), _) => Ok(count),
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a count of events, rounded
        (None, Some(backlog)) => Ok((args.rate.unwrap_or(DEFAULT_RATE) * backlog.as_secs_f64()) as u64),
        (None, None) => Err(Failure::new(
            Exit::Usage,
            "error: how many events? Give --count N, or --backlog with --rate. (Only --to kafka goes on without end.)",
        )),
    }
}

fn to_writer(args: &GenerateArgs, name: &str, writer: impl Write, stop: &Stop) -> Result<Exit, Failure> {
    let now_ms = args.now.unwrap_or(FILE_NOW).as_millisecond();
    let events = events_for_file(args)?;
    let mut generator = generator(args, now_ms)?;
    let failed = |error| Failure::new(Exit::Output, format!("error: cannot write {name}: {error}"));
    let mut writer = BufWriter::with_capacity(WRITE_BUFFER_BYTES, writer);
    let bar = progress_bar(Some(events));
    let started = Instant::now();
    let mut written = 0;
    while written < events {
        if written % LOOK_UP_EVERY == 0 {
            bar.set_position(written);
            if stop.requested() {
                break;
            }
        }
        writer.write_all(generator.next().payload).and_then(|()| writer.write_all(b"\n")).map_err(failed)?;
        written += 1;
    }
    writer.flush().map_err(failed)?;
    bar.finish_and_clear();
    report(written, name, started.elapsed());
    Ok(if written == events { Exit::Success } else { Exit::Partial })
}

fn to_kafka(args: &GenerateArgs, stop: &Stop) -> Result<Exit, Failure> {
    let source = pipeline_file::load(args.pipeline.as_deref(), &args.set.overrides)?.source;
    let mut generator = generator(args, args.now.unwrap_or_else(Timestamp::now).as_millisecond())?;
    if await_topic(&source.brokers, &source.topic, None, stop)?.is_none() {
        return Ok(Exit::Success);
    }
    let producer = EventProducer::new(&source.brokers, &source.topic, stop.clone())?;
    let bar = progress_bar(args.count);
    let started = Instant::now();
    let clock_offset_ms = args.now.map_or(0, |now| now.as_millisecond() - Timestamp::now().as_millisecond());
    let mut sent = 0;
    while args.count.is_none_or(|count| sent < count) && !stop.requested() {
        let event = generator.next();
        if !wait_until_due(&event, clock_offset_ms, stop) {
            break;
        }
        producer.send(event.key, event.payload)?;
        sent += 1;
        if sent % LOOK_UP_EVERY == 0 {
            bar.set_position(sent);
        }
    }
    producer.flush(FLUSH_PATIENCE)?;
    bar.finish_and_clear();
    report(sent, &format!("topic {} on {}", source.topic, source.brokers), started.elapsed());
    Ok(if args.count.is_none_or(|count| sent == count) { Exit::Success } else { Exit::Partial })
}

/// Waits until an event is due by the wall clock; `false` when a stop was requested meanwhile. What is in the past is
/// due at once.
pub(crate) fn wait_until_due(event: &Generated<'_>, clock_offset_ms: i64, stop: &Stop) -> bool {
    loop {
        let early_ms = event.due_ms - (Timestamp::now().as_millisecond() + clock_offset_ms);
        if stop.requested() {
            return false;
        }
        if early_ms <= 0 {
            return true;
        }
        thread::sleep(Duration::from_millis(early_ms.unsigned_abs().min(200)));
    }
}

fn progress_bar(events: Option<u64>) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match events {
        Some(events) => (ProgressBar::new(events), "{bar:40} {human_pos}/{human_len} events {per_sec} {eta}"),
        None => (ProgressBar::no_length(), "{spinner} {human_pos} events {per_sec}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn report(events: u64, place: &str, elapsed: Duration) {
    print::note(&format!("{} to {place} in {}", plural(events, "event"), span(elapsed)));
}
