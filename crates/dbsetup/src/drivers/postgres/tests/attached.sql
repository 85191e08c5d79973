-- What hangs on relations, and on the database: one of each, with each property.
create schema app;
create schema "Other";
create function app.touch() returns trigger language plpgsql as $$ begin return new; end $$;
create function app.heed() returns event_trigger language plpgsql as $$ begin end $$;
create table app.plain (id int primary key, name text collate "C", score float8, constraint short check (length(name) < 100));
create table app.parted (id int not null, at date not null) partition by range (at);
create table app.parted_1 partition of app.parted for values from ('2020-01-01') to ('2021-01-01') partition by range (at);
create table app.parted_1_a partition of app.parted_1 for values from ('2020-01-01') to ('2020-06-01');
create table app.parted_1_b partition of app.parted_1 for values from ('2020-06-01') to ('2021-01-01');
create table app.parted_2 partition of app.parted for values from ('2021-01-01') to ('2022-01-01');
alter table app.parted add constraint parted_key primary key (id, at);
create table app.child (id int generated always as identity primary key, plain int references app.plain, other bigserial);
create type app.pair as (a int, b text);
create type app.span_range as range (subtype = float8);
create domain app.small as int constraint little check (value < 10);

-- Views: names that need quotes, options, defaults, a loop.
create view app.view with (security_barrier = true, check_option = local) as select id, name as "Name" from app.plain where id > 0;
create view app."View 2" as select v.id as "select", v."Name" || ';' as b, 'a;b'::varchar(10) as c from app.view v;
alter view app."View 2" alter column c set default 'x', alter column "select" set default 1 + 1;
create view app.nothing as select;
create view app.loop as select 1 as id, 'x'::text collate "C" as name, null::numeric(10, 2) as price;
create function app.of_loop(app.loop) returns int language sql as 'select $1.id';
create or replace view app.loop as select id, name, app.of_loop(row(id, name, null)::app.loop)::numeric(10, 2) as price from app.plain;
create rule quiet as on insert to app.loop do instead nothing;
comment on view app.loop is 'of a loop';
comment on column app.loop.price is 'made of itself';
comment on rule "_RETURN" on app.view is 'the query';

create materialized view app.kept with (fillfactor = 70, toast.autovacuum_enabled = off) as select * from app.view with data;
create unique index on app.kept (id);
alter materialized view app.kept alter column "Name" set statistics 7, alter column "Name" set storage external,
  alter column id set (n_distinct = 5);
alter materialized view app.kept cluster on kept_id_idx;
create access method other type table handler heap_tableam_handler;
create materialized view app.of_kept using other as select count(*) as all_of_them from app.kept with no data;
comment on materialized view app.kept is 'kept';

-- Rules.
create rule plain_log as on update to app.plain where old.id <> new.id do also (delete from app.child where plain = old.id; insert into app.child (plain) values (new.id));
create rule "Off" as on delete to app.plain do also nothing;
create rule replica as on insert to app.plain do also notify app;
create rule forever as on insert to app.plain do also nothing;
alter table app.plain disable rule "Off";
alter table app.plain enable replica rule replica;
alter table app.plain enable always rule forever;
comment on rule forever on app.plain is 'always';

-- Triggers.
create trigger before_all before insert or update of name, score on app.plain for each row when (new.id > 0) execute function app.touch('a', 'it''s');
create trigger off after delete on app.plain for each statement execute function app.touch();
create trigger replica after truncate on app.plain execute function app.touch();
create trigger forever after update on app.plain referencing old table as was new table as "is" execute function app.touch();
alter table app.plain disable trigger off;
alter table app.plain enable replica trigger replica;
alter table app.plain enable always trigger forever;
create constraint trigger late after insert on app.plain deferrable initially deferred for each row execute function app.touch();
create trigger instead instead of insert on app.view for each row execute function app.touch();
create trigger on_parts after insert on app.parted for each row execute function app.touch();
create trigger off_parts after update on app.parted for each row execute function app.touch();
alter table app.parted disable trigger off_parts;
alter table only app.parted_1 enable replica trigger on_parts;
alter table only app.parted_1_a enable always trigger on_parts;
alter table only app.parted_2 disable trigger on_parts;
alter table only app.parted_1_b enable trigger off_parts;
comment on trigger late on app.plain is 'late';
comment on trigger on_parts on app.parted is 'on parts';
comment on trigger on_parts on app.parted_1 is 'on a part';
comment on trigger on_parts on app.parted_1_b is 'on a part of it';
-- Those that check a foreign key have no names that could be written.
alter table app.child disable trigger all;
create trigger beside before insert on app.child for each row execute function app.touch();

