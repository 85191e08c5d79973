-- requires: 20260402093000
--
-- Fills in the slugs of products from before they had one. On the real catalog this takes minutes and holds the write
-- lock, so it is not part of a deploy: run `cargo dbsetup migrate_manual` when the shop is quiet.
UPDATE products
SET slug = lower(replace(trim(name), ' ', '-'))
WHERE slug IS NULL;
