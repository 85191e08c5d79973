-- Objects of many kinds, as PostgreSQL 12 has them. Read by kinds.rs.
--
-- A line `-- block NAME [after NAME ..] [until MAJOR]` begins a block; blocks run in any order that their `after` allows,
-- and never above the major version behind `until`. {role} and {other} stand for names of roles that the test makes.

-- block schemas
create schema app;
comment on schema app is 'What the application''s tables are in';
create schema "Quoted Schema-1";
create schema reports;

-- block extensions after schemas
create extension citext with schema app;
create extension btree_gist with schema public;
create extension unaccent with schema reports;

-- block enums after schemas
create type app.mood as enum ('sad', 'it''s ok', 'very "happy"', 'größer');
alter type app.mood add value 'between' before 'it''s ok';
comment on type app.mood is E'Several\nlines; with a semicolon';
create type "Quoted Schema-1"."Select" as enum ();

-- block domains after enums functions
create domain app.email as text collate "C" not null default 'nobody@example.com'
  constraint has_at check (value like '%@%') constraint is_short check (length(value) < 200);
comment on constraint has_at on domain app.email is 'an address';
create domain app.moods as app.mood[] check (array_length(value, 1) > 0);
create domain app.checked as integer check (app.is_even(value));
create domain app.later as integer;
alter domain app.later add constraint positive check (value > 0) not valid;

-- block composites after domains
create type app.point3 as (x double precision, y double precision, "Z axis" numeric(10, 3));
create type app.nested as (origin app.point3, points app.point3[], name text collate "C", mail app.email);
comment on column app.point3."Z axis" is 'upwards';

-- block range after functions until 13
create type app.span as range (subtype = double precision, subtype_diff = float8mi);
create type app.code_range as range (subtype = text, collation = "C");

-- block base-type after schemas
create type app.label;
create function app.label_in(cstring) returns app.label language internal immutable strict as 'textin';
create function app.label_out(app.label) returns cstring language internal immutable strict as 'textout';
create type app.label (input = app.label_in, output = app.label_out, internallength = variable, storage = extended,
  category = 'S', default = 'none', delimiter = '|');
create type app.promised;

-- block functions after enums
create function app.is_even(integer) returns boolean language sql immutable strict as 'select $1 % 2 = 0';
create function app.defaults(a integer, b text default 'x''y', c timestamptz default '2020-01-01 00:00:00+00', variadic d numeric[] default '{}')
  returns text language plpgsql stable cost 3.5 as $body$
begin
  -- a comment; with a semicolon
  return format('%s %s %s', a, b, c);
end
$body$;
create function app.outs(in i integer, inout j integer, out k text) language sql as $$ select j + i, 'k' $$;
create function app.table_of(n integer) returns table (id integer, "Name" text) language sql rows 7
  set search_path to app, "Quoted Schema-1" set work_mem to '8MB' as $$ select n, 'a' $$;
create function app.set_of() returns setof text language sql parallel safe as $$ select 'a'::text $$;
create function app.overloaded(integer) returns integer language sql as 'select $1';
create function app.overloaded(text) returns integer language sql security definer as 'select 1';
create function app.overloaded(integer, text default null) returns integer language sql leakproof as 'select 1';
create function app."odd $name$"(text) returns text language sql as $outer$ select $$inner; text$$ || $1 $outer$;
create function app.touched() returns trigger language plpgsql as $$ begin return new; end $$;
create function app.on_command() returns event_trigger language plpgsql as $$ begin null; end $$;
create procedure app.work(a integer, b text default 'b') language plpgsql as $$ begin perform 1; end $$;
comment on function app.overloaded(integer) is 'the first';
comment on procedure app.work(integer, text) is 'works';
create function app.window_like(integer) returns bigint language internal window immutable as 'window_row_number';

-- block aggregates after functions
create aggregate app.total(numeric) (sfunc = numeric_add, stype = numeric, initcond = '0', parallel = safe);
create function app.gather(text[], variadic text[]) returns text[] language sql immutable as 'select $1 || $2';
create aggregate app.gathered(variadic text[]) (sfunc = app.gather, stype = text[]);
create aggregate app.share(order by anyelement) (sfunc = ordered_set_transition, stype = internal, finalfunc = mode_final, finalfunc_extra);
create aggregate app.moving(double precision) (sfunc = float8pl, stype = float8, msfunc = float8pl, minvfunc = float8mi, mstype = float8, initcond = '0', minitcond = '0');
create aggregate app.largest(integer) (sfunc = int4larger, stype = integer, sortop = >);
comment on aggregate app.total(numeric) is 'a sum';

