//! Every rule on files for PostgreSQL that break it, and on files that nearly do.

use std::collections::BTreeSet;

use dbsetup::sql::Dialect;

use super::super::RULES;
use super::Case;

const CASES: &[Case] = &[
    Case {
        rule: "drop-table",
        broken: &[
            "create table b (i int);\n«drop table if exists a, b»;",
            "«drop table a»; create table a (i int);",
            "-- no-transaction\n«drop table app.\"Big Table\" cascade»;",
            "create table app.a (i int); «drop table a»;",
            "«drop foreign table a»;",
        ],
        kept: &[
            "create table a (i int); drop table a;",
            "create temp table a (i int); drop table a;",
            "create table public.a (i int); drop table A;",
            "create table new_a (i int); drop table a; alter table new_a rename to a;",
            "create function f() returns void language sql as 'drop table a';",
            "comment on table a is 'drop table a';",
        ],
    },
    Case {
        rule: "drop-column",
        broken: &[
            "alter table a\n  add column b int,\n  «drop column if exists c cascade»;",
            "alter type t «drop attribute c»;",
            "alter table only a «drop c»;",
        ],
        kept: &[
            "create table a (i int, j int); alter table a drop column j;",
            "alter table a add column b int; alter table a drop column b;",
            "alter table a alter column b drop not null;",
        ],
    },
    Case {
        rule: "drop-schema",
        broken: &["«drop schema app cascade»;"],
        kept: &["create schema app; drop schema app;"],
    },
    Case {
        rule: "drop-object",
        broken: &[
            "«drop view v»;",
            "«drop materialized view if exists v»; create table w (i int);",
            "«drop function f(int), g(text)»;",
            "«drop type mood»;",
            "«drop extension hstore»;",
            "«drop sequence s»;",
            "«drop domain d»;",
            "«drop operator + (int, int)»;",
            "«drop procedure p»",
            "-- no-transaction\n«drop view v»; create view v as select 1;",
            "-- no-transaction\nbegin; «drop view v»; commit; create view v as select 1;",
            "«drop view v, w»;",
        ],
        kept: &[
            "drop view v; create view v as select 1 as i;",
            "-- no-transaction\nbegin; drop view v; create view v as select 1 as i; commit;",
            "drop function f(int); create function f(i int) returns int language sql as 'select 1';",
            "create type t as enum ('a'); drop type t;",
            "drop trigger g on a; drop index concurrently i;",
        ],
    },
    Case {
        rule: "drop-constraint",
        broken: &[
            "alter table a «drop constraint a_check»;",
            "alter table a «drop constraint a_check»;\nalter table b add constraint a_check check (i > 0) not valid;",
            "-- no-transaction\nalter table a «drop constraint c»; alter table a add constraint c check (i > 0) not valid;",
        ],
        kept: &[
            "alter table a drop constraint c; alter table a add constraint c check (i > 0) not valid;",
            "alter table a drop constraint c, add constraint c check (i > 0) not valid;",
            "create table a (i int constraint c check (i > 0)); alter table a drop constraint c;",
        ],
    },
    Case {
        rule: "drop-default",
        broken: &[
            "alter table a alter column b «drop default»;",
            "alter table a add column b int not null default 0; alter table a alter b «drop default»;",
            "alter table a alter b «drop expression»;",
        ],
        kept: &[
            "alter table a alter b set default 1;",
            "alter table a add column b int default 0; alter table a alter b drop default;",
        ],
    },
    Case {
        rule: "drop-not-null",
        broken: &["alter table a alter b «drop not null»;"],
        kept: &["alter table a add column b int not null default 1; alter table a alter b drop not null;"],
    },
    Case {
        rule: "rename-table",
        broken: &["alter table a «rename to b»;", "alter table if exists app.a «rename to b»;"],
        kept: &[
            "create table a (i int); alter table a rename to b; alter table b rename to c;",
            "alter table a rename to b; create view a as select * from b;",
            "alter index a rename to b;",
        ],
    },
    Case {
        rule: "rename-column",
        broken: &[
            "alter table a «rename column b to c»;",
            "alter table a «rename b to c»;",
            "alter type t «rename attribute b to c»;",
        ],
        kept: &[
            "alter table a rename constraint b to c;",
            "create table a (b int); alter table a rename b to c;",
        ],
    },
    Case {
        rule: "rename-object",
        broken: &[
            "alter view a «rename to b»;",
            "alter type t «rename value 'a' to 'b'»;",
            "alter function f(int) «rename to g»;",
            "alter schema a «rename to b»;",
            "alter role a «rename to b»",
            "alter sequence a «rename to b»;",
        ],
        kept: &[
            "alter index a rename to b;",
            "alter table a rename constraint b to c;",
            "alter trigger t on a rename to u;",
            "create type t as enum ('a'); alter type t rename value 'a' to 'b';",
        ],
    },
    Case {
        rule: "set-schema",
        broken: &["alter table a «set schema app»;", "alter function f(int) «set schema app»;"],
        kept: &["create table a (i int); alter table a set schema app;", "set search_path = app;"],
    },
    Case {
        rule: "alter-identity",
        broken: &[
            "alter table a alter b «add generated always as identity»;",
            "alter table a alter b «drop identity»;",
        ],
        kept: &[
            "alter table a alter b set statistics 100;",
            "create table a (b int not null); alter table a alter b add generated always as identity;",
        ],
    },
    Case {
        rule: "row-level-security",
        broken: &["alter table a «enable row level security»;", "alter table a «force row level security»;"],
        kept: &[
            "create table a (i int); alter table a enable row level security;",
            "create policy p on a using (true);",
        ],
    },
    Case {
        rule: "required-column",
        broken: &[
            "alter table a «add column b int not null»;",
            "alter table a add c int, «add b text not null default null»;",
        ],
        kept: &[
            "alter table a add column b int not null default 0;",
            "alter table a add column b int;",
            "create table a (i int); alter table a add column b int not null;",
            "alter table a add column b bigserial not null;",
            "alter table a add b int generated always as identity not null;",
        ],
    },
    Case {
        rule: "truncate",
        broken: &[
            "«truncate a»;",
            "«truncate a»",
            "select 1;\n«truncate\n  a» -- all of it\n",
            "create table b (i int); «truncate table b, a restart identity»;",
        ],
        kept: &[
            "create table a (i int); truncate a;",
            "create trigger t after truncate on a execute function f();",
        ],
    },
    Case {
        rule: "data-change",
        broken: &[
            "«update a set b = 1»;",
            "«delete from only app.a where b is null»;",
            "«insert into a select * from b»;",
            "«with v as (select * from b) insert into a select * from v»;",
            "«insert into a table b»;",
            "«insert into a select 1 union all select i from (select i from b) c»;",
            "create table b (i int); «insert into a (i) select i from b»;",
            "with gone as («delete from a returning *») select count(*) from gone;",
            "«merge into a using b on a.i = b.i when matched then delete»;",
            "create table n as with gone as («delete from a returning *») select * from gone;",
        ],
        kept: &[
            "create table a (i int); insert into a select i from b; update a set i = 2; delete from a;",
            "insert into a (b) values (1), (2);",
            "insert into a select 1, 'x' where not exists (values (1));",
            "insert into a select i from generate_series(1, 10) i;",
            "insert into a default values;",
            "insert into a select 1, 'x' where not exists (select from a where i = 1);",
            "with v (i) as (values (1), (2)), w as (select i from v) insert into a select i from w;",
            "create rule r as on insert to a do also update b set c = 1;",
            "create function f() returns void language sql begin atomic; update a set b = 1; end;",
            "grant update, delete on a to b;",
            "select 1 from a for update;",
            "insert into a values (1) on conflict (i) do update set i = 2;",
        ],
    },
    Case {
        rule: "blocking-index",
        broken: &[
            "«create unique index if not exists i on a (b)»;",
            "create table a (b int); «create index on c (b)»;",
        ],
        kept: &[
            "create table a (b int); create index i on a (b);",
            "-- no-transaction\ncreate index concurrently i on a (b);",
            "create index i on only a (b);",
            "create materialized view v as select 1 as i; create unique index on v (i);",
        ],
    },
    Case {
        rule: "blocking-drop-index",
        broken: &["«drop index i, j»;"],
        kept: &[
            "-- no-transaction\ndrop index concurrently i;",
            "create table a (b int); create index i on a (b); drop index i;",
        ],
    },
    Case {
        rule: "blocking-reindex",
        broken: &["«reindex table a»;", "-- no-transaction\n«reindex index i»;"],
        kept: &[
            "-- no-transaction\nreindex table concurrently a;",
            "-- no-transaction\nreindex (concurrently) table a;",
        ],
    },
    Case {
        rule: "blocking-detach",
        broken: &["alter table a «detach partition b»;"],
        kept: &[
            "-- no-transaction\nalter table a detach partition b concurrently;",
            "alter table a attach partition b for values in (1);",
        ],
    },
    Case {
        rule: "blocking-refresh",
        broken: &["«refresh materialized view v»;"],
        kept: &[
            "refresh materialized view concurrently v;",
            "create materialized view v as select 1 as i with no data; refresh materialized view v;",
        ],
    },
    Case {
        rule: "validating-constraint",
        broken: &[
            "create table app.a (b int); alter table a «add check (b > 0)»;",
            "alter table a «add constraint c foreign key (b) references d (i)»;",
            "alter table a «add check (b > 0)»;",
            "alter table a add column b int «check (b > 0)»;",
            "alter table a add column b int default 1 «references d»;",
            "alter domain d «add constraint c check (value > 0)»;",
        ],
        kept: &[
            "alter table a add constraint c foreign key (b) references d (i) not valid;",
            "alter table a add check (b > 0) not valid;",
            "alter table a add column b int references d (i);",
            "alter table a add column b int default null references d (i);",
            "create table a (b int); alter table a add foreign key (b) references d (i);",
            "alter domain d add constraint c check (value > 0) not valid;",
            "alter table a validate constraint c;",
        ],
    },
    Case {
        rule: "indexing-constraint",
        broken: &[
            "alter table a «add constraint c unique (b)»;",
            "alter table a «add primary key (b)»;",
            "alter table a «add constraint c exclude using gist (b with &&)»;",
            "alter table a add column b int «unique»;",
        ],
        kept: &[
            "alter table a add constraint c unique using index i;",
            "alter table a add constraint c primary key using index i;",
            "create table a (b int); alter table a add primary key (b);",
        ],
    },
    Case {
        rule: "set-not-null",
        broken: &[
            "alter table a alter column b «set not null»;",
            "alter table a add constraint c check (b is not null) not valid; alter table a alter b «set not null»;",
            "alter domain d «set not null»;",
        ],
        kept: &[
            "alter table a validate constraint c; alter table a alter column b set not null;",
            "create table a (b int); alter table a alter b set not null;",
        ],
    },
    Case {
        rule: "column-type",
        broken: &[
            "alter table a alter column b «type bigint»;",
            "alter table a alter b «set data type varchar(100)»;",
            "alter table a alter b «type text using b::text»;",
            "alter type t «alter attribute b type bigint»;",
            "alter table a alter b «type text[]»;",
        ],
        kept: &[
            "alter table a alter b type text;",
            "create table a (b int); alter table a alter b type bigint;",
            "alter table a add b int; alter table a alter b type bigint;",
        ],
    },
    Case {
        rule: "widen-column",
        broken: &[
            "alter table a alter b «type text»;",
            "alter table a alter b «type character varying»;",
            "alter table a alter b «type numeric»;",
        ],
        kept: &["alter table a alter b type numeric(10, 2);", "alter table a alter b type text using 'x';"],
    },
    Case {
        rule: "table-rewrite",
        broken: &[
            "alter table a add column b uuid default «gen_random_uuid()»;",
            "alter table a add b int default «(random() * 10)::int»;",
            "alter table a add b int «generated always as identity»;",
            "alter table a add b int «generated always as (c + 1) stored»;",
            "alter table a «add b serial»;",
            "alter table a add b text default «my_function()»;",
            "alter table a add b text default «case when true then 'a' else app.now() end»;",
            "-- no-transaction\n«vacuum full a»;",
            "-- no-transaction\n«vacuum (full, analyze) a»;",
            "«cluster a using i»;",
            "«alter table a set unlogged»;",
            "alter table a add b text default «lower(random()::text)»;",
        ],
        kept: &[
            "alter table a add b int default -1;",
            "alter table a add b int default (1 + 2);",
            "alter table a add b timestamptz default now();",
            "alter table a add b date default current_date;",
            "alter table a add b text default case when true then 'a' else chr(10) end;",
            "alter table a add b int default extract(year from now());",
            "alter table a add b timestamptz not null default (now() at time zone 'utc');",
            "alter table a add b text default lower('X');",
            "alter table a add b jsonb not null default '{}'::jsonb;",
            "alter table a add b text[] default array['a', 'b']::text[];",
            "alter table a add b interval default interval '1 day';",
            "alter table a add b timestamptz default pg_catalog.now() + '1 day'::interval;",
            "alter table a add b int generated always as (c + 1) virtual;",
            "alter table a add b uuid; alter table a alter b set default gen_random_uuid();",
            "create table a (b uuid default gen_random_uuid()); alter table a add c serial;",
            "-- no-transaction\nvacuum a;",
            "-- no-transaction\nvacuum (full off) a;",
            "alter table a cluster on i;",
        ],
    },
    Case {
        rule: "lock-table",
        broken: &["«lock table a»;", "«lock a in share row exclusive mode»;"],
        kept: &["lock table a in row exclusive mode;", "create table a (i int); lock table a;"],
    },
    Case {
        rule: "several-tables",
        broken: &[
            "alter table a add x int;\n«alter table b add x int»;\nalter table c add x int;",
            "alter table a add x int; «drop table b»;",
        ],
        kept: &[
            "alter table a add x int; alter table a add y int;",
            "create table b (i int); alter table a add x int; alter table b add x int;",
            "-- no-transaction\nalter table a add x int; alter table b add x int;",
            "alter table a validate constraint c; alter table b validate constraint c;",
        ],
    },
    Case {
        rule: "validate-with-add",
        broken: &[
            "alter table a add constraint c check (b > 0) not valid;\nalter table a «validate constraint c»;",
            "-- no-transaction\nbegin; alter table a add constraint c check (b > 0) not valid; alter table a «validate constraint c»; commit;",
        ],
        kept: &[
            "-- no-transaction\nalter table a add constraint c check (b > 0) not valid;\nalter table a validate constraint c;",
            "alter table a validate constraint c;",
        ],
    },
    Case {
        rule: "needs-no-transaction",
        broken: &[
            "«create index concurrently i on a (b)»;",
            "select 1;\n«create index concurrently i on a (b)»;",
            "«vacuum a»;",
            "«drop index concurrently i»;",
            "«alter table a detach partition b concurrently»;",
            "«reindex (concurrently) table a»;",
            "-- no-transaction\nbegin; select 1; «create index concurrently i on a (b)»; commit;",
        ],
        kept: &[
            "-- no-transaction\nbegin; select 1; commit; create index concurrently i on a (b);",
            "-- no-transaction\ncreate index concurrently i on a (b);\nvacuum a;",
            "refresh materialized view concurrently v;",
            "alter type t add value 'x';",
        ],
    },
    Case {
        rule: "transaction-control",
        broken: &[
            "create table a (i int);\n«COMMIT»;",
            "«begin»; select 1;",
            "«rollback»;",
            "«start transaction isolation level serializable»;",
            "-- no-transaction\nselect 1; «commit»;",
            "-- no-transaction\n«begin»; select 1;",
            "-- no-transaction\nbegin; select 1; «rollback»; commit;",
        ],
        kept: &[
            "savepoint a; rollback to a; release a;",
            "-- no-transaction\nbegin; select 1; commit;",
            "do $$ begin perform 1; end $$;",
        ],
    },
    Case {
        rule: "lock-timeout",
        broken: &[
            "«set lock_timeout = 0»;",
            "«set local lock_timeout to '0ms'»;",
            "«SET SESSION lock_timeout TO DEFAULT»;",
            "«reset lock_timeout»;",
            "«select set_config('lock_timeout', '0', true)»;",
            "«select pg_catalog.set_config('lock_timeout', '0', true)»;",
        ],
        kept: &[
            "set lock_timeout = '5s';",
            "set statement_timeout = 0;",
            "set local lock_timeout to 10;",
            "select 'lock_timeout', 0;",
            "select set_config('lock_timeout', '10s', true);",
            "show lock_timeout;",
        ],
    },
    Case {
        rule: "do-block",
        broken: &["«do $$ begin drop table a; end $$»;"],
        kept: &["create function f() returns void language plpgsql as $$ begin drop table a; end $$;"],
    },
    Case {
        rule: "drop-database",
        broken: &["-- no-transaction\n«drop database if exists a»;"],
        kept: &["comment on database a is 'drop database';"],
    },
];

#[test]
fn every_rule_finds_what_breaks_it_and_nothing_else() {
    for case in CASES {
        case.hold(Dialect::Postgres);
    }
}

#[test]
fn every_rule_is_tried() {
    let tried: BTreeSet<_> = CASES.iter().map(|case| case.rule).chain(["unread", "allow"]).collect();
    let rules: BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(tried, rules);
}
