-- requires: 20260119101500
--
-- Invoices from the old shop came with a time of day in their dates. Once, at a quiet hour.
UPDATE invoices
SET issued_on = date(issued_on), due_on = date(due_on)
WHERE length(issued_on) > 10 OR length(due_on) > 10;
