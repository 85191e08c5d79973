CREATE TABLE stock (
    product_id INTEGER PRIMARY KEY REFERENCES products (id),
    on_hand INTEGER NOT NULL DEFAULT 0 CHECK (on_hand >= 0)
);

-- A product that was never counted has no pieces, and no missing row.
CREATE TRIGGER products_get_stock AFTER INSERT ON products
BEGIN
    INSERT INTO stock (product_id) VALUES (new.id);
END;
