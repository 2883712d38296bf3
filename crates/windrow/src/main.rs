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
//!                                ├──► instance_monitor: metrics ──► InstanceReport ──► job_web_server: pages, JSON, REST
//!                                └──► exit: ExitStatus or CommandFailure ──► stderr and the exit code
//! ```
//!
//! Read these first: [`commands/run.rs`](../src/windrow/commands/run.rs.html) starts and ends a job;
//! [`worker_pool.rs`](../src/windrow/worker_pool.rs.html) runs its workers;
//! [`instance_monitor.rs`](../src/windrow/instance_monitor.rs.html) reports on the workers.

mod access_token;
mod cli;
mod commands;
mod dead_letter_target;
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
mod print;
mod progress_bar;
mod reachability_tracking_store;
mod signals;
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
