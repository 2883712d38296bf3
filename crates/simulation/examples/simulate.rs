//! Simulates seeds one after another, and ends at the first that breaks a promise.
//!
//! usage: simulate [FIRST_SEED [COUNT]] | simulate --trace SEED

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for developers")]
#![expect(clippy::disallowed_methods, reason = "it measures the seeds per second of real time")]

use std::process::ExitCode;
use std::time::Instant;

use windrow_simulation::{TraceMode, simulate_seed};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default| arguments.get(index).and_then(|text| text.parse().ok()).unwrap_or(default);
    if arguments.first().is_some_and(|first| first == "--trace") {
        return print_trace(number(1, 0));
    }
    let (first, count) = (number(0, 0), number(1, u64::MAX));
    let began = Instant::now();
    for seed in first..first.saturating_add(count) {
        match simulate_seed(seed, TraceMode::Off) {
            Ok(report) if report.violation.is_none() => {}
            _ => {
                eprintln!("seed {seed} after {} seeds and {:?}", seed - first + 1, began.elapsed());
                return print_trace(seed);
            }
        }
        let done = seed - first + 1;
        if done.is_multiple_of(1_000) {
            eprintln!("{done} seeds, {:?} each", began.elapsed() / u32::try_from(done).unwrap_or(u32::MAX));
        }
    }
    eprintln!("{count} seeds kept all promises, {:?}", began.elapsed());
    ExitCode::SUCCESS
}

fn print_trace(seed: u64) -> ExitCode {
    match simulate_seed(seed, TraceMode::Recorded) {
        Ok(report) => {
            print!("{}", report.trace);
            println!("seed {seed}: {:?} {:?} {:?}", report.violation, report.counts, report.simulated);
            if report.violation.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(mistake) => {
            eprintln!("{mistake}");
            ExitCode::FAILURE
        }
    }
}
