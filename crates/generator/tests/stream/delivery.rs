//! Tests of the order of events, of disorder and late events, and of the events per second.

use proptest::prelude::*;
use windrow_generator::{EventGenerator, GeneratorSettings};

use crate::event::Event;
use crate::generator;

fn any_settings() -> impl Strategy<Value = GeneratorSettings> {
    let rate = (-3.0..6.0f64).prop_map(|exponent| 10f64.powf(exponent));
    (1..2_000u32, any::<u64>(), -1_000_000_000_000..4_000_000_000_000i64, rate, 0..20_000i64).prop_map(
        |(user_count, seed, start_ms, events_per_second, disorder_ms)| GeneratorSettings {
            user_count,
            seed,
            start_ms,
            events_per_second,
            disorder_ms,
            late_percent: 0.0,
            malformed_percent: 0.0,
        },
    )
}

/// Returns the next `count` events with their times of arrival.
fn take(generator: &mut EventGenerator, count: usize) -> Vec<(i64, Event)> {
    (0..count)
        .map(|_| {
            let generated = generator.next();
            (generated.arrival_ms, Event::parse(generated).expect("none is malformed"))
        })
        .collect()
}

proptest! {
    #[test]
    fn no_event_is_further_behind_than_the_disorder(settings in any_settings()) {
        let mut latest_ms = i64::MIN;
        let mut last_due_ms = settings.start_ms;
        for (due_ms, event) in take(&mut generator(settings), 3_000) {
            prop_assert!(due_ms >= last_due_ms, "due at {due_ms} after {last_due_ms}");
            prop_assert!((settings.start_ms..=due_ms).contains(&event.time_ms));
            prop_assert!(event.time_ms >= latest_ms.saturating_sub(settings.disorder_ms));
            latest_ms = latest_ms.max(event.time_ms);
            last_due_ms = due_ms;
        }
    }

    #[test]
    fn late_and_malformed_events_change_neither_who_comes_nor_when(settings in any_settings()) {
        let troubled = GeneratorSettings { late_percent: 10.0, malformed_percent: 10.0, ..settings };
        let (mut plain, mut troubled) = (generator(settings), generator(troubled));
        for _ in 0..1_000 {
            let (plain, troubled) = (plain.next(), troubled.next());
            prop_assert_eq!((plain.arrival_ms, plain.record_key), (troubled.arrival_ms, troubled.record_key));
        }
    }
}

#[test]
fn disorder_changes_the_order_of_arrival_and_nothing_else() {
    let ordered = GeneratorSettings { user_count: 500, events_per_second: 20.0, ..GeneratorSettings::default() };
    let disordered = take(&mut generator(GeneratorSettings { disorder_ms: 9_000, ..ordered }), 20_000);
    let ordered: Vec<Event> = take(&mut generator(ordered), 20_000).into_iter().map(|(_, event)| event).collect();
    assert!(ordered.is_sorted_by_key(|event| event.time_ms));

    let all_arrived_ms = disordered.last().unwrap().0 - 9_000;
    let mut arrived: Vec<Event> = disordered.into_iter().map(|(_, event)| event).collect();
    let overtaken = arrived.windows(2).filter(|pair| pair[1].time_ms < pair[0].time_ms).count();
    assert!(overtaken > 5_000, "only {overtaken} of 20,000 events were overtaken");
    arrived.sort();
    arrived.retain(|event| event.time_ms < all_arrived_ms);
    assert!(arrived.len() > 19_000);
    assert_eq!(arrived, ordered[..arrived.len()]);
}

#[test]
fn events_happen_exactly_at_the_rate_from_the_start_on() {
    assert_eq!(
        take(&mut generator(GeneratorSettings { events_per_second: 0.01, ..GeneratorSettings::default() }), 1)[0].0,
        1_704_067_200_000
    );
    let settings =
        GeneratorSettings { user_count: 500, events_per_second: 4_000_000.0 / 7_200.0, ..GeneratorSettings::default() };
    for (number, (due_ms, event)) in (0i64..).zip(take(&mut generator(settings), 100_000)) {
        let slot_ms = |number: i64| settings.start_ms + number * 7_200_000 / 4_000_000;
        assert!((slot_ms(number)..=slot_ms(number + 1)).contains(&due_ms));
        assert_eq!(event.time_ms, due_ms);
    }
}

#[test]
fn the_late_share_is_late_by_11_seconds_to_2_hours() {
    let settings = GeneratorSettings {
        user_count: 500,
        events_per_second: 500.0,
        disorder_ms: 9_000,
        late_percent: 5.0,
        ..GeneratorSettings::default()
    };
    let mut latest_ms = i64::MIN;
    let mut ages_ms = Vec::new();
    for (due_ms, event) in take(&mut generator(settings), 200_000) {
        if event.time_ms < latest_ms.saturating_sub(10_000) {
            ages_ms.push(due_ms - event.time_ms);
        }
        latest_ms = latest_ms.max(event.time_ms);
    }
    assert!((9_500..10_500).contains(&ages_ms.len()), "{} of 200,000 are late", ages_ms.len());
    assert!(ages_ms.iter().all(|age_ms| (11_000..=7_200_000).contains(age_ms)));
    let within =
        |from: i64, to: i64| ages_ms.iter().filter(|&&age_ms| (from * 1000..to * 1000).contains(&age_ms)).count();
    assert!(within(11, 60) > 3_000 && within(60, 600) > 3_000 && within(600, 7_200) > 3_000);
}
