//! The binary `windrow`. It combines the crates into commands. No other crate prints, exits or handles signals.
//!
//! A command parses its flags (`cli`), loads the pipeline (`pipeline_file`) and runs. It ends with an exit status or a
//! failure (`exit`). The command `run` starts a pool of workers, which read from Kafka and write to Redis. It also
//! monitors the workers and serves pages.
//!
//! ```text
//!  command line ──► cli ──► commands/run ──► pipeline_file ──► Pipeline
//!                                │
//!        Kafka ──► KafkaSource ──► worker_pool: one Worker per thread ──► RedisSink ──► Redis
//!                                │         │
//!                                │         └──► job_state_folder: checkpoints in a directory or bucket
//!                                │
//!                                ├──► instance_monitor: metrics ─► InstanceReport ─► job_web_server: pages, JSON, REST
//!                                └──► exit: ExitStatus or CommandFailure ──► stderr and the exit code
//! ```
//!
//! Read these first: [`commands/run.rs`](../src/windrow/commands/run.rs.html) starts and ends a job;
//! [`worker_pool.rs`](../src/windrow/worker_pool.rs.html) runs its workers;
//! [`instance_monitor.rs`](../src/windrow/instance_monitor.rs.html) reports on the workers.
//!
//! # Threads
//!
//! `windrow run --workers N` has these threads:
//!
//! - the main thread, which waits and logs the status every 10 s;
//! - `worker-0 … N-1` (default: one per core). Each owns a *member* of the group, a *record consumer*, its shards, and
//!   a thread `checkpoints` that calls the checkpoint store. A shard belongs to one thread at a time;
//! - one per process: `redis-writer`, `topic-watch`, `sampler`, `savepoints`, `object-store`, and `signals` for SIGTERM
//!   and Ctrl-C. `topic-watch` also reads end offsets, and with `--instance` checks that every partition has a reader.
//!   `sampler` reads all counters once a second;
//! - `kafka-call`: one for each call into librdkafka that may block and has a time limit. It ends with the call;
//! - for the pages: `http`, up to eight `http-waiting` for blocking calls, and `peers`, which publishes the report and
//!   reads requests to stop. While such a request is served: `savepoint`, `stop-job`, `stop-others`. With `--listen
//!   off` only `peers` runs;
//! - the threads of librdkafka, for each consumer.
//!
//! `replay` is one worker on the main thread, without a checkpoint thread. `windrow kafka-ui` has `http`,
//! `http-waiting`, and a Kafka client for each read, follow or send of records.
//!
//! # Files
//!
//! The tables name every file. Paths are relative to `src`.
//!
//! ## Commands: `cli`, `commands`
//!
//! | file | content |
//! |---|---|
//! | `cli.rs` | the grammar of the command line |
//! | `commands.rs` | the list of commands |
//! | `commands/check.rs` | `windrow check`: checks a pipeline file and prints its plan or its mistakes |
//! | `commands/check/against.rs` | `windrow check --against`: which stored state a job with the file keeps |
//! | `commands/demo.rs` | `windrow demo`: a complete job in one process that needs no Kafka |
//! | `commands/features.rs` | `windrow features`: shows the rows that Redis holds for a user |
//! | `commands/generate.rs` | `windrow generate`: writes realistic events to Kafka or a file |
//! | `commands/generate/backlog_start.rs` | where a backlog begins in a topic that holds events |
//! | `commands/health.rs` | `windrow health`: whether a running job is healthy |
//! | `commands/kafka_ui.rs` | `windrow kafka-ui`: serves pages about a Kafka cluster, independent of any job |
//! | `commands/replay.rs` | `windrow replay`: runs a pipeline over a file or a pipe, without Kafka and Redis |
//! | `commands/run.rs` | `windrow run`: reads events from Kafka, computes windows and writes rows to Redis |
//! | `commands/savepoint.rs` | `windrow savepoint`: takes a savepoint of a running pipeline |
//! | `commands/schema.rs` | `windrow schema`: prints the JSON Schema of the pipeline file |
//! | `commands/state.rs` | `windrow state`: shows checkpoints and savepoints without changing them |
//! | `commands/state/list.rs` | `windrow state list`: lists the checkpoints and savepoints of a job |
//! | `commands/state/show.rs` | `windrow state show`: a savepoint or the newest checkpoints |
//! | `commands/state/verify.rs` | `windrow state verify`: whether all of it can be used |
//! | `commands/test.rs` | `windrow test`: runs the tests of a pipeline file |
//! | `pipeline_file.rs` | loads a pipeline file, and creates the job of the workers |
//! | `pipeline_plan.rs` | the plan of a pipeline as JSON |
//! | `pipeline_test.rs` | the tests of a pipeline file |
//! | `pipeline_test/comparison.rs` | what happened in a test against what it expects |
//! | `pipeline_test/difference.rs` | a difference between the two |
//! | `pipeline_test/missing_row.rs` | why an expected row is missing |
//! | `pipeline_test/test_output.rs` | results as text and as JSON |
//! | `pipeline_test/test_run.rs` | runs a test through decoder and shard |
//! | `pipeline_test/test_texts.rs` | times, windows and values as texts |
//! | `reject_targets.rs` | where dead letters and late events go |
//! | `job_state_folder.rs` | a job's folder in the checkpoint store |
//!
//! ## The running job: `worker_pool`, `instance_monitor`, `job_web_server`
//!
//! | file | content |
//! |---|---|
//! | `worker_pool.rs` | the workers of a process; logs their status every 10 s and at the end |
//! | `worker_totals.rs` | the sums of the workers' metrics |
//! | `topic_watch_thread.rs` | whether the topic has changed, checked while workers run |
//! | `reachability_tracking_store.rs` | records whether the checkpoint store responds |
//! | `signals.rs` | SIGTERM and Ctrl-C |
//! | `instance_monitor.rs` | builds the report of this process (`current_report`) |
//! | `instance_monitor/counter_values.rs` | the values of all counters of this process at one moment |
//! | `instance_monitor/rate_samples.rs` | rates and recent quantiles |
//! | `instance_monitor/recent_events.rs` | fills the lists: checkpoints, late events, dead letters, marks |
//! | `instance_monitor/recent_history.rs` | the last hour |
//! | `instance_monitor/reports.rs` | fills the reports of workers, views, partitions, Redis, freshness |
//! | `instance_monitor/worker_heartbeats.rs` | when each worker last made progress |
//! | `job_web_server.rs` | the job's server within `run`: address, shutdown |
//! | `job_web_server/startup_reporter.rs` | the report while the start waits |
//! | `access_token.rs` | the token from a file or the environment |
//! | `listen_failure.rs` | why a server cannot listen, with the flags that help |
//!
//! ## Output and exit
//!
//! | file | content |
//! |---|---|
//! | `exit.rs` | the exit codes, and their help text (`EXIT_CODE_HELP`) |
//! | `format.rs` | numbers, sizes, times and durations for the terminal and the log |
//! | `halt_message.rs` | the exit code and the text of a halt, and the flags and settings that help |
//! | `logging.rs` | log lines to stderr; keeps the newest warnings and errors for the pages |
//! | `number_conversions.rs` | conversions between durations, counts and numbers of reports |
//! | `process_secrets.rs` | secrets of a pipeline file, from the environment and from files |
//! | `read_error.rs` | why a file cannot be read, in plain words |
//! | `print.rs` | data to stdout, everything else to stderr |
//! | `progress_bar.rs` | progress bars on stderr |
//! | `state_comparison.rs` | stored state against a pipeline file: what each feature keeps |
//! | `state_problem.rs` | why stored state cannot be used |
//! | `table.rs` | tables for the terminal |
//! | `terminal_rows.rs` | the demo's rows in the terminal |
//! | `wall_clock.rs` | the wall clock |
//!
//! # Where a change goes
//!
//! Here a path begins with the name of its crate, without `src`, or at the root of the repository.
//!
//! - **A command**: `windrow/cli.rs`: its flags. A file in `windrow/commands/`, named in `windrow/commands.rs` and
//!   called in `windrow/main.rs`. `windrow/tests/cli`.
//! - **A flag of a command**: `windrow/cli.rs`, the command's file in `windrow/commands/`, `windrow/tests/cli`.
//! - **The status line of `run`**: `log_current_totals` in `windrow/worker_pool.rs`; the sums:
//!   `windrow/worker_totals.rs`.

