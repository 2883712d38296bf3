//! Where the backlog of `windrow generate` begins in a topic that already holds events.
//!
//! Events that are older than the topic's newest event would be late for a job that has read the topic. So the backlog
//! begins after the newest event. Owns: this choice, and the lines on stderr about it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use windrow_connectors::job::create_event_decoder;
use windrow_connectors::kafka::TopicIdentity;
use windrow_connectors::kafka::browse::{BrowseError, read_newest_records};
use windrow_core::EventTime;
use windrow_engine::{EventDecoder, Partition, StopSignal};
use windrow_spec::Pipeline;

use super::BacklogSpan;
use crate::exit::{CommandFailure, ExitStatus};
use crate::format::{format_duration_ms, format_event_time};
use crate::print;

/// An event at most this far after the end of the backlog counts as present. It was sent while the topic was read, or by
/// a machine whose clock is ahead.
const CLOCK_TOLERANCE_MS: i64 = 60_000;

/// Returns the part of `requested` that comes after the newest event of `topic`. Writes a line to stderr that says what
/// was chosen. Events in the future do not count, but are mentioned: without this rule, a single event with a wrong date
/// would end all sample traffic. Ends early if `stop` is requested.
pub(super) fn continue_after_newest_event(
    pipeline: &Pipeline,
    topic: &TopicIdentity,
    requested: BacklogSpan,
    stop: &StopSignal,
) -> Result<BacklogSpan, CommandFailure> {
    let mut newest = NewestEvents::new(requested.end_ms);
    let decoder = create_event_decoder(pipeline);
    let brokers = &pipeline.source.kafka().brokers;
    let read = read_newest_records(brokers, &topic.name, topic.partition_count, stop, |partition, payload| {
        newest.add_record(&decoder, partition, payload)
    });
    match read {
        Ok(()) => {}
        Err(BrowseError::Unreachable(reason)) => {
            return Err(CommandFailure::new(ExitStatus::NotReachable, format!("error: {reason}")));
        }
        Err(error) => {
            let whole = format_duration_ms(requested.length_ms());
            print::write_stderr_line(&format!("backlog: {whole}; the newest event of the topic is unknown: {error}"));
            return Ok(requested);
        }
    }
    for (partition, time) in &newest.future_event_times {
        print::write_stderr_line(&format!(
            "warning: partition {partition} of topic {} holds an event of {}, {} in the future; until then, other events \
             of this partition may be late",
            topic.name,
            format_event_time(*time),
            format_duration_ms(time.ms() - requested.end_ms),
        ));
    }
    let chosen = requested.after(newest.latest_past_event_time);
    print::write_stderr_line(&describe_choice(&topic.name, newest.latest_past_event_time, requested, chosen));
    Ok(chosen)
}

/// The newest events of a topic, in relation to the end of the backlog.
struct NewestEvents {
    backlog_end_ms: i64,
    latest_past_event_time: Option<EventTime>,
    /// The largest event time in the future, for each partition that has one.
    future_event_times: BTreeMap<Partition, EventTime>,
}

impl NewestEvents {
    fn new(backlog_end_ms: i64) -> Self {
        Self { backlog_end_ms, latest_past_event_time: None, future_event_times: BTreeMap::new() }
    }

    /// Takes a record into account. Returns `Break` if it is an event that ends the search in its partition: an event
    /// that is not in the future.
    fn add_record(&mut self, decoder: &EventDecoder, partition: Partition, payload: Option<&[u8]>) -> ControlFlow<()> {
        let Some(time) = decoder.decode_event_time(payload) else { return ControlFlow::Continue(()) };
        if time.ms() > self.backlog_end_ms + CLOCK_TOLERANCE_MS {
            let largest = self.future_event_times.entry(partition).or_insert(time);
            *largest = time.max(*largest);
            return ControlFlow::Continue(());
        }
        self.latest_past_event_time = self.latest_past_event_time.max(Some(time));
        ControlFlow::Break(())
    }
}

fn describe_choice(topic: &str, newest: Option<EventTime>, requested: BacklogSpan, chosen: BacklogSpan) -> String {
    let length = format_duration_ms(chosen.length_ms());
    match newest {
        None => format!("backlog: {length}; topic {topic} holds no earlier event"),
        Some(newest) if chosen == requested => {
            format!("backlog: {length}; the newest event of topic {topic} is older ({})", format_event_time(newest))
        }
        Some(newest) => {
            format!("backlog: {length}, after the newest event of topic {topic} ({})", format_event_time(newest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTED: BacklogSpan = BacklogSpan { start_ms: 1_000_000, end_ms: 8_200_000 };

    fn choose(newest_ms: Option<i64>) -> (BacklogSpan, String) {
        let newest = newest_ms.map(EventTime::from_ms);
        let chosen = REQUESTED.after(newest);
        (chosen, describe_choice("t", newest, REQUESTED, chosen))
    }

    #[test]
    fn the_backlog_begins_after_the_newest_event() {
        let (chosen, line) = choose(Some(8_140_000));
        assert_eq!(chosen, BacklogSpan { start_ms: 8_140_001, end_ms: 8_200_000 });
        assert_eq!(line, "backlog: 60.0 s, after the newest event of topic t (1970-01-01T02:15:40Z)");
    }

    #[test]
    fn an_older_event_or_none_leaves_the_whole_backlog() {
        for (newest, line) in [
            (None, "backlog: 2 h; topic t holds no earlier event"),
            (Some(5), "backlog: 2 h; the newest event of topic t is older (1970-01-01T00:00:00.005Z)"),
        ] {
            assert_eq!(choose(newest), (REQUESTED, line.to_owned()));
        }
    }

    #[test]
    fn events_are_spread_over_the_requested_span() {
        for (newest_ms, share) in [(8_140_000, 833), (8_199_998, 0), (8_200_000, 0), (0, 100_000)] {
            let chosen = REQUESTED.after(Some(EventTime::from_ms(newest_ms)));
            assert_eq!(chosen.share_of(100_000, REQUESTED), share, "{newest_ms}");
        }
    }

    #[test]
    fn an_event_at_the_end_leaves_no_backlog() {
        let (chosen, line) = choose(Some(REQUESTED.end_ms));
        assert_eq!((chosen.start_ms, chosen.length_ms()), (REQUESTED.end_ms, 0));
        assert!(line.starts_with("backlog: 0 ms, after"), "{line}");
    }
}
