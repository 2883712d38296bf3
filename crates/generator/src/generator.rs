//! The endless stream: clicks happen at the given rate, are delivered, and become bytes.

use crate::catalogue::ProductCatalogue;
use crate::delivery::{DeliverySimulator, EventInTransit};
use crate::malformed::write_malformed;
use crate::pace::ClickPace;
use crate::payload::PayloadParts;
use crate::random::RandomStream;
use crate::settings::{GeneratorSettings, GeneratorSettingsError};
use crate::shop::ShopSimulator;

/// One event on arrival. Borrows the generator's buffers until the next event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeneratedEvent<'a> {
    /// The time of arrival on the clock of event time, in epoch ms. Never less than that of the event before.
    pub due_ms: i64,
    /// The record key: the bytes of the `user_id`. A malformed event has one too, because its producer knew the user.
    pub key: Option<&'a [u8]>,
    /// One JSON object without a newline, or the payload of a malformed event.
    pub payload: &'a [u8],
}

/// An endless stream of events, in order of arrival.
#[derive(Debug)]
pub struct EventGenerator {
    start_ms: i64,
    pace: ClickPace,
    /// The time of the next click, in ms since the start.
    now_ms: u64,
    shop: ShopSimulator,
    delivery: DeliverySimulator,
    flaws: RandomStream,
    pieces: PayloadParts,
    payload: Vec<u8>,
}

impl EventGenerator {
    /// Creates a generator at its first event.
    ///
    /// # Errors
    /// When a setting is outside its limits.
    pub fn new(settings: GeneratorSettings) -> Result<Self, GeneratorSettingsError> {
        settings.validate()?;
        let [products, moments, shoppers, delivery, flaws] = RandomStream::split_seed(settings.seed);
        let mut pace = ClickPace::new(settings.rate, moments);
        Ok(Self {
            start_ms: settings.start_ms,
            now_ms: pace.next_click_ms(),
            pace,
            shop: ShopSimulator::new(&settings, ProductCatalogue::new(products), shoppers),
            delivery: DeliverySimulator::new(&settings, delivery),
            flaws,
            pieces: PayloadParts::new(),
            payload: Vec::new(),
        })
    }

    /// Returns the next event to arrive.
    #[expect(clippy::should_implement_trait, reason = "what it returns borrows the generator, no Iterator can do that")]
    pub fn next(&mut self) -> GeneratedEvent<'_> {
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
        GeneratedEvent { due_ms, key: Some(&self.pieces.user_id), payload: &self.payload }
    }

    /// Sends clicks until one has arrived that no later click can overtake.
    fn next_arrival(&mut self) -> EventInTransit {
        loop {
            if let Some(sent) = self.delivery.take_arrived(self.now_ms) {
                return sent;
            }
            let click = self.shop.next_click(self.now_ms);
            self.delivery.send(click, self.now_ms);
            self.now_ms = self.pace.next_click_ms();
        }
    }
}
