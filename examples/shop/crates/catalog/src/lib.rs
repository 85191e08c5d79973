//! What the shop sells. The tables behind these types are in `priv/catalog`.

use std::fmt;

/// An amount of money in the smallest unit of the shop's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cents(pub i64);

impl Cents {
    /// Returns the price of `quantity` pieces, or none where no one could pay it.
    pub fn times(self, quantity: u32) -> Option<Self> {
        self.0.checked_mul(i64::from(quantity)).map(Self)
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

/// A row of `products`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    pub id: i64,
    pub sku: String,
    pub name: String,
    /// The part of the address that names the product: `green-tea`.
    pub slug: String,
}

/// Returns the slug of a product name, as the migration that filled in the old rows does.
pub fn slug(name: &str) -> String {
    name.trim().to_lowercase().replace(' ', "-")
}

/// A row of `stock`: pieces on the shelf, and those that are promised to open orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock {
    pub on_hand: u32,
    pub reserved: u32,
}

impl Stock {
    /// Returns how many pieces can still be sold.
    pub fn available(self) -> u32 {
        self.on_hand.saturating_sub(self.reserved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_with_two_digits() {
        assert_eq!(Cents(1205).to_string(), "12.05");
        assert_eq!(Cents(-5).to_string(), "-0.05");
    }

    #[test]
    fn what_is_reserved_cannot_be_sold() {
        assert_eq!(Stock { on_hand: 5, reserved: 2 }.available(), 3);
        assert_eq!(Stock { on_hand: 1, reserved: 2 }.available(), 0);
    }

    #[test]
    fn a_slug_has_no_spaces() {
        assert_eq!(slug(" Green Tea"), "green-tea");
    }
}
