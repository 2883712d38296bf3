//! Computes the rhythms of users: the pause between two clicks, the length of a session, and the rest between two
//! sessions.
//!
//! The constants describe human users, but the settings may require more clicks than human users make. For example, 500
//! users produce 20 events per second only if each user clicks every 25 s on average. In such a case, pauses become
//! shorter until at most a fifth of the users are in a session at the same time. Sessions become longer until users
//! have time to rest between two sessions.

use crate::settings::GeneratorSettings;

/// The upper limit of the mean pause of a common user between two clicks. The mean pause has this length unless the
/// events per second require a shorter pause.
const MAX_MEAN_CLICK_PAUSE_MS: f64 = 35_000.0;
/// The lower limit of the mean number of product views in a session of a common user. The mean has this value unless
/// the events per second require more views.
const MIN_MEAN_VIEWS_PER_SESSION: f64 = 6.0;
/// The upper limit of the mean number of product views in a session.
const MAX_MEAN_VIEWS_PER_SESSION: f64 = 100.0;
/// The upper limit of the minimum rest of a user after a session. The minimum rest has this length unless the events
/// per second require a shorter rest. The limit is a little longer than 10 minutes. After a gap of 10 minutes, the
/// pipeline that is shipped with Windrow ends a session window.
const MAX_MINIMUM_REST_MS: f64 = 630_000.0;
/// The upper limit of the share of users who are in a session at the same time.
const MAX_SHARE_OF_USERS_IN_SESSION: f64 = 0.2;
/// The upper limit of the share of a user's time that sessions and minimum rests take together.
const MAX_TIME_SHARE_OF_SESSIONS_AND_RESTS: f64 = 0.5;

/// The rhythm of one group of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShoppingRhythm {
    /// The mean pause between two clicks of a session.
    pub(crate) mean_pause_ms: u32,
    /// The mean number of product views in a session.
    pub(crate) mean_views_per_session: u32,
}

/// The rhythms of the three groups of users. Users with smaller numbers belong to more active groups.
#[derive(Debug)]
pub(crate) struct ShoppingRhythms {
    devoted_users_rhythm: (u32, ShoppingRhythm),
    keen_users_rhythm: (u32, ShoppingRhythm),
    common_users_rhythm: ShoppingRhythm,
    minimum_rest_ms: u32,
}

impl ShoppingRhythms {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "all are clamped to small bounds")]
    pub(crate) fn new(settings: &GeneratorSettings) -> Self {
        let users = settings.user_count;
        let per_user_ms = settings.events_per_second / 1000.0 / f64::from(users);
        let pause_ms = (MAX_SHARE_OF_USERS_IN_SESSION / per_user_ms).clamp(1.0, MAX_MEAN_CLICK_PAUSE_MS);
        // A session and the following rest take the time views × pause + rest, and produce about one click per view.
        // Sessions and minimum rests may take at most half of a user's time. So the users could produce twice the
        // requested events per second.
        let room = MAX_TIME_SHARE_OF_SESSIONS_AND_RESTS / per_user_ms - pause_ms;
        let views = (MAX_MINIMUM_REST_MS / room).clamp(MIN_MEAN_VIEWS_PER_SESSION, MAX_MEAN_VIEWS_PER_SESSION);
        let rest_ms = (views * room).clamp(0.0, MAX_MINIMUM_REST_MS);
        let rhythm = |faster: f64, longer: f64| ShoppingRhythm {
            mean_pause_ms: (pause_ms / faster).max(1.0) as u32,
            mean_views_per_session: (views * longer).min(MAX_MEAN_VIEWS_PER_SESSION) as u32,
        };
        Self {
            devoted_users_rhythm: (users / 50, rhythm(4.0, 10.0)),
            keen_users_rhythm: (users / 10, rhythm(2.0, 3.0)),
            common_users_rhythm: rhythm(1.0, 1.0),
            minimum_rest_ms: rest_ms as u32,
        }
    }

    pub(crate) fn rhythm_for_user(&self, user: u32) -> ShoppingRhythm {
        [self.devoted_users_rhythm, self.keen_users_rhythm]
            .into_iter()
            .find(|(end, _)| user < *end)
            .map_or(self.common_users_rhythm, |(_, rhythm)| rhythm)
    }

    pub(crate) fn minimum_rest_ms(&self) -> u32 {
        self.minimum_rest_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rhythms(user_count: u32, events_per_second: f64) -> ShoppingRhythms {
        ShoppingRhythms::new(&GeneratorSettings { user_count, events_per_second, ..GeneratorSettings::default() })
    }

    #[test]
    fn with_room_shoppers_are_human() {
        let rhythms = rhythms(200_000, 555.0);
        assert_eq!(
            rhythms.rhythm_for_user(199_999),
            ShoppingRhythm { mean_pause_ms: 35_000, mean_views_per_session: 6 }
        );
        assert_eq!(rhythms.rhythm_for_user(0), ShoppingRhythm { mean_pause_ms: 8_750, mean_views_per_session: 60 });
        assert_eq!(rhythms.minimum_rest_ms(), 630_000);
    }

    #[test]
    fn a_crowded_shop_still_lets_session_windows_close() {
        let rhythms = rhythms(500, 20.0);
        assert!(rhythms.minimum_rest_ms() > 600_000, "rest {} ms", rhythms.minimum_rest_ms());
        assert!(rhythms.rhythm_for_user(499).mean_pause_ms >= 4_000);
    }

    #[test]
    fn the_impossible_is_squeezed_in() {
        let rhythms = rhythms(1, 10_000_000.0);
        assert_eq!(rhythms.rhythm_for_user(0).mean_pause_ms, 1);
        assert_eq!(rhythms.minimum_rest_ms(), 0);
    }
}
