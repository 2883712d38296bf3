//! The products of the simulated shop, with their prices. The price of a product never changes. Some products are drawn
//! far more often than others.

use crate::random::RandomStream;

const PRODUCT_COUNT: u32 = 4_000;
/// The mean price in cents of the products of each department. The departments are groceries, clothes, household goods
/// and electronics.
const DEPARTMENT_MEAN_PRICE_CENTS: [u32; 4] = [900, 3_500, 9_000, 45_000];
/// The cents after the dollars of a price. Each entry of the array is equally likely, so 99 cents are twice as likely
/// as 95 cents.
const PRICE_ENDINGS_CENTS: [u32; 6] = [99, 99, 95, 90, 49, 0];

/// The number of a product: its index in the [`ProductCatalogue`].
pub(crate) type ProductId = u32;

#[derive(Debug)]
pub(crate) struct ProductCatalogue {
    price_cents_by_product: Box<[u32]>,
}

impl ProductCatalogue {
    pub(crate) fn new(mut random: RandomStream) -> Self {
        let price_cents_by_product = (0..PRODUCT_COUNT).map(|_| draw_price_cents(&mut random)).collect();
        Self { price_cents_by_product }
    }

    /// Draws a product. Products with small numbers are drawn more often than products with large numbers.
    pub(crate) fn pick_product(&self, random: &mut RandomStream) -> ProductId {
        random.draw_mostly_small(PRODUCT_COUNT)
    }

    pub(crate) fn price_cents(&self, product: ProductId) -> u32 {
        self.price_cents_by_product[product as usize]
    }
}

fn draw_price_cents(random: &mut RandomStream) -> u32 {
    let department = random.pick_one(&DEPARTMENT_MEAN_PRICE_CENTS);
    let dollars = (random.draw_log_normal(department) / 100).max(1);
    dollars * 100 + random.pick_one(&PRICE_ENDINGS_CENTS)
}
