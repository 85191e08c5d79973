CREATE VIEW open_invoices AS
WITH totals AS (
    SELECT invoice_id, sum(quantity * unit_price_cents) AS cents
    FROM invoice_lines
    GROUP BY invoice_id
),
paid AS (
    SELECT invoice_id, sum(amount_cents) AS cents
    FROM payments
    GROUP BY invoice_id
)
SELECT
    invoices.id,
    invoices.number,
    invoices.due_on,
    totals.cents - coalesce(paid.cents, 0) AS open_cents
FROM invoices
JOIN totals ON totals.invoice_id = invoices.id
LEFT JOIN paid ON paid.invoice_id = invoices.id
WHERE totals.cents > coalesce(paid.cents, 0);
