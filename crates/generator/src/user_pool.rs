//! Chooses the user who starts the next session.
//!
//! Invariants:
//! 1. A user is in at most one session at a time, and rests after each session.
//! 2. For some sessions, the user is chosen in rounds. In each round, every user is chosen once, in a new random order.
//!    So every user produces events at some time. For the other sessions, the user is drawn by a power law, so few
//!    users produce many events.

use crate::random::{Probability, RandomStream};

/// The probability that the user of a new session is drawn by a power law instead of by rounds.
const POWER_LAW_PROBABILITY: Probability = Probability::from_percent(40.0);
/// The maximum number of draws in the search for a rested user.
const MAX_DRAWS_FOR_RESTED_USER: usize = 8;
/// The value in `rests_until_ms` for a user who is in a session.
const REST_END_WHILE_IN_SESSION: u64 = u64::MAX;

/// All users, with the time at which the rest of each user ends.
#[derive(Debug)]
pub(crate) struct UserPool {
    user_count: u32,
    /// The numbers of all users. The users before the index `round_position` are already chosen in the current round.
    round_order: Box<[u32]>,
    round_position: u32,
    /// For each user, the end of the rest in ms since the start of the stream.
    rests_until_ms: Box<[u64]>,
}

impl UserPool {
    pub(crate) fn new(user_count: u32) -> Self {
        Self {
            user_count,
            round_order: (0..user_count).collect(),
            round_position: 0,
            rests_until_ms: vec![0; user_count as usize].into(),
        }
    }

    /// Chooses a user whose rest has ended, and marks the user as being in a session. Returns `None` if all users that
    /// were drawn are resting or in a session.
    pub(crate) fn start_session(&mut self, now_ms: u64, random: &mut RandomStream) -> Option<u32> {
        let by_power_law = random.draw_bool(POWER_LAW_PROBABILITY);
        let draw_by_power_law = |pool: &mut Self, random: &mut RandomStream| random.draw_power_law(pool.user_count);
        let user = by_power_law.then(|| self.find_rested_user(now_ms, random, draw_by_power_law)).flatten();
        let user = user.or_else(|| self.find_rested_user(now_ms, random, Self::next_user_in_round))?;
        Some(self.mark_in_session(user))
    }

    /// Chooses a user, who may still be resting, and marks the user as being in a session. The caller must ensure that
    /// no user is in a session.
    pub(crate) fn start_session_despite_rest(&mut self, random: &mut RandomStream) -> u32 {
        let user = self.next_user_in_round(random);
        self.mark_in_session(user)
    }

    /// Marks the user as resting until `rests_until_ms`, in ms since the start of the stream.
    pub(crate) fn end_session(&mut self, user: u32, rests_until_ms: u64) {
        self.rests_until_ms[user as usize] = rests_until_ms;
    }

    fn mark_in_session(&mut self, user: u32) -> u32 {
        self.rests_until_ms[user as usize] = REST_END_WHILE_IN_SESSION;
        user
    }

    /// Draws users with `draw_user` until a drawn user is neither resting nor in a session. Returns `None` after
    /// [`MAX_DRAWS_FOR_RESTED_USER`] draws.
    fn find_rested_user(
        &mut self,
        now_ms: u64,
        random: &mut RandomStream,
        draw_user: impl Fn(&mut Self, &mut RandomStream) -> u32,
    ) -> Option<u32> {
        (0..MAX_DRAWS_FOR_RESTED_USER).find_map(|_| {
            let user = draw_user(self, random);
            (self.rests_until_ms[user as usize] <= now_ms).then_some(user)
        })
    }

    /// Chooses the next user of the current round by one step of a Fisher–Yates shuffle.
    fn next_user_in_round(&mut self, random: &mut RandomStream) -> u32 {
        let left = self.user_count - self.round_position;
        let (turn, other) = (self.round_position as usize, (self.round_position + random.draw_below(left)) as usize);
        self.round_order.swap(turn, other);
        self.round_position = if left == 1 { 0 } else { self.round_position + 1 };
        self.round_order[turn]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random() -> RandomStream {
        let [random] = RandomStream::derive_streams_from_seed(3);
        random
    }

    #[test]
    fn a_round_asks_everybody_once() {
        let (mut pool, mut random) = (UserPool::new(100), random());
        for _ in 0..3 {
            let mut users: Vec<u32> = (0..100).map(|_| pool.next_user_in_round(&mut random)).collect();
            assert!(!users.is_sorted());
            users.sort_unstable();
            assert_eq!(users, (0..100).collect::<Vec<u32>>());
        }
    }

    #[test]
    fn nobody_comes_twice_or_unrested() {
        let (mut pool, mut random) = (UserPool::new(1), random());
        assert_eq!(pool.start_session(0, &mut random), Some(0));
        assert_eq!(pool.start_session(0, &mut random), None);
        pool.end_session(0, 50);
        assert_eq!(pool.start_session(49, &mut random), None);
        assert_eq!(pool.start_session(50, &mut random), Some(0));
    }
}
