-- Owners and privileges of everything that has them. The roles are made by the test.
create schema app authorization dbsetup_own;
create schema shared;
set role dbsetup_own;
create table app.things (id serial primary key, name text, size int generated always as identity);
create table app.revoked (id int);
create table app.emptied (id int);
create view app.seen as select id from app.things;
create materialized view app.kept as select id from app.things;
create sequence app.counter;
create type app.mood as enum ('sad', 'ok');
create type app.pair as (a int, b int);
create type app.span as range (subtype = float8);
create domain app.small as int;
create function app.secret(a int, variadic b text[]) returns int language sql as 'select 1';
create function app.secret() returns int language sql as 'select 1';
create procedure app.run(a int) language sql as 'select 1';
create function app.plus(int, int) returns int language sql as 'select $1 + $2';
create aggregate app.total(int) (sfunc = app.plus, stype = int);
create aggregate app.of_all(*) (sfunc = int8inc, stype = bigint, initcond = '0');
create operator app.|+| (function = app.plus, leftarg = int, rightarg = int);
create collation app.plainly (locale = 'C');
create conversion app.latin for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
create text search dictionary app.words (template = simple);
create text search configuration app.search (copy = simple);
create statistics app.both on id, name from app.things;
reset role;
create operator family app.family using btree;
alter operator family app.family using btree owner to dbsetup_own;
create operator class app.class for type int using btree family app.family as operator 1 <, function 1 btint4cmp(int, int);
alter operator class app.class using btree owner to dbsetup_own;
create foreign data wrapper wrapper;
create server far foreign data wrapper wrapper;
alter server far owner to dbsetup_own;
create foreign table app.distant (id int) server far;
alter foreign table app.distant owner to "dbsetup Zoe";
create publication news for table app.things;
alter publication news owner to dbsetup_own;

-- Chains: who grants is not who owns.
set role dbsetup_own;
grant usage on schema app to public;
grant select, insert, update on app.things to dbsetup_ann with grant option;
grant delete on app.things to dbsetup_ann;
grant all on app.counter to dbsetup_bob with grant option;
revoke grant option for update on app.counter from dbsetup_bob;
revoke delete, truncate on app.revoked from dbsetup_own;
revoke all on app.emptied from dbsetup_own;
set role dbsetup_ann;
grant select on app.things to dbsetup_bob with grant option;
grant insert on app.things to public;
grant update (name, id), select (size) on app.things to "dbsetup Zoe";
set role dbsetup_bob;
grant select on app.things to "dbsetup Zoe";
set role dbsetup_own;
grant insert (name) on app.things to dbsetup_bob with grant option;
grant references (id) on app.things to public;
set role dbsetup_bob;
grant insert (name) on app.things to "dbsetup Zoe";
set role dbsetup_own;

-- Every kind of object.
grant select on app.seen to dbsetup_ann;
grant select on app.kept to dbsetup_ann;
grant usage on sequence app.things_id_seq, app.things_size_seq to dbsetup_ann;
revoke usage on type app.mood from public;
grant usage on type app.mood to dbsetup_ann;
revoke all on type app.pair from public;
revoke all on type app.small from public;
revoke all on type app.span from public, dbsetup_own;
revoke execute on function app.secret(int, text[]) from public;
grant execute on function app.secret(int, text[]) to dbsetup_ann with grant option;
revoke execute on procedure app.run from public;
revoke execute on function app.total(int) from public;
revoke execute on function app.of_all() from public;
reset role;
grant usage on foreign data wrapper wrapper to dbsetup_ann with grant option;
grant usage on foreign server far to dbsetup_ann;
grant select on app.distant to dbsetup_ann;
revoke usage on language plpgsql from public;
grant usage on language plpgsql to dbsetup_ann;
grant create on schema shared to dbsetup_ann with grant option;
revoke usage on schema public from public;
grant all on schema public to dbsetup_bob;

-- What the engine made.
revoke execute on function pg_catalog.pg_sleep(double precision) from public;
grant select on table pg_catalog.pg_authid to dbsetup_bob;
grant select (rolname) on table pg_catalog.pg_authid to dbsetup_ann;
revoke select on table pg_catalog.pg_class from public;
grant select (relname) on table pg_catalog.pg_class to public;
alter function pg_catalog.pg_reload_conf() owner to dbsetup_own;
revoke execute on function pg_catalog.pg_reload_conf() from dbsetup_own;
grant execute on function pg_catalog.pg_reload_conf() to dbsetup_bob;

-- Defaults.
alter default privileges for role dbsetup_own revoke execute on functions from public;
alter default privileges for role dbsetup_own revoke select on tables from dbsetup_own;
alter default privileges for role dbsetup_own in schema app grant select on tables to dbsetup_ann with grant option;
alter default privileges for role dbsetup_own in schema app grant all on sequences to dbsetup_ann;
alter default privileges for role "dbsetup Zoe" grant usage on schemas to dbsetup_ann;
alter default privileges for role "dbsetup Zoe" grant usage on types to dbsetup_ann;
-- since 17
grant maintain on table app.kept to dbsetup_bob;
