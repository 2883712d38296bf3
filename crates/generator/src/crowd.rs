//! The users: who comes to shop next.
//!
//! Invariants:
//! 1. A user is in at most one session at a time, and rests after it.
//! 2. A part of the sessions goes round all users in an order shuffled anew each round, so that after enough events
//!    everybody has come; the rest follows a power law, so that few users make many of the events.

use crate::dice::{Probability, RandomStream};

/// Share of the sessions that follows the power law.
const POWER_LAW_PROBABILITY: Probability = Probability::from_percent(40.0);
/// How many users in a row may turn out to be busy or resting before the crowd counts as exhausted.
const MAX_TRIES: usize = 8;
/// In place of the end of a rest: the user is in a session.
const IN_SESSION: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct UserPool {
    user_count: u32,
    /// All users; those before `turn` have had their turn in this round.
    round: Box<[u32]>,
    round_position: u32,
    /// When each user's rest ends, in ms since the start.
    rests_until_ms: Box<[u64]>,
}

impl UserPool {
    pub(crate) fn new(user_count: u32) -> Self {
        Self {
            user_count,
            round: (0..user_count).collect(),
            round_position: 0,
            rests_until_ms: vec![0; user_count as usize].into(),
        }
    }

    /// Begins the session of a rested user; `None` when all who were asked are busy or resting.
    pub(crate) fn start_session(&mut self, now_ms: u64, dice: &mut RandomStream) -> Option<u32> {
        let by_power_law = dice.draw_bool(POWER_LAW_PROBABILITY);
        let favourite = |crowd: &mut Self, dice: &mut RandomStream| dice.draw_power_law(crowd.user_count);
        let user = by_power_law.then(|| self.find_rested_user(now_ms, dice, favourite)).flatten();
        let user = user.or_else(|| self.find_rested_user(now_ms, dice, Self::next_user_in_round))?;
        Some(self.mark_in_session(user))
    }

    /// Begins the session of a user who may still be resting. Only while nobody is in a session.
    pub(crate) fn start_session_early(&mut self, dice: &mut RandomStream) -> u32 {
        let user = self.next_user_in_round(dice);
        self.mark_in_session(user)
    }

    /// Ends the user's session.
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
        dice: &mut RandomStream,
        ask: impl Fn(&mut Self, &mut RandomStream) -> u32,
    ) -> Option<u32> {
        (0..MAX_TRIES).find_map(|_| {
            let user = ask(self, dice);
            (self.rests_until_ms[user as usize] <= now_ms).then_some(user)
        })
    }

    /// One step of a Fisher–Yates shuffle.
    fn next_user_in_round(&mut self, dice: &mut RandomStream) -> u32 {
        let left = self.user_count - self.round_position;
        let (turn, other) = (self.round_position as usize, (self.round_position + dice.draw_below(left)) as usize);
        self.round.swap(turn, other);
        self.round_position = if left == 1 { 0 } else { self.round_position + 1 };
        self.round[turn]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dice() -> RandomStream {
        let [dice] = RandomStream::split_seed(3);
        dice
    }

    #[test]
    fn a_round_asks_everybody_once() {
        let (mut crowd, mut dice) = (UserPool::new(100), dice());
        for _ in 0..3 {
            let mut users: Vec<u32> = (0..100).map(|_| crowd.next_user_in_round(&mut dice)).collect();
            assert!(!users.is_sorted());
            users.sort_unstable();
            assert_eq!(users, (0..100).collect::<Vec<u32>>());
        }
    }

    #[test]
    fn nobody_comes_twice_or_unrested() {
        let (mut crowd, mut dice) = (UserPool::new(1), dice());
        assert_eq!(crowd.start_session(0, &mut dice), Some(0));
        assert_eq!(crowd.start_session(0, &mut dice), None);
        crowd.end_session(0, 50);
        assert_eq!(crowd.start_session(49, &mut dice), None);
        assert_eq!(crowd.start_session(50, &mut dice), Some(0));
    }
}
