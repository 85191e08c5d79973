DROP INDEX products_slug;

ALTER TABLE products DROP COLUMN slug;
