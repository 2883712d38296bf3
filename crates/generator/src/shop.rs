//! Simulates the sessions of users: decides which user clicks next, and on which product.
//!
//! The settings determine when a click happens, and [`ShopSimulator::next_click`] chooses the user who clicks. After
//! each click, a user pauses. If the pause of at least one user has ended, the user whose pause ended first clicks.
//! Otherwise several users are drawn, and the first rested one starts a new session. If no drawn user is rested, the
//! user whose pause would end first ends the pause early and clicks.
//!
//! Invariant: within a session, a user views a product before putting it into the cart, and purchases only products in
//! the cart. The price of a product is always the same.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::catalogue::{ProductCatalogue, ProductId};
use crate::random::{Probability, RandomStream};
use crate::rhythm::ShoppingRhythms;
use crate::settings::GeneratorSettings;
use crate::user_pool::UserPool;

/// The largest number of products in a cart.
const MAX_CART_PRODUCTS: usize = 4;
/// The probability that a user puts a viewed product into the cart.
const CART_PROBABILITY: Probability = Probability::from_percent(12.0);
/// The probability that a user purchases the products in the cart. The user makes this decision each time the cart is
/// full, and at the end of the session.
const PURCHASE_PROBABILITY: Probability = Probability::from_percent(45.0);

/// The type of a click, which becomes the `event_type` of the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShopEventType {
    View,
    Cart,
    Purchase,
}

/// A click of a user in the shop. Each click becomes one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShopClick {
    pub(crate) user: u32,
    pub(crate) price_cents: u32,
    pub(crate) event_type: ShopEventType,
}

#[derive(Debug)]
struct ShoppingSession {
    user: u32,
    mean_pause_ms: u32,
    views_left: u32,
    next_event_type: ShopEventType,
    cart_size: u8,
    viewed_product: ProductId,
    cart_products: [ProductId; MAX_CART_PRODUCTS],
}

/// Simulates the users of the shop.
#[derive(Debug)]
pub(crate) struct ShopSimulator {
    random: RandomStream,
    catalogue: ProductCatalogue,
    users: UserPool,
    rhythms: ShoppingRhythms,
    /// The sessions in progress. An ended session stays in this list until a new session takes its index from
    /// `free_session_slots`.
    sessions: Vec<ShoppingSession>,
    free_session_slots: Vec<usize>,
    /// For each session in progress, the end of the pause, in ms since the start of the stream, and the index in
    /// `sessions`. No two entries are equal, because their indexes differ. So the order in which the heap returns the
    /// entries does not depend on the implementation of the heap.
    pause_ends: BinaryHeap<Reverse<(u64, usize)>>,
}

impl ShopSimulator {
    pub(crate) fn new(settings: &GeneratorSettings, catalogue: ProductCatalogue, random: RandomStream) -> Self {
        Self {
            random,
            catalogue,
            users: UserPool::new(settings.user_count),
            rhythms: ShoppingRhythms::new(settings),
            sessions: Vec::new(),
            free_session_slots: Vec::new(),
            pause_ends: BinaryHeap::new(),
        }
    }

    /// Decides which user clicks at `now_ms`, in ms since the start of the stream, and returns the click.
    pub(crate) fn next_click(&mut self, now_ms: u64) -> ShopClick {
        let all_pause = self.pause_ends.peek().is_none_or(|Reverse((pause_end, _))| *pause_end > now_ms);
        if all_pause && let Some(user) = self.users.start_session(now_ms, &mut self.random) {
            return self.start_session(user, now_ms);
        }
        let Some(mut first) = self.pause_ends.peek_mut() else {
            let user = self.users.start_session_despite_rest(&mut self.random);
            return self.start_session(user, now_ms);
        };
        let Reverse((_, slot)) = *first;
        let session = &mut self.sessions[slot];
        let click = session.perform_click(&self.catalogue, &mut self.random);
        match session.plan_next_click(&mut self.random) {
            Some(pause_ms) => *first = Reverse((now_ms + pause_ms, slot)),
            None => {
                PeekMut::pop(first);
                self.free_session_slots.push(slot);
                self.end_session(click.user, now_ms);
            }
        }
        click
    }

