//! The users: who comes to shop next.
//!
//! Invariants:
//! 1. A user is in at most one session at a time, and rests after it.
//! 2. A part of the sessions goes round all users in an order shuffled anew each round, so that after enough events
//!    everybody has come; the rest follows a power law, so that few users make many of the events.

use crate::dice::{Dice, Share};

/// Share of the sessions that follows the power law.
const BY_POWER_LAW: Share = Share::percent(40.0);
/// How many users in a row may turn out to be busy or resting before the crowd counts as exhausted.
const TRIES: usize = 8;
/// In place of the end of a rest: the user is in a session.
const SHOPPING: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct Crowd {
    users: u32,
    /// All users; those before `turn` have had their turn in this round.
    round: Box<[u32]>,
    turn: u32,
    /// When each user's rest ends, in ms since the start.
    rests_until_ms: Box<[u64]>,
}

impl Crowd {
    pub(crate) fn new(users: u32) -> Self {
        Self { users, round: (0..users).collect(), turn: 0, rests_until_ms: vec![0; users as usize].into() }
    }

    /// Begins the session of a rested user; `None` when all who were asked are busy or resting.
    pub(crate) fn arrive(&mut self, now_ms: u64, dice: &mut Dice) -> Option<u32> {
        let by_power_law = dice.chance(BY_POWER_LAW);
        let favourite = |crowd: &mut Self, dice: &mut Dice| dice.power_law(crowd.users);
        let user = by_power_law.then(|| self.rested(now_ms, dice, favourite)).flatten();
        let user = user.or_else(|| self.rested(now_ms, dice, Self::next_in_round))?;
        Some(self.begin(user))
    }

    /// Begins the session of a user who may still be resting. Only while nobody is in a session.
    pub(crate) fn arrive_early(&mut self, dice: &mut Dice) -> u32 {
        let user = self.next_in_round(dice);
        self.begin(user)
    }

    /// Ends the user's session.
    pub(crate) fn leave(&mut self, user: u32, rests_until_ms: u64) {
        self.rests_until_ms[user as usize] = rests_until_ms;
    }

    fn begin(&mut self, user: u32) -> u32 {
        self.rests_until_ms[user as usize] = SHOPPING;
        user
    }

    fn rested(&mut self, now_ms: u64, dice: &mut Dice, ask: impl Fn(&mut Self, &mut Dice) -> u32) -> Option<u32> {
        (0..TRIES).find_map(|_| {
            let user = ask(self, dice);
            (self.rests_until_ms[user as usize] <= now_ms).then_some(user)
        })
    }

    /// One step of a Fisher–Yates shuffle.
    fn next_in_round(&mut self, dice: &mut Dice) -> u32 {
        let left = self.users - self.turn;
        let (turn, other) = (self.turn as usize, (self.turn + dice.below(left)) as usize);
        self.round.swap(turn, other);
        self.turn = if left == 1 { 0 } else { self.turn + 1 };
        self.round[turn]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dice() -> Dice {
        let [dice] = Dice::streams(3);
        dice
    }

    #[test]
    fn a_round_asks_everybody_once() {
        let (mut crowd, mut dice) = (Crowd::new(100), dice());
        for _ in 0..3 {
            let mut users: Vec<u32> = (0..100).map(|_| crowd.next_in_round(&mut dice)).collect();
            assert!(!users.is_sorted());
            users.sort_unstable();
            assert_eq!(users, (0..100).collect::<Vec<u32>>());
        }
    }

    #[test]
    fn nobody_comes_twice_or_unrested() {
        let (mut crowd, mut dice) = (Crowd::new(1), dice());
        assert_eq!(crowd.arrive(0, &mut dice), Some(0));
        assert_eq!(crowd.arrive(0, &mut dice), None);
        crowd.leave(0, 50);
        assert_eq!(crowd.arrive(49, &mut dice), None);
        assert_eq!(crowd.arrive(50, &mut dice), Some(0));
    }
}
