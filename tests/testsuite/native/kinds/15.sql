-- What PostgreSQL 15 added. Read by kinds.rs.

-- block nulls-not-distinct after schemas
create table app.unique_nulls (a integer, b integer, constraint ab unique nulls not distinct (a, b));
create unique index unique_nulls_b on app.unique_nulls (b) nulls not distinct;

-- block set-null-columns after accounts
create table app.half_null (tenant integer, name text, foreign key (tenant, name) references app.accounts (tenant, name) on delete set null (name));

-- block invoker after orders
create view app.invoked with (security_invoker = true) as select o.id, a.name from app.orders o join app.accounts a on a.id = o.account;

-- block unlogged-sequence after schemas
create unlogged sequence app.fast_seq;

-- block filtered-publications after orders
create publication app_schema for tables in schema reports;
create publication app_filtered for table app.accounts (id, name) where (id > 10);

-- block locale after schemas
create collation app.german (provider = icu, locale = 'de-u-co-phonebk', deterministic = false);
