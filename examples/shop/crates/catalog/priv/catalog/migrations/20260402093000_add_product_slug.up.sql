-- The part of the address that names the product. Old rows get theirs from the manual migration
-- 20260402094500_fill_product_slugs, at a quiet hour; until then the shop falls back to the id.
ALTER TABLE products ADD COLUMN slug TEXT;

CREATE UNIQUE INDEX products_slug ON products (slug);
