-- dbsetup structure format 1 (postgresql)

SET array_nulls = on;
SET check_function_bodies = false;
SET client_encoding = 'UTF8';
SET default_table_access_method = heap;
SET lc_monetary = 'C';
SET standard_conforming_strings = on;
SET xmloption = content;
SELECT pg_catalog.set_config('search_path', '', false);

CREATE SCHEMA app;

CREATE SCHEMA audit;

CREATE DOMAIN app.money_amount AS numeric(12,2)
    CONSTRAINT money_amount_check CHECK ((VALUE >= (0)::numeric));

CREATE TYPE app.pair AS (
    a integer,
    b text
);

CREATE TYPE app.state AS ENUM (
    'open',
    'paid',
    'sent'
);

CREATE FUNCTION app.area(side double precision)
 RETURNS double precision
 LANGUAGE sql
 IMMUTABLE
AS $function$select side * side$function$;

CREATE FUNCTION app.area(w integer, h integer DEFAULT 1)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$select w * h$function$;

CREATE FUNCTION app.touch()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin

  new.changed_at := now();
  return new;
end $function$;

CREATE AGGREGATE app.total(integer) (
    SFUNC = int4pl,
    STYPE = integer,
    INITCOND = '0'
);

CREATE SEQUENCE app.numbers START WITH 100;

CREATE TABLE app.a (
    id integer NOT NULL,
    b_id integer,
    CONSTRAINT a_pkey PRIMARY KEY (id)
);

CREATE TABLE app.b (
    id integer NOT NULL,
    a_id integer,
    CONSTRAINT b_pkey PRIMARY KEY (id)
);

CREATE TABLE app.lines (
    order_id integer NOT NULL,
    number integer NOT NULL,
    what text,
    CONSTRAINT lines_pkey PRIMARY KEY (order_id, number)
);

CREATE SEQUENCE app.orders_id_seq AS integer;
CREATE TABLE app.orders (
    id integer DEFAULT nextval('app.orders_id_seq'::regclass) NOT NULL,
    user_id bigint NOT NULL,
    state app.state DEFAULT 'open'::app.state NOT NULL,
    total app.money_amount,
    note text DEFAULT 'a;b'::text,
    CONSTRAINT orders_pkey PRIMARY KEY (id),
    CONSTRAINT orders_total_check CHECK (((total)::numeric < (100000)::numeric))
);
ALTER SEQUENCE app.orders_id_seq OWNED BY app.orders.id;
ALTER TABLE ONLY app.orders ALTER COLUMN note SET STATISTICS 90;
ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY;
CREATE INDEX orders_state_idx ON app.orders USING btree (state) WHERE (state <> 'sent'::app.state);
CREATE STATISTICS app.orders_stats ON user_id, state FROM app.orders;

CREATE TABLE app.tags (
    id integer NOT NULL,
    name text NOT NULL,
    CONSTRAINT tags_pkey PRIMARY KEY (id)
);

CREATE TABLE app.users (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    name text NOT NULL,
    email text,
    changed_at timestamp with time zone DEFAULT now(),
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_key UNIQUE (email)
);
COMMENT ON TABLE app.users IS 'whoever logs in';
COMMENT ON COLUMN app.users.name IS 'as they write it; nobody else''s';
CREATE INDEX users_name_idx ON app.users USING btree (lower(name));

CREATE TABLE audit.events (
    at timestamp with time zone NOT NULL,
    what text
)
PARTITION BY RANGE (at);

CREATE TABLE audit.events_2026 (
    at timestamp with time zone NOT NULL,
    what text
);

ALTER TABLE ONLY audit.events ATTACH PARTITION audit.events_2026 FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2027-01-01 00:00:00+00');

CREATE TABLE public.schema_migrations (
    version text NOT NULL,
    seq bigint,
    name text NOT NULL,
    source text NOT NULL,
    checksum text,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    execution_ms bigint,
    tool_version text,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (version)
);

CREATE VIEW app.open_orders AS
 SELECT o.id,
    u.name
   FROM (app.orders o
     JOIN app.users u ON ((u.id = o.user_id)))
  WHERE (o.state = 'open'::app.state);

CREATE VIEW app.open_names AS
 SELECT DISTINCT open_orders.name
   FROM app.open_orders;

CREATE MATERIALIZED VIEW app.totals AS
 SELECT orders.user_id,
    sum((orders.total)::numeric) AS total
   FROM app.orders
  GROUP BY orders.user_id
 WITH NO DATA;
CREATE UNIQUE INDEX totals_user ON app.totals USING btree (user_id);

ALTER TABLE ONLY app.a ADD CONSTRAINT a_b FOREIGN KEY (b_id) REFERENCES app.b(id);

ALTER TABLE ONLY app.b ADD CONSTRAINT b_a_id_fkey FOREIGN KEY (a_id) REFERENCES app.a(id);

ALTER TABLE ONLY app.lines ADD CONSTRAINT lines_order_id_fkey FOREIGN KEY (order_id) REFERENCES app.orders(id);

ALTER TABLE ONLY app.orders ADD CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES app.users(id) ON DELETE CASCADE;

CREATE TRIGGER touch BEFORE UPDATE ON app.users FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE RULE quiet AS
    ON DELETE TO app.open_orders DO INSTEAD NOTHING;

CREATE POLICY own ON app.orders USING ((user_id = 1));

CREATE PUBLICATION everything;
ALTER PUBLICATION everything ADD TABLE ONLY app.orders;
ALTER PUBLICATION everything ADD TABLE ONLY app.users;

INSERT INTO "public"."schema_migrations" (version, name, source, checksum) VALUES ('20260101000000', 'shop', 'migrations', 'sha256:8b421f9fe7f5fe970f721615316eae3cef6d0dd4406e9223a85f9bf2f9567943');
INSERT INTO "public"."schema_migrations" (version, name, source, checksum) VALUES ('20260203040506', 'tags', 'migrations', 'sha256:390a66ef8c8a3cac3026f8cdc2dac52dd40fd9f6d402e4ff7c8873364982ad89');

-- dbsetup structure end
