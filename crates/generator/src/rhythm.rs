//! How fast shoppers click, how long they stay and how long they stay away.
//!
//! The rate and the number of users leave only so much room: at 20 events per second, 500 users click every 25 s on
//! average, day and night. So the human rhythm below bends to what is asked for: pauses shrink until at most a fifth of
//! the users shop at once, and sessions grow until the users have time to rest between them.

use crate::settings::GeneratorSettings;

/// Mean pause between two clicks where there is room for it.
const MAX_MEAN_PAUSE_MS: f64 = 35_000.0;
/// Mean number of views in a session where there is room for so few.
const MIN_MEAN_VIEWS: f64 = 6.0;
/// Most views that the mean session may grow to.
const MAX_MEAN_VIEWS: f64 = 100.0;
/// Shortest rest after a session where there is room for it: just over the 10 minutes that close a session window.
const MAX_SHORTEST_REST_MS: f64 = 630_000.0;
/// Share of the users that may shop at the same time.
const MAX_BUSY_SHARE: f64 = 0.2;
/// Share of its time that a user may spend on shopping and the shortest rest together.
const MAX_TAKEN_SHARE: f64 = 0.5;

/// The rhythm of one group of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShoppingRhythm {
    /// Mean pause between two clicks.
    pub(crate) pause_ms: u32,
    /// Mean number of views in a session.
    pub(crate) views: u32,
}

/// The rhythms of all users: the lower its number, the more devoted a user is.
#[derive(Debug)]
pub(crate) struct ShoppingRhythms {
    devoted: (u32, ShoppingRhythm),
    keen: (u32, ShoppingRhythm),
    common: ShoppingRhythm,
    rest_ms: u32,
}

impl ShoppingRhythms {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "all are held between small bounds")]
    pub(crate) fn new(settings: &GeneratorSettings) -> Self {
        let users = settings.users;
        let per_user_ms = settings.rate / 1000.0 / f64::from(users);
        let pause_ms = (MAX_BUSY_SHARE / per_user_ms).clamp(1.0, MAX_MEAN_PAUSE_MS);
        // A cycle of views × pause + rest has views ÷ cycle clicks per ms; twice as many must fit as are asked for.
        let room = MAX_TAKEN_SHARE / per_user_ms - pause_ms;
        let views = (MAX_SHORTEST_REST_MS / room).clamp(MIN_MEAN_VIEWS, MAX_MEAN_VIEWS);
        let rest_ms = (views * room).clamp(0.0, MAX_SHORTEST_REST_MS);
        let rhythm = |faster: f64, longer: f64| ShoppingRhythm {
            pause_ms: (pause_ms / faster).max(1.0) as u32,
            views: (views * longer).min(MAX_MEAN_VIEWS) as u32,
        };
        Self {
            devoted: (users / 50, rhythm(4.0, 10.0)),
            keen: (users / 10, rhythm(2.0, 3.0)),
            common: rhythm(1.0, 1.0),
            rest_ms: rest_ms as u32,
        }
    }

    pub(crate) fn for_user(&self, user: u32) -> ShoppingRhythm {
        [self.devoted, self.keen].into_iter().find(|(end, _)| user < *end).map_or(self.common, |(_, rhythm)| rhythm)
    }

    /// Shortest time between two sessions of a user.
    pub(crate) fn shortest_rest_ms(&self) -> u32 {
        self.rest_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rhythms(users: u32, rate: f64) -> ShoppingRhythms {
        ShoppingRhythms::new(&GeneratorSettings { users, rate, ..GeneratorSettings::default() })
    }

    #[test]
    fn with_room_shoppers_are_human() {
        let rhythms = rhythms(200_000, 555.0);
        assert_eq!(rhythms.for_user(199_999), ShoppingRhythm { pause_ms: 35_000, views: 6 });
        assert_eq!(rhythms.for_user(0), ShoppingRhythm { pause_ms: 8_750, views: 60 });
        assert_eq!(rhythms.shortest_rest_ms(), 630_000);
    }

    #[test]
    fn a_crowded_shop_still_lets_session_windows_close() {
        let rhythms = rhythms(500, 20.0);
        assert!(rhythms.shortest_rest_ms() > 600_000, "rest {} ms", rhythms.shortest_rest_ms());
        assert!(rhythms.for_user(499).pause_ms >= 4_000);
    }

    #[test]
    fn the_impossible_is_squeezed_in() {
        let rhythms = rhythms(1, 10_000_000.0);
        assert_eq!(rhythms.for_user(0).pause_ms, 1);
        assert_eq!(rhythms.shortest_rest_ms(), 0);
    }
}
