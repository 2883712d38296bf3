//! The products of the shop: each has one price for ever, and some are far more popular than others.

use crate::dice::RandomStream;

/// How many products the shop has.
const PRODUCT_COUNT: u32 = 4_000;
/// Mean prices of the departments in cents: groceries, clothes, household goods, electronics.
const DEPARTMENT_MEAN_CENTS: [u32; 4] = [900, 3_500, 9_000, 45_000];
/// What prices end in, in cents.
const PRICE_ENDINGS_CENTS: [u32; 6] = [99, 99, 95, 90, 49, 0];

/// A product's number in the [`ProductCatalogue`].
pub(crate) type ProductId = u32;

#[derive(Debug)]
pub(crate) struct ProductCatalogue {
    prices_cents: Box<[u32]>,
}

impl ProductCatalogue {
    pub(crate) fn new(mut dice: RandomStream) -> Self {
        let prices_cents = (0..PRODUCT_COUNT).map(|_| draw_price_cents(&mut dice)).collect();
        Self { prices_cents }
    }

    /// A product as a shopper comes by it.
    pub(crate) fn pick_product(&self, dice: &mut RandomStream) -> ProductId {
        dice.draw_mostly_small(PRODUCT_COUNT)
    }

    pub(crate) fn price_cents(&self, product: ProductId) -> u32 {
        self.prices_cents[product as usize]
    }
}

fn draw_price_cents(dice: &mut RandomStream) -> u32 {
    let department = dice.pick(&DEPARTMENT_MEAN_CENTS);
    let dollars = (dice.draw_log_normal(department) / 100).max(1);
    dollars * 100 + dice.pick(&PRICE_ENDINGS_CENTS)
}
