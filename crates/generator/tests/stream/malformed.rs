//! Tests of malformed events: there are as many as requested, with many kinds of flaws, and each is at most one line.

use std::collections::HashSet;

use windrow_generator::GeneratorSettings;

use crate::event::Event;
use crate::generator;

#[test]
fn the_malformed_share_is_malformed_in_every_way() {
    let settings = GeneratorSettings { disorder_ms: 9_000, malformed_percent: 2.0, ..GeneratorSettings::default() };
    let mut generator = generator(settings);
    let mut malformed = Vec::new();
    for _ in 0..200_000 {
        let event = generator.next();
        assert!(!event.payload.contains(&b'\n') && !event.payload.contains(&b'\r'));
        assert!(event.record_key.is_some_and(|key| key.starts_with(b"u")), "malformed ones have a key too");
        if Event::parse(event).is_none() {
            malformed.push(event.payload.to_vec());
        }
    }
    assert!((3_700..4_300).contains(&malformed.len()), "{} of 200,000 are malformed", malformed.len());

    let text: Vec<_> = malformed.iter().map(|payload| String::from_utf8_lossy(payload)).collect();
    let count = |of: &dyn Fn(&str) -> bool| text.iter().filter(|payload| of(payload)).count();
    let whole = |payload: &str| payload.starts_with("{\"event_t") && payload.ends_with('}');
    for (way, found) in [
        ("empty", count(&|payload| payload.is_empty())),
        ("truncated", count(&|payload| payload.starts_with('{') && !payload.ends_with('}'))),
        ("a brace too many", count(&|payload| payload.ends_with("}}") && !payload.contains("amount"))),
        ("no UTF-8", count(&|payload| payload.contains('\u{fffd}'))),
        ("no JSON at all", count(&|payload| payload.contains("Bad Gateway"))),
        ("no object", count(&|payload| payload == "null" || payload == "[]")),
        ("no time", count(&|payload| whole(payload) && payload.contains("yesterday"))),
        ("without time", count(&|payload| whole(payload) && !payload.contains("event_time"))),
        ("price of a wrong type", count(&|payload| payload.contains("\"price\":\""))),
        ("without user", count(&|payload| whole(payload) && !payload.contains("user_id"))),
        ("null user", count(&|payload| payload.contains("\"user_id\":null"))),
        ("two users", count(&|payload| payload.matches("user_id").count() == 2)),
        ("two prices", count(&|payload| payload.matches("price").count() == 2)),
    ] {
        assert!(found > 20, "{way}: {found}");
    }
    assert!(malformed.iter().collect::<HashSet<_>>().len() > 2_000);
}

#[test]
fn nothing_but_malformed_events_can_be_asked_for() {
    let mut generator = generator(GeneratorSettings { malformed_percent: 100.0, ..GeneratorSettings::default() });
    assert!((0..10_000).all(|_| Event::parse(generator.next()).is_none()));
}
