//! Tests that single users and all users together behave plausibly. All streams are generated without disorder.

use std::collections::{BTreeMap, HashMap, HashSet};

use windrow_generator::GeneratorSettings;

use crate::event::{Event, EventType};
use crate::generator;

const GAP_MS: i64 = 10 * 60 * 1000;

/// Returns the sessions of each user. A session ends after 10 minutes without an event of the user.
fn sessions(settings: GeneratorSettings, count: usize) -> HashMap<String, Vec<Vec<Event>>> {
    let mut generator = generator(settings);
    let mut users: HashMap<String, Vec<Vec<Event>>> = HashMap::new();
    for _ in 0..count {
        let event = Event::parse(generator.next()).expect("none is malformed");
        let sessions = users.entry(event.user_id.clone()).or_default();
        match sessions.last_mut() {
            Some(session) if session.last().is_some_and(|last| event.time_ms - last.time_ms <= GAP_MS) => {
                session.push(event);
            }
            _ => sessions.push(vec![event]),
        }
    }
    users
}

fn median(mut numbers: Vec<i64>) -> i64 {
    numbers.sort_unstable();
    numbers[numbers.len() / 2]
}

#[test]
fn products_are_viewed_then_carted_then_purchased() {
    let users = sessions(
        GeneratorSettings { user_count: 5_000, events_per_second: 20.0, ..GeneratorSettings::default() },
        200_000,
    );
    let mut count: BTreeMap<EventType, u32> = BTreeMap::new();
    for session in users.values().flatten() {
        let (mut viewed, mut in_cart) = (HashSet::new(), Vec::new());
        assert_eq!(session[0].event_type, EventType::View, "{:?}", session[0]);
        for event in session {
            *count.entry(event.event_type).or_default() += 1;
            match event.event_type {
                EventType::View => {
                    viewed.insert(event.price_cents);
                }
                EventType::Cart => {
                    assert!(viewed.contains(&event.price_cents), "carted without a view: {event:?}");
                    in_cart.push(event.price_cents);
                }
                EventType::Purchase => {
                    let place = in_cart.iter().position(|price| *price == event.price_cents);
                    in_cart.swap_remove(place.unwrap_or_else(|| panic!("purchased without a cart: {event:?}")));
                }
            }
        }
    }
    let (views, carts, purchases) = (count[&EventType::View], count[&EventType::Cart], count[&EventType::Purchase]);
    assert!((4 * carts..20 * carts).contains(&views), "{views} views, {carts} carts");
    assert!((carts / 5..carts * 2 / 3).contains(&purchases), "{carts} carts, {purchases} purchases");
}

#[test]
fn few_users_make_many_of_the_events_and_nearly_all_users_appear() {
    let users = sessions(
        GeneratorSettings {
            user_count: 20_000,
            events_per_second: 400_000.0 / 7_200.0,
            ..GeneratorSettings::default()
        },
        400_000,
    );
    assert!(users.len() > 19_800, "{} of 20,000 users appear", users.len());
    let mut events: Vec<usize> = users.values().map(|sessions| sessions.iter().map(Vec::len).sum()).collect();
    events.sort_unstable_by(|a, b| b.cmp(a));
    let top: usize = events[..200].iter().sum();
    assert!((40_000..120_000).contains(&top), "the top 1 % made {top} of 400,000 events");
    assert!(events[10_000] < 20, "the median user made {} events", events[10_000]);
    assert!(users["u1"].iter().map(Vec::len).sum::<usize>() > 100, "u1 is among the most active");
}

#[test]
fn shoppers_pause_between_clicks_and_come_back_after_the_gap() {
    let crowded = GeneratorSettings { user_count: 500, events_per_second: 20.0, ..GeneratorSettings::default() };
    let roomy = GeneratorSettings { user_count: 5_000, events_per_second: 20.0, ..GeneratorSettings::default() };
    for (settings, usual_pause_ms) in [(crowded, 1_000..10_000), (roomy, 5_000..40_000)] {
        let users = sessions(settings, 144_000);
        let pauses = users.values().flatten().flat_map(|session| {
            session.windows(2).map(|pair| pair[1].time_ms - pair[0].time_ms).filter(|pause_ms| *pause_ms > 0)
        });
        let pause_ms = median(pauses.collect());
        assert!(usual_pause_ms.contains(&pause_ms), "the median pause is {pause_ms} ms");
        let back = users.values().filter(|sessions| sessions.len() > 1).count();
        assert!(back * 2 > users.len(), "{back} of {} users came back after 10 minutes", users.len());
        let longest =
            users.values().flatten().map(|session| session.last().unwrap().time_ms - session[0].time_ms).max();
        assert!(longest < Some(7_200_000 * 9 / 10), "a session that hardly ends: {longest:?} ms");
    }
}

#[test]
fn prices_have_a_believable_range() {
    let users = sessions(
        GeneratorSettings { user_count: 100, events_per_second: 20.0, ..GeneratorSettings::default() },
        50_000,
    );
    let prices: Vec<i64> = users.values().flatten().flatten().map(|event| i64::from(event.price_cents)).collect();
    assert!(prices.iter().all(|price| (100..500_000).contains(price)));
    assert!((1_000..6_000).contains(&median(prices.clone())));
    assert!(prices.iter().collect::<HashSet<_>>().len() > 1_000);
}
