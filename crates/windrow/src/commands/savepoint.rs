//! `windrow savepoint`: a copy of a running pipeline's state, in a place of its own.

use std::time::Instant;

use indicatif::ProgressBar;
use jiff::Timestamp;
use serde_json::json;
use windrow_engine::Stop;
use windrow_engine::checkpoint::{default_savepoint, savepoint, segment};

use crate::cli::SavepointArgs;
use crate::exit::{Exit, Failure};
use crate::state_place::{StatePlace, random_digits};
use crate::status::{bytes, plural, span};
use crate::{pipeline_file, print, progress, signals};

pub(crate) fn run(args: &SavepointArgs) -> Result<Exit, Failure> {
    let pipeline = pipeline_file::load(args.pipeline.pipeline.as_deref(), &args.pipeline.set.overrides)?;
    let stop = Stop::default();
    signals::handle(&stop)?;
    let place = StatePlace::of(&pipeline)?;
    let id = format!("{}-{}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ"), random_digits(4)?);
    let to = match &args.to {
        None => format!("{}/{}", place.name(), default_savepoint(&id)),
        // Opened, a relative path is absolute: the processes that write there have other working directories.
        Some(to) => {
            let to = place.open(to)?;
            format!("{}/savepoint-{}-{id}", to.place().trim_end_matches('/'), segment(&pipeline.name))
        }
    };
    let to = place.open(&to)?;

    let began = Instant::now();
    let bar = progress::bar(0, "{bar:40} {pos}/{len} partitions saved {elapsed}");
    let taken = savepoint::take(&*place.store, &*to, &id, args.timeout, &stop, |saved, all| show(&bar, saved, all));
    bar.finish_and_clear();
    let content = taken.map_err(|halt| {
        let failure = Failure::from(halt);
        if stop.requested() { failure.with(Exit::Partial) } else { failure }
    })?;
    let took = began.elapsed();
    let partitions = content.partitions.len() as u64;
    if args.json {
        let said = json!({
            "id": content.id,
            "location": to.place(),
            "pipeline": content.pipeline,
            "topic": content.topic,
            "partitions": partitions,
            "bytes": content.bytes,
            "took_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        });
        print::data(&format!("{said:#}\n"))?;
    } else {
        print::data(&format!("{}\n", to.place()))?;
    }
    print::note(&format!(
        "savepoint {} of pipeline {}: {}, {} in {}. Begin from it with `windrow run --from {}`",
        content.id,
        content.pipeline,
        plural(partitions, "partition"),
        bytes(content.bytes),
        span(took),
        to.place()
    ));
    Ok(Exit::Success)
}

fn show(bar: &ProgressBar, saved: usize, all: usize) {
    bar.set_length(all as u64);
    bar.set_position(saved as u64);
}
