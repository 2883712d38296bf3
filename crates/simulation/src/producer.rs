//! The producers: they write events in bursts, out of order, some of them late or malformed.

use std::time::Duration;

use windrow_engine::Partition;

use crate::services::SimulatedServices;

/// The number of users per partition.
const USERS_PER_PARTITION: u64 = 4;
/// A record that is no event.
pub(crate) const MALFORMED_PAYLOAD: &str = "no event";
/// The event time of the first events, in epoch milliseconds.
const FIRST_EVENT_TIME_MS: i64 = 1_600_000_000_000;

/// Writes records until its end.
#[derive(Debug)]
pub(crate) struct RecordProducer {
    next_record_at: Option<Duration>,
    ends_at: Duration,
    next_number: u64,
}

impl RecordProducer {
    pub(crate) const fn ending_at(ends_at: Duration) -> Self {
        Self { next_record_at: Some(Duration::ZERO), ends_at, next_number: 0 }
    }

    pub(crate) const fn next_record_at(&self) -> Option<Duration> {
        self.next_record_at
    }

    /// Writes the records that are due.
    pub(crate) fn produce_due_records(&mut self, services: &SimulatedServices) {
        let now = services.core.now();
        while let Some(at) = self.next_record_at.filter(|at| *at <= now) {
            for _ in 0..=services.core.choose_at_random(|random| random.number_below(6)) {
                self.produce_record(services);
            }
            let next = at + services.core.duration_between_ms(20, 600);
            self.next_record_at = (next < self.ends_at).then_some(next);
        }
    }

    /// Writes one record. Event time runs faster than virtual time, so that windows fire often.
    fn produce_record(&mut self, services: &SimulatedServices) {
        let partition = services.choose_partition();
        self.produce_record_to(services, partition);
    }

    /// Writes one record to `partition`.
    pub(crate) fn produce_record_to(&mut self, services: &SimulatedServices, partition: Partition) {
        let number = self.next_number;
        self.next_number += 1;
        let choose = |end: u64| services.core.choose_at_random(|random| random.number_below(end));
        let user = format!("p{partition}u{}", choose(USERS_PER_PARTITION));
        let elapsed_ms = i64::try_from(services.core.now().as_millis()).unwrap_or(0) * 8;
        let late_by_ms = i64::try_from(if choose(20) == 0 { choose(90_000) } else { choose(8_000) }).unwrap_or(0);
        let event_time_ms = FIRST_EVENT_TIME_MS + elapsed_ms - late_by_ms;
        let payload = if choose(50) == 0 {
            MALFORMED_PAYLOAD.to_owned()
        } else {
            format!(r#"{{"user_id":"{user}","event_time":{event_time_ms},"number":{number}}}"#)
        };
        services.produce_record(partition, &user, payload.into_bytes());
    }
}