-- block operators after functions
create function app.almost(double precision, double precision) returns boolean language sql immutable as 'select abs($1 - $2) < 0.1';
create operator app.~~~ (leftarg = double precision, rightarg = double precision, function = app.almost, commutator = operator(app.~~~), negator = operator(app.!~~~), restrict = eqsel, join = eqjoinsel);
create function app.unlike(double precision, double precision) returns boolean language sql immutable as 'select abs($1 - $2) >= 0.1';
create operator app.!~~~ (leftarg = double precision, rightarg = double precision, function = app.unlike, commutator = operator(app.!~~~), negator = operator(app.~~~));
create operator app.@#@ (rightarg = bigint, function = int8abs);
comment on operator app.~~~ (double precision, double precision) is 'nearly the same';

-- block operator-classes after schemas
create operator family app.numbers using btree;
create operator class app.int4_reversed for type integer using btree family app.numbers as
  operator 1 >, operator 2 >=, operator 3 =, operator 4 <=, operator 5 <, function 1 btint4cmp(integer, integer);
alter operator family app.numbers using btree add operator 1 < (integer, bigint), function 1 (integer, bigint) btint48cmp(integer, bigint);
comment on operator class app.int4_reversed using btree is 'backwards';
comment on operator family app.numbers using btree is 'of numbers';

-- block casts after composites base-type
create function app.to_point3(double precision) returns app.point3 language sql immutable as 'select row($1, $1, $1)::app.point3';
create cast (double precision as app.point3) with function app.to_point3(double precision) as assignment;
create cast (app.label as text) without function as implicit;
create cast (text as app.mood) with inout;
comment on cast (double precision as app.point3) is 'a diagonal';

-- block conversions after schemas
create conversion app.from_latin for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
comment on conversion app.from_latin is 'old files';

-- block collations after schemas
create collation app.plain (provider = libc, locale = 'C');
create collation app.mixed (lc_collate = 'C', lc_ctype = 'POSIX');
comment on collation app.plain is 'bytes';

-- block text-search after schemas
create text search template app.simple_again (init = dsimple_init, lexize = dsimple_lexize);
create text search dictionary app.plain_words (template = pg_catalog.simple, stopwords = english, accept = 'false');
create text search parser app.words (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype);
create text search configuration app.search (parser = pg_catalog."default");
alter text search configuration app.search add mapping for asciiword, word with app.plain_words, pg_catalog.english_stem;
alter text search configuration app.search add mapping for email with pg_catalog.simple;
comment on text search configuration app.search is 'of articles';
comment on text search dictionary app.plain_words is 'words';

-- block languages after schemas
create language app_sql handler plpgsql_call_handler inline plpgsql_inline_handler validator plpgsql_validator;
create access method app_heap type table handler heap_tableam_handler;
comment on access method app_heap is 'a heap';

-- block sequences after schemas
create sequence app.plain_seq;
create sequence app.all_options as smallint increment by -3 minvalue -300 maxvalue 30 start with 9 cache 5 cycle;
create sequence "Quoted Schema-1"."Seq With Space" start 100;
comment on sequence app.plain_seq is 'counts';

-- block accounts after extensions domains composites functions sequences collations
create table app.accounts (
  id bigserial primary key,
  tenant integer not null,
  email app.email,
  name text collate app.plain not null default 'it''s; "quoted"',
  nickname app.citext,
  state app.mood default 'it''s ok' not null,
  home app.point3,
  tags text[] default '{a,"b c"}'::text[],
  born date default '2000-02-29',
  created timestamptz not null default '2020-06-01 12:00:00+00',
  wait interval default '1 year 2 months 3 days 04:05:06.789',
  ratio double precision default 0.1::double precision,
  price numeric(12, 2) default 1.50,
  payload jsonb default '{"a": [1, 2]}',
  picture bytea default '\x00ff'::bytea,
  flags bit varying(5) default B'101',
  fixed char(3) default 'x',
  moment time(3) with time zone,
  number integer default nextval('app.plain_seq'),
  total numeric generated always as (price * 2) stored,
  constraint "Price positive" check (price > 0),
  constraint accounts_tenant_name unique (tenant, name),
  constraint not_inherited check (tenant > 0) no inherit
);
alter table app.accounts drop column flags;
alter table app.accounts alter column name set statistics 500, alter column payload set storage external,
  alter column tenant set (n_distinct = 10, n_distinct_inherited = -0.5);