mod access_token;
mod cli;
mod commands;
mod exit;
mod format;
mod halt_message;
mod instance_monitor;
mod job_state_folder;
mod job_web_server;
mod listen_failure;
mod logging;
mod number_conversions;
mod pipeline_file;
mod pipeline_plan;
mod pipeline_test;
mod print;
mod process_secrets;
mod progress_bar;
mod reachability_tracking_store;
mod read_error;
mod reject_targets;
mod signals;
mod state_comparison;
mod state_problem;
mod table;
mod terminal_rows;
mod topic_watch_thread;
mod wall_clock;
mod worker_pool;
mod worker_totals;

use std::process::ExitCode;

use clap::Parser;

use cli::{CommandLine, WindrowCommand};
use logging::LogVerbosity;

fn main() -> ExitCode {
    let cli = CommandLine::parse();
    let verbosity = if cli.verbose { LogVerbosity::Detailed } else { LogVerbosity::Normal };
    logging::start_logging(verbosity, cli.log_format);
    let outcome = match cli.command {
        WindrowCommand::Run(args) => commands::run::run(&args),
        WindrowCommand::Replay(args) => commands::replay::run(&args),
        WindrowCommand::Check(args) => commands::check::run(&args),
        WindrowCommand::Test(args) => commands::test::run(&args),
        WindrowCommand::Schema => commands::schema::run(),
        WindrowCommand::Generate(args) => commands::generate::run(&args),
        WindrowCommand::Demo(args) => commands::demo::run(&args),
        WindrowCommand::Features(args) => commands::features::run(&args),
        WindrowCommand::KafkaUi(args) => commands::kafka_ui::run(&args),
        WindrowCommand::Savepoint(args) => commands::savepoint::run(&args),
        WindrowCommand::State(args) => commands::state::run(&args),
        WindrowCommand::Health(args) => commands::health::run(&args),
    };
    outcome.map_or_else(|failure| print::print_failure_message(&failure), ExitCode::from)
}
