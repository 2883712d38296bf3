//! The sessions in progress: who clicks next, on what.
//!
//! The clicks come at a given rate, yet each shopper has a pace of their own. The two meet in [`Shop::click`]: at each
//! tick the shopper whose pause ended first clicks; when all are still looking, somebody new comes in. So sessions
//! start as fast as it takes to keep the rate, and pauses stay what they were drawn as. Should nobody new be there, the
//! shopper whose pause ends first cuts it short.
//!
//! Invariant: within a session a product is viewed before it goes into the cart, and is in the cart before it is
//! purchased, always at the same price.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::catalogue::{Catalogue, Product};
use crate::crowd::Crowd;
use crate::dice::{Dice, Share};
use crate::rhythm::Rhythms;
use crate::settings::Settings;

/// Most products in a cart.
const CART: usize = 4;
/// Share of the views after which the product goes into the cart.
const TO_CART: Share = Share::percent(12.0);
/// Share of the carts that are purchased rather than left behind, once full or at the end of the session.
const CHECK_OUT: Share = Share::percent(45.0);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventType {
    View,
    Cart,
    Purchase,
}

/// One event as it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Click {
    pub(crate) user: u32,
    pub(crate) price_cents: u32,
    pub(crate) event_type: EventType,
}

#[derive(Debug)]
struct Session {
    user: u32,
    pause_ms: u32,
    views_left: u32,
    next: EventType,
    in_cart: u8,
    product: Product,
    cart: [Product; CART],
}

#[derive(Debug)]
pub(crate) struct Shop {
    dice: Dice,
    catalogue: Catalogue,
    crowd: Crowd,
    rhythms: Rhythms,
    /// Sessions in progress, and ended ones whose slots are in `free`.
    sessions: Vec<Session>,
    free: Vec<usize>,
    /// When which session's pause ends, in ms since the start. The slot makes each entry unique, so that the order does
    /// not depend on how the heap treats equals.
    pauses: BinaryHeap<Reverse<(u64, usize)>>,
}

impl Shop {
    pub(crate) fn new(settings: &Settings, catalogue: Catalogue, dice: Dice) -> Self {
        Self {
            dice,
            catalogue,
            crowd: Crowd::new(settings.users),
            rhythms: Rhythms::new(settings),
            sessions: Vec::new(),
            free: Vec::new(),
            pauses: BinaryHeap::new(),
        }
    }

    /// The click of this moment, in ms since the start.
    pub(crate) fn click(&mut self, now_ms: u64) -> Click {
        let everybody_looks = self.pauses.peek().is_none_or(|Reverse((pause_end, _))| *pause_end > now_ms);
        if everybody_looks && let Some(user) = self.crowd.arrive(now_ms, &mut self.dice) {
            return self.enter(user, now_ms);
        }
        let Some(mut first) = self.pauses.peek_mut() else {
            let user = self.crowd.arrive_early(&mut self.dice);
            return self.enter(user, now_ms);
        };
        let Reverse((_, slot)) = *first;
        let session = &mut self.sessions[slot];
        let click = session.click(&self.catalogue, &mut self.dice);
        match session.pause(&mut self.dice) {
            Some(pause_ms) => *first = Reverse((now_ms + pause_ms, slot)),
            None => {
                PeekMut::pop(first);
                self.free.push(slot);
                self.rest(click.user, now_ms);
            }
        }
        click
    }

    /// The first click of a new session.
    fn enter(&mut self, user: u32, now_ms: u64) -> Click {
        let mut session = Session::new(user, &self.rhythms, &mut self.dice);
        let click = session.click(&self.catalogue, &mut self.dice);
        let Some(pause_ms) = session.pause(&mut self.dice) else {
            self.rest(user, now_ms);
            return click;
        };
        let slot = if let Some(slot) = self.free.pop() {
            self.sessions[slot] = session;
            slot
        } else {
            self.sessions.push(session);
            self.sessions.len() - 1
        };
        self.pauses.push(Reverse((now_ms + pause_ms, slot)));
        click
    }

    fn rest(&mut self, user: u32, now_ms: u64) {
        let shortest = self.rhythms.rest_ms();
        self.crowd.leave(user, now_ms + u64::from(shortest) + u64::from(self.dice.mostly_small(shortest)));
    }
}

impl Session {
    fn new(user: u32, rhythms: &Rhythms, dice: &mut Dice) -> Self {
        let rhythm = rhythms.of(user);
        Self {
            user,
            pause_ms: rhythm.pause_ms,
            views_left: dice.around(rhythm.views).max(1),
            next: EventType::View,
            in_cart: 0,
            product: 0,
            cart: [0; CART],
        }
    }

    fn click(&mut self, catalogue: &Catalogue, dice: &mut Dice) -> Click {
        let product = match self.next {
            EventType::View => {
                self.views_left -= 1;
                self.product = catalogue.any(dice);
                self.product
            }
            EventType::Cart => {
                self.cart[usize::from(self.in_cart)] = self.product;
                self.in_cart += 1;
                self.product
            }
            EventType::Purchase => {
                self.in_cart -= 1;
                self.cart[usize::from(self.in_cart)]
            }
        };
        Click { user: self.user, price_cents: catalogue.price_cents(product), event_type: self.next }
    }

    /// Decides on the next click; the time until then, or `None` when the shopper leaves.
    /// A full cart is settled before the next view, so there is always room for one more product after it.
    fn pause(&mut self, dice: &mut Dice) -> Option<u64> {
        let (next, mean_ms) = match self.next {
            EventType::View if dice.chance(TO_CART) => (EventType::Cart, self.pause_ms / 2),
            EventType::View | EventType::Cart if self.comes_to_the_till() && dice.chance(CHECK_OUT) => {
                (EventType::Purchase, self.pause_ms)
            }
            EventType::Purchase if self.in_cart > 0 => (EventType::Purchase, self.pause_ms / 8),
            _ if self.views_left > 0 => {
                if self.cart_is_full() {
                    self.in_cart = 0;
                }
                (EventType::View, self.pause_ms)
            }
            _ => return None,
        };
        self.next = next;
        Some(u64::from(dice.around(mean_ms)))
    }

    fn comes_to_the_till(&self) -> bool {
        self.cart_is_full() || (self.in_cart > 0 && self.views_left == 0)
    }

    fn cart_is_full(&self) -> bool {
        usize::from(self.in_cart) == CART
    }
}