alter table app.accounts set (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false);
alter table app.accounts add constraint odd check (number % 2 = 1) not valid;
comment on table app.accounts is 'who; pays';
comment on column app.accounts.email is 'E''mail';
comment on constraint "Price positive" on app.accounts is 'no gifts';
create index accounts_lower on app.accounts (lower(name) text_pattern_ops desc nulls last);
create index accounts_partial on app.accounts using btree (tenant, id) include (name) where state <> 'sad';
create unique index accounts_email on app.accounts (email);
create index accounts_payload on app.accounts using gin (payload jsonb_path_ops) with (fastupdate = off);
create index accounts_born on app.accounts using brin (born) with (pages_per_range = 16);
create index accounts_tags on app.accounts using gin (tags);
create index accounts_hash on app.accounts using hash (name);
create index accounts_expression on app.accounts ((tenant * 2), (price + 1));
alter index app.accounts_expression alter column 2 set statistics 77;
comment on index app.accounts_lower is 'by name';
comment on index app.accounts_tenant_name is 'by tenant';
create statistics app.accounts_stats (ndistinct, dependencies) on tenant, state from app.accounts;
comment on statistics app.accounts_stats is 'go together';

-- block identities after schemas
create table app.identities (
  a integer generated always as identity,
  b bigint generated by default as identity (sequence name app.named_sequence start with 10 increment by 10 maxvalue 1000 cycle),
  c smallint generated always as identity primary key
);
create unlogged table app.fast (id integer generated always as identity, note text);
create table app.renamed_serial (old_id serial, value text);
alter table app.renamed_serial rename column old_id to id;
alter sequence app.renamed_serial_old_id_seq as bigint maxvalue 5000;
create table app.empty ();
create table "Quoted Schema-1"."Order" ("Select" integer, "select" integer, "a""b" text, constraint "Order pk" primary key ("Select", "select"));
comment on column "Quoted Schema-1"."Order"."a""b" is 'quotes';

-- block orders after accounts identities
create table app.orders (
  id uuid primary key,
  account bigint not null references app.accounts on delete cascade,
  tenant integer, account_name text,
  parent uuid constraint parent_order references app.orders deferrable initially deferred,
  during tstzrange not null,
  room integer not null,
  constraint tenant_name foreign key (tenant, account_name) references app.accounts (tenant, name) match full on update set null on delete set default,
  constraint no_overlap exclude using gist (room with =, during with &&) where (room > 0) deferrable,
  constraint room_once unique (room, account) deferrable initially deferred
);
alter table app.orders add constraint late foreign key (account) references app.accounts (id) not valid;
alter table app.orders replica identity using index orders_pkey;
alter table app.orders cluster on orders_pkey;
alter table app.fast replica identity nothing;
alter table app.identities replica identity full;
comment on constraint late on app.orders is 'not looked at yet';

-- block circles after schemas
create table app.hen (id integer primary key, egg integer);
create table app.egg (id integer primary key, hen integer references app.hen);
alter table app.hen add constraint hen_egg foreign key (egg) references app.egg;

-- block row-argument after schemas
create table app.described (id integer primary key, note text);
create function app.describe(app.described) returns text language sql immutable as $$ select $1.note $$;
alter table app.described add constraint says_something check (app.describe(described) <> '');

-- block typed after composites
create table app.points of app.point3 (x with options not null default 1.5, primary key (x));

-- block inheritance after schemas
create table app.vehicles (id serial primary key, wheels integer not null default 4, name text check (name <> ''));
create table app.cars (doors integer default 3, wheels integer default 5) inherits (app.vehicles);
create table app.boats (wheels integer default 0, constraint floats check (wheels = 0)) inherits (app.vehicles);
alter table app.boats alter column name set not null;
create table app.amphibians (depth integer, wheels integer default 1) inherits (app.cars, app.boats);

-- block partitions after functions accounts
create table app.events (id bigint not null, at timestamptz not null, region text not null default 'eu', value numeric,
  primary key (id, at, region)) partition by range (at);
create table app.events_2020 partition of app.events for values from ('2020-01-01 00:00:00+00') to ('2021-01-01 00:00:00+00');
create table app.events_2021 (region text not null default 'us', value numeric, dropped integer, at timestamptz not null, id bigint not null);
alter table app.events_2021 drop column dropped;
alter table app.events attach partition app.events_2021 for values from ('2021-01-01 00:00:00+00') to ('2022-01-01 00:00:00+00');
create table app.events_rest partition of app.events default partition by list (region);
create table app.events_eu partition of app.events_rest for values in ('eu', null);
create table app.events_hash partition of app.events_rest default partition by hash (id);
create table app.events_h0 partition of app.events_hash for values with (modulus 2, remainder 0);
create table app.events_h1 partition of app.events_hash (value default 7, check (value < 1000)) for values with (modulus 2, remainder 1) with (fillfactor = 60);
create index events_value on app.events (value);
create unique index events_odd_name on app.events (at, id, region);
create index only_parent on only app.events (region);
create table app.event_notes (event bigint, at timestamptz, region text, foreign key (event, at, region) references app.events);
create table app.numeric_keys (key numeric primary key);
alter table app.events add constraint owner foreign key (value) references app.numeric_keys;
comment on table app.events_2020 is 'a partition';
comment on index app.events_value is 'of all partitions';

