//! Writes log lines to stderr, as text or JSON, with colours on a terminal only.
//!
//! Owns: the newest warnings and errors, which the job's pages show. They are lost when the process ends.

use std::collections::VecDeque;
use std::env;
use std::fmt::{Debug, Write};
use std::io::{IsTerminal, stderr};

use clap::ValueEnum;
use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};
use windrow_web::report::LoggedProblemReport;

use crate::wall_clock::now_ms;

/// The largest number of warnings and errors that are kept for the pages.
const MAX_RECENT_WARNINGS_AND_ERRORS: usize = 200;

/// The format of log lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    // The variants have no doc comments, because clap would print doc comments in the help of every command.
    Text,
    // A log line is a JSON object with the keys `timestamp`, `level`, `fields` and `target`.
    Json,
}

/// The amount of detail in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogVerbosity {
    Normal,
    /// The log also includes messages of level `DEBUG`, for example of librdkafka and the connectors.
    Detailed,
}

/// The environment variable that selects log lines by level and by module.
const FILTER_VARIABLE: &str = "RUST_LOG";
/// The levels that [`FILTER_VARIABLE`] can name.
const LEVEL_NAMES: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Starts logging. The environment variable `RUST_LOG` overrides `verbosity`. A value that is not valid is ignored with a
/// warning.
pub(crate) fn start_logging(verbosity: LogVerbosity, format: LogFormat) {
    let default = match verbosity {
        LogVerbosity::Normal => LevelFilter::INFO,
        LogVerbosity::Detailed => LevelFilter::DEBUG,
    };
    let from_environment =
        env::var_os(FILTER_VARIABLE).map_or(Ok(None), |value| parse_filter(&value.to_string_lossy()));
    let (filter, problem) = match from_environment {
        Ok(filter) => (filter, None),
        Err(problem) => (None, Some(problem)),
    };
    let filter = filter.unwrap_or_else(|| Targets::new().with_default(default));
    let lines = match format {
        LogFormat::Text => {
            fmt::layer().with_target(false).with_ansi(stderr().is_terminal()).with_writer(stderr).boxed()
        }
        LogFormat::Json => fmt::layer().json().with_writer(stderr).boxed(),
    };
    registry().with(lines.with_filter(filter)).with(WarningAndErrorRecorder.with_filter(LevelFilter::WARN)).init();
    if let Some(problem) = problem {
        warn!(
            "{FILTER_VARIABLE} is ignored: {problem}; write a level such as `debug`, or modules with levels such as \
             `warn,windrow_connectors::kafka=debug`"
        );
    }
}

/// Parses the value of [`FILTER_VARIABLE`]. Returns `None` for a blank value. The error is the end of a sentence.
fn parse_filter(value: &str) -> Result<Option<Targets>, String> {
    let directives: Vec<&str> = value.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    if directives.is_empty() {
        return Ok(None);
    }
    if value.contains(['[', '{']) {
        return Err(format!("`{}` is not valid (spans and fields select no lines)", value.escape_debug()));
    }
    let words = directives.iter().filter(|directive| !directive.contains('='));
    for word in words.filter(|word| word.parse::<LevelFilter>().is_err()) {
        // The parser takes such a word for the name of a module, and would omit all other lines.
        if let [level] = windrow_spec::find_similar_names(word, LEVEL_NAMES, 1)[..] {
            return Err(format!("`{}` is not a level; did you mean `{level}`?", word.escape_debug()));
        }
    }
    let parsed = directives.join(",").parse().map(Some);
    parsed.map_err(|error| format!("`{}` is not valid ({error})", value.escape_debug()))
}

/// Returns the warnings and errors that are kept for the pages, newest first.
pub(crate) fn recent_warnings_and_errors() -> Vec<LoggedProblemReport> {
    RECENT_WARNINGS_AND_ERRORS.lock().iter().rev().cloned().collect()
}

/// Warnings and errors of this process, oldest first.
static RECENT_WARNINGS_AND_ERRORS: Mutex<VecDeque<LoggedProblemReport>> = Mutex::new(VecDeque::new());

struct WarningAndErrorRecorder;

impl<S: Subscriber> Layer<S> for WarningAndErrorRecorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut words = LogLineText::default();
        event.record(&mut words);
        let problem = LoggedProblemReport {
            logged_at_ms: now_ms(),
            log_level: if *metadata.level() == Level::ERROR { "error" } else { "warn" }.to_owned(),
            logging_module: metadata.target().to_owned(),
            log_message: words.message + &words.fields,
        };
        let mut recent = RECENT_WARNINGS_AND_ERRORS.lock();
        if recent.len() == MAX_RECENT_WARNINGS_AND_ERRORS {
            recent.pop_front();
        }
        recent.push_back(problem);
    }
}

/// The message of a log line, and the other fields of the line in the form ` name=value`.
#[derive(Default)]
struct LogLineText {
    message: String,
    fields: String,
}

impl Visit for LogLineText {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
