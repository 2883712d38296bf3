//! The products of the shop: each has one price for ever, and some are far more popular than others.

use crate::dice::Dice;

/// How many products the shop has.
const PRODUCTS: u32 = 4_000;
/// Mean prices of the departments in cents: groceries, clothes, household goods, electronics.
const DEPARTMENTS: [u32; 4] = [900, 3_500, 9_000, 45_000];
/// What prices end in, in cents.
const ENDINGS: [u32; 6] = [99, 99, 95, 90, 49, 0];

/// A product's number in the [`Catalogue`].
pub(crate) type Product = u32;

#[derive(Debug)]
pub(crate) struct Catalogue {
    prices_cents: Box<[u32]>,
}

impl Catalogue {
    pub(crate) fn new(mut dice: Dice) -> Self {
        let prices_cents = (0..PRODUCTS).map(|_| price_cents(&mut dice)).collect();
        Self { prices_cents }
    }

    /// A product as a shopper comes by it.
    pub(crate) fn any(&self, dice: &mut Dice) -> Product {
        dice.mostly_small(PRODUCTS)
    }

    pub(crate) fn price_cents(&self, product: Product) -> u32 {
        self.prices_cents[product as usize]
    }
}

fn price_cents(dice: &mut Dice) -> u32 {
    let department = dice.pick(&DEPARTMENTS);
    let dollars = (dice.around(department) / 100).max(1);
    dollars * 100 + dice.pick(&ENDINGS)
}
