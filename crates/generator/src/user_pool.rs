//! The users, and the choice of the user who starts the next session.
//!
//! Invariants:
//! 1. A user is in at most one session at a time, and rests after each session.
//! 2. Some sessions go through all users in rounds, and each round is shuffled anew. So after enough events every user
//!    has appeared. The other sessions follow a power law, so few users cause many of the events.

use crate::random::{Probability, RandomStream};

/// The share of sessions that follows the power law.
const POWER_LAW_PROBABILITY: Probability = Probability::from_percent(40.0);
/// The number of draws without a rested user after which the pool counts as exhausted.
const MAX_RESTED_USER_DRAWS: usize = 8;
/// The end of the rest of a user who is in a session.
const IN_SESSION: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct UserPool {
    user_count: u32,
    /// All users. Those before `round_position` have been drawn in this round.
    round_order: Box<[u32]>,
    round_position: u32,
    /// The end of each user's rest, in ms since the start.
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

    /// Starts the session of a rested user. Returns `None` where all drawn users are in a session or resting.
    pub(crate) fn start_session(&mut self, now_ms: u64, random: &mut RandomStream) -> Option<u32> {
        let by_power_law = random.draw_bool(POWER_LAW_PROBABILITY);
        let draw_by_power_law = |pool: &mut Self, random: &mut RandomStream| random.draw_power_law(pool.user_count);
        let user = by_power_law.then(|| self.find_rested_user(now_ms, random, draw_by_power_law)).flatten();
        let user = user.or_else(|| self.find_rested_user(now_ms, random, Self::next_user_in_round))?;
        Some(self.mark_in_session(user))
    }

    /// Starts the session of a user who may still be resting. The caller ensures that no user is in a session.
    pub(crate) fn start_session_early(&mut self, random: &mut RandomStream) -> u32 {
        let user = self.next_user_in_round(random);
        self.mark_in_session(user)
    }

    /// Ends the user's session, after which the user rests.
    pub(crate) fn end_session(&mut self, user: u32, rests_until_ms: u64) {
        self.rests_until_ms[user as usize] = rests_until_ms;
    }

    fn mark_in_session(&mut self, user: u32) -> u32 {
        self.rests_until_ms[user as usize] = IN_SESSION;
        user
    }

    fn find_rested_user(
        &mut self,
        now_ms: u64,
        random: &mut RandomStream,
        ask: impl Fn(&mut Self, &mut RandomStream) -> u32,
    ) -> Option<u32> {
        (0..MAX_RESTED_USER_DRAWS).find_map(|_| {
            let user = ask(self, random);
            (self.rests_until_ms[user as usize] <= now_ms).then_some(user)
        })
    }

    /// Draws the next user of the round, with one step of a Fisher–Yates shuffle.
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