-- Policies.
alter table app.plain enable row level security;
create policy everyone on app.plain;
create policy "Read" on app.plain for select using (name = current_user and score > 0);
create policy fill on app.plain as restrictive for insert to pg_monitor, pg_read_all_stats with check (id > 0);
create policy alter_some on app.plain for update to public using (true) with check (id in (select plain from app.child));
create policy remove on app.plain for delete to session_user using (id is null);
comment on policy "Read" on app.plain is 'read';

-- Statistics.
create statistics app.both (ndistinct, dependencies, mcv) on id, name from app.plain;
create statistics "Other".two on score, id from app.plain;
comment on statistics app.both is 'both';

-- Publications.
create publication all_of_it for all tables with (publish = 'insert, truncate');
create publication nothing with (publish = '');
create publication "Some" for table app.plain, app.child;
comment on publication "Some" is 'some';

-- Foreign servers; postgresql_fdw_validator is built in.
create foreign data wrapper bare;
create foreign data wrapper "Full" validator postgresql_fdw_validator;
create foreign data wrapper optioned options ("user" 'a=b', host 'it''s', z '');
create server bare foreign data wrapper bare;
create server "Far" type 'a type' version '1.2' foreign data wrapper "Full" options (port '5432', host 'far', dbname 'x');
comment on foreign data wrapper bare is 'bare';
comment on server "Far" is 'far';

-- Comments on what has no statement of its own.
comment on column app.plain.name is E'with ''quotes'' and \\ and\nlines';
comment on column app.pair.b is 'of a type';
comment on type app.plain is 'of a row';
comment on index app.plain_pkey is 'of a key';
comment on constraint plain_pkey on app.plain is 'the key';
comment on constraint short on app.plain is 'a check';
comment on constraint little on domain app.small is 'little';
comment on constraint child_plain_fkey on app.child is 'a foreign key';
comment on sequence app.child_id_seq is 'of an identity';
comment on sequence app.child_other_seq is 'of a serial';
comment on index app.parted_2_pkey is 'of a partition';
comment on constraint parted_2_pkey on app.parted_2 is 'of a partition, the constraint';
comment on schema app is 'app';
comment on schema public is null;

-- Event triggers fire on all of the above.
create event trigger last_drop on sql_drop execute function app.heed();
create event trigger "Some" on ddl_command_end when tag in ('CREATE TABLE', 'DROP TABLE') execute function app.heed();
create event trigger off on ddl_command_start execute function app.heed();
alter event trigger off disable;
alter event trigger last_drop enable replica;
alter event trigger "Some" enable always;
comment on event trigger "Some" is 'some';
-- since 13
alter statistics app.both set statistics 50;
create trigger before_parts before insert on app.parted for each row execute function app.touch();
alter publication nothing set (publish_via_partition_root = true);
-- since 14
create statistics app.of_expression on (lower(name)), (score * 2) from app.plain;
comment on type app.span_multirange is 'of a range';
-- since 15
create view app.by_invoker with (security_barrier = false, security_invoker = true) as select 1 as one;
create publication filtered for table app.plain (id, score) where (id > 0 and name <> ';');
create publication of_schema for table app.plain, tables in schema "Other", tables in schema app;
-- since 18
create table app.generated (id int primary key, twice int generated always as (id * 2) stored);
create publication generated for table app.generated with (publish_generated_columns = stored);