-- block triggers after accounts functions
create trigger touch before insert or update of name, price on app.accounts for each row when (new.price > 1) execute function app.touched('a', 'it''s');
create trigger statement_level after delete on app.accounts for each statement execute function app.touched();
create trigger transition after update on app.accounts referencing old table as before new table as after for each statement execute function app.touched();
create constraint trigger checked after insert on app.accounts deferrable initially deferred for each row execute function app.touched();
create trigger off before truncate on app.accounts execute function app.touched();
alter table app.accounts disable trigger off;
alter table app.accounts enable always trigger touch;
alter table app.accounts enable replica trigger statement_level;
comment on trigger touch on app.accounts is 'touches';

-- block rules after circles
create rule no_delete as on delete to app.hen do instead nothing;
create rule log_update as on update to app.egg where new.hen is null do also (insert into app.hen (id) values (new.id); delete from app.egg where egg.id < 0);
alter table app.egg disable rule log_update;
comment on rule no_delete on app.hen is 'hens stay';

-- block policies after accounts
alter table app.accounts enable row level security;
alter table app.accounts force row level security;
create policy everyone on app.accounts using (tenant > 0) with check (tenant > 1);
create policy "some" on app.accounts as restrictive for update to {role}, {other} using (name = current_user);
comment on policy everyone on app.accounts is 'all';

-- block views after orders circles
create view app.open_orders with (security_barrier) as
  select o.id, a.name, a.tenant from app.orders o join app.accounts a on a.id = o.account where a.state <> 'sad';
create view app.own_accounts as select a.id, a.tenant from app.accounts a where a.tenant > 5 with local check option;
create view app.constants (one, two) as select 1, 'zwei'::text;
alter view app.constants alter column one set default 11;
comment on view app.open_orders is 'open';
comment on column app.open_orders.name is 'whose';
create recursive view app.numbers_to_five (n) as values (1) union all select n + 1 from numbers_to_five where n < 5;
create view app.grouped as select h.id, h.egg, count(e.id) as eggs from app.hen h left join app.egg e on e.hen = h.id group by h.id;
create view app.second_view as select g.id, c.two from app.grouped g cross join app.constants c;
create materialized view app.summary with (fillfactor = 80) as select a.tenant, o.id from app.accounts a join app.orders o on o.account = a.id with no data;
create unique index summary_id on app.summary (id);
create materialized view app.summary_of_summary as select s.tenant, c.one from app.summary s cross join app.constants c with no data;
comment on materialized view app.summary is 'sums';
create rule insert_constant as on insert to app.constants do instead insert into app.hen (id) values (new.one);

-- block view-circle after schemas
create view app.circle_a as select 1 as one, 'x'::text as two;
create view app.circle_b as select a.one, a.two from app.circle_a a, generate_series(1, 1) g;
create or replace view app.circle_a as select b.one, b.two from app.circle_b b, generate_series(1, 1) g;

-- block foreign after schemas
create foreign data wrapper app_wrapper options (debug 'true');
create server app_server type 'files' version '1' foreign data wrapper app_wrapper options (host 'localhost', "Odd name" 'it''s');
create foreign table app.remote (id integer options (column_name 'ID') not null, value text default 'x' collate "C", check (id > 0)) server app_server options (path '/a b');
comment on foreign table app.remote is 'far away';
comment on server app_server is 'a server';

-- block publications after orders
create publication app_all for all tables with (publish = 'insert, update');
create publication app_some for table app.accounts, only app.orders;
create publication app_none with (publish = '');
comment on publication app_some is 'some';

-- block event-triggers after functions
create event trigger app_guard on ddl_command_end when tag in ('DROP TABLE', 'CREATE INDEX') execute function app.on_command();
alter event trigger app_guard disable;
comment on event trigger app_guard is 'guards';

-- block grants after accounts views sequences functions identities
grant usage, create on schema app to {role};
grant select, insert on app.accounts to {role} with grant option;
grant select (id, room), update (room) on app.orders to public;
grant usage on sequence app.plain_seq to {role};
revoke execute on function app.is_even(integer) from public;
grant execute on function app.is_even(integer) to {role};
grant usage on type app.mood to {role};
revoke usage on language sql from public;
grant usage on language sql to public;
alter default privileges in schema reports grant select on tables to {role};
alter default privileges for role {other} revoke execute on functions from public;
alter table app.fast owner to {other};
alter schema reports owner to {role};
