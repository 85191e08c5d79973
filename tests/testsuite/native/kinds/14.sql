-- What PostgreSQL 14 added. Read by kinds.rs.

-- block multirange after functions
create type app.span as range (subtype = double precision, subtype_diff = float8mi, multirange_type_name = app.many_spans);
create type app.code_range as range (subtype = text, collation = "C");

-- block standard-bodies after accounts
create function app.standard(a integer) returns integer language sql immutable return a + 1;
create function app.atomic(wanted text) returns bigint language sql begin atomic
  select count(*) from app.accounts a, generate_series(1, 1) g where a.name = wanted and g.g = 1;
  select case when max(a.id) > 0 then 1 else 2 end from app.accounts a, generate_series(1, 1) g;
end;
create procedure app.outs(in a integer, out b integer) language plpgsql as $$ begin b := a; end $$;

-- block compression after schemas
create table app.compressed (id integer, body text compression pglz);

-- block expression-statistics after accounts
create statistics app.expression_stats (mcv) on (tenant % 10), (lower(name)) from app.accounts;

-- block multi-minmax after partitions
create index numeric_keys_brin on app.numeric_keys using brin (key numeric_minmax_multi_ops);
