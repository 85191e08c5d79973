-- Safe to run again: what is there stays as it is.
INSERT INTO products (sku, name, slug) VALUES
    ('TEA-GREEN', 'Green tea', 'green-tea'),
    ('TEA-BLACK', 'Black tea', 'black-tea'),
    ('CUP-WHITE', 'White cup', 'white-cup')
ON CONFLICT (sku) DO NOTHING;

INSERT INTO prices (product_id, valid_from, amount_cents)
SELECT id, '2026-01-01', CASE sku WHEN 'CUP-WHITE' THEN 1200 ELSE 590 END
FROM products
WHERE true
ON CONFLICT (product_id, valid_from) DO NOTHING;

UPDATE stock SET on_hand = 40 WHERE on_hand = 0;
