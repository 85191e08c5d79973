-- Something to look at while developing. Safe to run again.
INSERT INTO invoices (number, customer, issued_on, due_on) VALUES
    ('2026-0001', 'Ada', '2026-04-01', '2026-04-15'),
    ('2026-0002', 'Grace', '2026-04-03', '2026-04-17')
ON CONFLICT (number) DO NOTHING;

INSERT INTO invoice_lines (invoice_id, position, sku, quantity, unit_price_cents)
SELECT id, 1, 'TEA-GREEN', 2, 590 FROM invoices WHERE number = '2026-0001'
UNION ALL
SELECT id, 2, 'CUP-WHITE', 1, 1200 FROM invoices WHERE number = '2026-0001'
UNION ALL
SELECT id, 1, 'TEA-BLACK', 1, 590 FROM invoices WHERE number = '2026-0002'
ON CONFLICT (invoice_id, position) DO NOTHING;

INSERT INTO payments (id, invoice_id, amount_cents, received_on)
SELECT 1, id, 590, '2026-04-10' FROM invoices WHERE number = '2026-0002'
ON CONFLICT (id) DO NOTHING;
