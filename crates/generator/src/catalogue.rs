//! The products of the simulated shop. A product's price never changes. Some products are far more popular than others.

use crate::random::RandomStream;

const PRODUCT_COUNT: u32 = 4_000;
/// The mean price of a product in cents, per department: groceries, clothes, household goods, electronics.
const DEPARTMENT_MEAN_PRICE_CENTS: [u32; 4] = [900, 3_500, 9_000, 45_000];
/// The endings of prices, in cents. Each entry is equally likely, so an ending that occurs twice is twice as likely.
const PRICE_ENDINGS_CENTS: [u32; 6] = [99, 99, 95, 90, 49, 0];

/// A product's number in the [`ProductCatalogue`].
pub(crate) type ProductId = u32;

/// The products of the shop with their prices.
#[derive(Debug)]
pub(crate) struct ProductCatalogue {
    price_cents_by_product: Box<[u32]>,
}

impl ProductCatalogue {
    pub(crate) fn new(mut random: RandomStream) -> Self {
        let price_cents_by_product = (0..PRODUCT_COUNT).map(|_| draw_price_cents(&mut random)).collect();
        Self { price_cents_by_product }
    }

    /// Draws a product. Products with small numbers are popular, so they are drawn more often.
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
