-- A price holds from a day on, until the next one. Old ones stay: invoices are explained with them.
CREATE TABLE prices (
    product_id INTEGER NOT NULL REFERENCES products (id),
    valid_from TEXT NOT NULL,
    amount_cents INTEGER NOT NULL CHECK (amount_cents >= 0),
    PRIMARY KEY (product_id, valid_from)
);

CREATE VIEW current_prices AS
SELECT product_id, amount_cents, max(valid_from) AS valid_from
FROM prices
WHERE valid_from <= date('now')
GROUP BY product_id;
