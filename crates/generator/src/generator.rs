//! The endless stream: clicks happen at the rate, travel, arrive, and become bytes.

use crate::catalogue::Catalogue;
use crate::delivery::{Delivery, Sent};
use crate::dice::Dice;
use crate::flaws::write_malformed;
use crate::pace::Pace;
use crate::payload::Pieces;
use crate::settings::{Settings, SettingsError};
use crate::shop::Shop;

/// One event as it arrives. Borrows the generator's buffers until the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generated<'a> {
    /// When the event arrives, on the clock of event time: epoch ms. Never less than that of the event before.
    pub due_ms: i64,
    /// The record key: the bytes of the `user_id`. Malformed events have one too, as the producer knew its user.
    pub key: Option<&'a [u8]>,
    /// One JSON object without a newline, or, where the event is malformed, what became of it.
    pub payload: &'a [u8],
}

/// An endless stream of events, in order of arrival.
#[derive(Debug)]
pub struct Generator {
    start_ms: i64,
    pace: Pace,
    /// When the next click happens, in ms since the start.
    now_ms: u64,
    shop: Shop,
    delivery: Delivery,
    flaws: Dice,
    pieces: Pieces,
    payload: Vec<u8>,
}

impl Generator {
    /// A generator at its first event.
    ///
    /// # Errors
    /// When a setting is outside its limits.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        let [products, moments, shoppers, delivery, flaws] = Dice::streams(settings.seed);
        let mut pace = Pace::new(settings.rate, moments);
        Ok(Self {
            start_ms: settings.start_ms,
            now_ms: pace.next_ms(),
            pace,
            shop: Shop::new(&settings, Catalogue::new(products), shoppers),
            delivery: Delivery::new(&settings, delivery),
            flaws,
            pieces: Pieces::new(),
            payload: Vec::new(),
        })
    }

    /// The next event to arrive.
    #[expect(clippy::should_implement_trait, reason = "what it returns borrows the generator, no Iterator can do that")]
    pub fn next(&mut self) -> Generated<'_> {
        let sent = self.next_arrival();
        let due_ms = self.start_ms.saturating_add_unsigned(sent.due_ms);
        let time_ms = due_ms.saturating_sub(i64::from(sent.age_ms));
        self.pieces.set(time_ms, sent.click.event_type, sent.click.user, sent.click.price_cents);
        self.payload.clear();
        if sent.malformed {
            write_malformed(&self.pieces, &mut self.flaws, &mut self.payload);
        } else {
            self.pieces.write(&mut self.payload);
        }
        Generated { due_ms, key: Some(&self.pieces.user_id), payload: &self.payload }
    }

    /// Lets clicks happen until one has arrived that none of the clicks to come can overtake.
    fn next_arrival(&mut self) -> Sent {
        loop {
            if let Some(sent) = self.delivery.arrive(self.now_ms) {
                return sent;
            }
            let click = self.shop.click(self.now_ms);
            self.delivery.send(click, self.now_ms);
            self.now_ms = self.pace.next_ms();
        }
    }
}
