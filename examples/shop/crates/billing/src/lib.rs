//! What customers owe. The tables behind these types are in `priv/billing`.

use catalog::Cents;

/// A row of `invoice_lines`. The price is a copy: an invoice does not change when the catalog does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub sku: String,
    pub quantity: u32,
    pub unit_price: Cents,
}

/// A row of `invoices` with its lines and what was paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    pub number: String,
    pub lines: Vec<Line>,
    pub payments: Vec<Cents>,
}

impl Invoice {
    /// Returns the sum of the lines, or none where it is beyond any amount of money.
    pub fn total(&self) -> Option<Cents> {
        self.lines.iter().try_fold(Cents(0), |sum, line| {
            let price = line.unit_price.times(line.quantity)?;
            sum.0.checked_add(price.0).map(Cents)
        })
    }

    /// Returns what is still to be paid; negative when the customer paid too much.
    pub fn open(&self) -> Option<Cents> {
        let paid: i64 = self.payments.iter().map(|payment| payment.0).sum();
        self.total()?.0.checked_sub(paid).map(Cents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invoice(payments: &[i64]) -> Invoice {
        Invoice {
            number: "2026-0001".to_owned(),
            lines: vec![
                Line { sku: "TEA-GREEN".to_owned(), quantity: 2, unit_price: Cents(590) },
                Line { sku: "CUP-WHITE".to_owned(), quantity: 1, unit_price: Cents(1200) },
            ],
            payments: payments.iter().copied().map(Cents).collect(),
        }
    }

    #[test]
    fn an_invoice_adds_its_lines() {
        assert_eq!(invoice(&[]).total(), Some(Cents(2380)));
    }

    #[test]
    fn payments_reduce_what_is_open() {
        assert_eq!(invoice(&[2000, 380]).open(), Some(Cents(0)));
        assert_eq!(invoice(&[3000]).open(), Some(Cents(-620)));
    }
}
