//! `windrow`: the command line.
//!
//! Owns: flags, printing, signals, exit codes, and wiring the crates together. The only place that prints or exits.

mod cli;
mod commands;
mod dead_letter_target;
mod exit;
mod format;
mod instance_monitor;
mod job_state_folder;
mod job_web_server;
mod logging;
mod pipeline_file;
mod pipeline_plan;
mod print;
mod progress_bar;
mod reachability_tracking_store;
mod signals;
mod table;
mod terminal_rows;
mod topic_watch_thread;
mod worker_pool;
mod worker_totals;

use std::process::ExitCode;

use clap::Parser;

use cli::{CommandLine, WindrowCommand};

fn main() -> ExitCode {
    let cli = CommandLine::parse();
    logging::start(cli.verbose, cli.log_format);
    let outcome = match cli.command {
        WindrowCommand::Run(args) => commands::run::run(&args),
        WindrowCommand::Replay(args) => commands::replay::run(&args),
        WindrowCommand::Check(args) => commands::check::run(&args),
        WindrowCommand::Generate(args) => commands::generate::run(&args),
        WindrowCommand::Demo(args) => commands::demo::run(&args),
        WindrowCommand::Features(args) => commands::features::run(&args),
        WindrowCommand::KafkaUi(args) => commands::kafka_ui::run(&args),
        WindrowCommand::Savepoint(args) => commands::savepoint::run(&args),
        WindrowCommand::State(args) => commands::state::run(&args),
    };
    outcome.map_or_else(|failure| failure.report(), ExitCode::from)
}
