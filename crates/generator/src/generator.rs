//! Generates the endless stream of events. Clicks happen at the requested rate. Each click is delivered as an event,
//! and each event becomes a payload.

use crate::catalogue::ProductCatalogue;
use crate::click_times::ClickTimes;
use crate::delivery::{DeliverySimulator, EventInTransit};
use crate::malformed::write_malformed_payload;
use crate::payload::PayloadParts;
use crate::random::RandomStream;
use crate::settings::{GeneratorSettings, GeneratorSettingsError};
use crate::shop::ShopSimulator;

/// One generated event. It borrows the buffers of the generator, so the caller must drop it before generating the next
/// event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeneratedEvent<'a> {
    /// The simulated time of arrival in epoch ms. It is never smaller than the time of arrival of the previous event.
    pub arrival_ms: i64,
    /// The record key: the bytes of the `user_id`. A malformed event also has a record key, because only the payload is
    /// damaged.
    pub record_key: Option<&'a [u8]>,
    /// One JSON object without a newline, or the damaged payload of a malformed event.
    pub payload: &'a [u8],
}

/// Generates an endless stream of events, in the order of their arrival.
#[derive(Debug)]
pub struct EventGenerator {
    start_ms: i64,
    click_times: ClickTimes,
    /// The time of the next click, in ms since the start of the stream.
    next_click_ms: u64,
    shop: ShopSimulator,
    delivery: DeliverySimulator,
    flaw_random: RandomStream,
    payload_parts: PayloadParts,
    payload_buffer: Vec<u8>,
}

impl EventGenerator {
    /// Creates a generator whose next event is the first event of the stream.
    ///
    /// # Errors
    /// When a setting is outside its limits.
    pub fn new(settings: GeneratorSettings) -> Result<Self, GeneratorSettingsError> {
        settings.validate()?;
        let [products, moments, shoppers, delivery, flaws] = RandomStream::derive_streams_from_seed(settings.seed);
        let mut click_times = ClickTimes::new(settings.events_per_second, moments);
        Ok(Self {
            start_ms: settings.start_ms,
            next_click_ms: click_times.draw_next_click_ms(),
            click_times,
            shop: ShopSimulator::new(&settings, ProductCatalogue::new(products), shoppers),
            delivery: DeliverySimulator::new(&settings, delivery),
            flaw_random: flaws,
            payload_parts: PayloadParts::new(),
            payload_buffer: Vec::new(),
        })
    }

    /// Returns the event that arrives next.
    #[expect(clippy::should_implement_trait, reason = "an item of an Iterator cannot borrow the iterator")]
    pub fn next(&mut self) -> GeneratedEvent<'_> {
        let sent = self.next_arrival();
        let due_ms = self.start_ms.saturating_add_unsigned(sent.arrival_ms);
        let time_ms = due_ms.saturating_sub(i64::from(sent.age_on_arrival_ms));
        self.payload_parts.set_event(time_ms, sent.click.event_type, sent.click.user, sent.click.price_cents);
        self.payload_buffer.clear();
        if sent.is_malformed {
            write_malformed_payload(&self.payload_parts, &mut self.flaw_random, &mut self.payload_buffer);
        } else {
            self.payload_parts.append_json(&mut self.payload_buffer);
        }
        GeneratedEvent {
            arrival_ms: due_ms,
            record_key: Some(&self.payload_parts.user_id),
            payload: &self.payload_buffer,
        }
    }

    /// Simulates clicks and sends their events, until an event arrives no later than the next click happens. Returns
    /// this event. The events of later clicks cannot arrive before it.
    fn next_arrival(&mut self) -> EventInTransit {
        loop {
            if let Some(sent) = self.delivery.take_next_arrived(self.next_click_ms) {
                return sent;
            }
            let click = self.shop.next_click(self.next_click_ms);
            self.delivery.send_click(click, self.next_click_ms);
            self.next_click_ms = self.click_times.draw_next_click_ms();
        }
    }
}
