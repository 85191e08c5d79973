-- In every environment: the first invoice exists, so that numbers are counted from it. Safe to run again.
INSERT INTO invoices (number, customer, issued_on, due_on)
VALUES ('2026-0000', 'The shop itself', '2026-01-01', '2026-01-01')
ON CONFLICT (number) DO NOTHING;
