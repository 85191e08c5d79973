-- dbsetup structure format 1 (sqlite)

CREATE TABLE prices (
    product_id INTEGER NOT NULL REFERENCES products (id),
    valid_from TEXT NOT NULL,
    amount_cents INTEGER NOT NULL CHECK (amount_cents >= 0),
    PRIMARY KEY (product_id, valid_from)
);

CREATE TABLE products (
    id INTEGER PRIMARY KEY,
    sku TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE IF NOT EXISTS "schema_migrations" (version text PRIMARY KEY NOT NULL, seq integer, name text NOT NULL, source text NOT NULL, checksum text, applied_at text NOT NULL DEFAULT CURRENT_TIMESTAMP, execution_ms integer, tool_version text);

CREATE TABLE stock (
    product_id INTEGER PRIMARY KEY REFERENCES products (id),
    on_hand INTEGER NOT NULL DEFAULT 0 CHECK (on_hand >= 0)
);

CREATE VIEW current_prices AS
SELECT product_id, amount_cents, max(valid_from) AS valid_from
FROM prices
WHERE valid_from <= date('now')
GROUP BY product_id;

CREATE TRIGGER products_get_stock AFTER INSERT ON products
BEGIN
    INSERT INTO stock (product_id) VALUES (new.id);
END;

INSERT INTO "schema_migrations" (version, name, source, checksum) VALUES ('20260105090000', 'create_products', 'migrations', 'sha256:b714124e2ded4c49b35bbc72755fad0c376ecf6d531176f8283ce83f767e5187');
INSERT INTO "schema_migrations" (version, name, source, checksum) VALUES ('20260112140500', 'create_prices', 'migrations', 'sha256:89f98e910786d67f84d01aa4385a040a73b242ab47d507ba50890301a1840b41');
INSERT INTO "schema_migrations" (version, name, source, checksum) VALUES ('20260203081500', 'create_stock', 'migrations', 'sha256:b6c35bd2eb8236f3978f292fd8b39a44ca7e5aa902258b8f768325d9a3536333');

-- dbsetup structure end