    /// Starts a session and returns its first click.
    fn start_session(&mut self, user: u32, now_ms: u64) -> ShopClick {
        let mut session = ShoppingSession::new(user, &self.rhythms, &mut self.random);
        let click = session.perform_click(&self.catalogue, &mut self.random);
        let Some(pause_ms) = session.plan_next_click(&mut self.random) else {
            self.end_session(user, now_ms);
            return click;
        };
        let slot = if let Some(slot) = self.free_session_slots.pop() {
            self.sessions[slot] = session;
            slot
        } else {
            self.sessions.push(session);
            self.sessions.len() - 1
        };
        self.pause_ends.push(Reverse((now_ms + pause_ms, slot)));
        click
    }

    /// Ends the session of `user`, and draws how long the user rests afterwards.
    fn end_session(&mut self, user: u32, now_ms: u64) {
        let shortest = self.rhythms.minimum_rest_ms();
        self.users.end_session(user, now_ms + u64::from(shortest) + u64::from(self.random.draw_mostly_small(shortest)));
    }
}

impl ShoppingSession {
    fn new(user: u32, rhythms: &ShoppingRhythms, random: &mut RandomStream) -> Self {
        let rhythm = rhythms.rhythm_for_user(user);
        Self {
            user,
            mean_pause_ms: rhythm.mean_pause_ms,
            views_left: random.draw_log_normal(rhythm.mean_views_per_session).max(1),
            next_event_type: ShopEventType::View,
            cart_size: 0,
            viewed_product: 0,
            cart_products: [0; MAX_CART_PRODUCTS],
        }
    }

    /// Performs the planned click and returns it.
    fn perform_click(&mut self, catalogue: &ProductCatalogue, random: &mut RandomStream) -> ShopClick {
        let product = match self.next_event_type {
            ShopEventType::View => {
                self.views_left -= 1;
                self.viewed_product = catalogue.pick_product(random);
                self.viewed_product
            }
            ShopEventType::Cart => {
                self.cart_products[usize::from(self.cart_size)] = self.viewed_product;
                self.cart_size += 1;
                self.viewed_product
            }
            ShopEventType::Purchase => {
                self.cart_size -= 1;
                self.cart_products[usize::from(self.cart_size)]
            }
        };
        ShopClick { user: self.user, price_cents: catalogue.price_cents(product), event_type: self.next_event_type }
    }

    /// Plans the next click of the session. Returns the time until this click in ms; `None` if the session ends. If the
    /// cart is full before a view, the user purchases or removes all products in the cart. So the viewed product fits
    /// into the cart.
    fn plan_next_click(&mut self, random: &mut RandomStream) -> Option<u64> {
        let (next, mean_ms) = match self.next_event_type {
            ShopEventType::View if random.draw_bool(CART_PROBABILITY) => (ShopEventType::Cart, self.mean_pause_ms / 2),
            ShopEventType::View | ShopEventType::Cart
                if self.is_ready_to_pay() && random.draw_bool(PURCHASE_PROBABILITY) =>
            {
                (ShopEventType::Purchase, self.mean_pause_ms)
            }
            ShopEventType::Purchase if self.cart_size > 0 => (ShopEventType::Purchase, self.mean_pause_ms / 8),
            _ if self.views_left > 0 => {
                if self.cart_is_full() {
                    self.cart_size = 0;
                }
                (ShopEventType::View, self.mean_pause_ms)
            }
            _ => return None,
        };
        self.next_event_type = next;
        Some(u64::from(random.draw_log_normal(mean_ms)))
    }

    fn is_ready_to_pay(&self) -> bool {
        self.cart_is_full() || (self.cart_size > 0 && self.views_left == 0)
    }

    fn cart_is_full(&self) -> bool {
        usize::from(self.cart_size) == MAX_CART_PRODUCTS
    }
}
