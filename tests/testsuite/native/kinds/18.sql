-- What PostgreSQL 18 added. Read by kinds.rs.

-- block virtual-columns after schemas
create table app.computed (a integer, b integer generated always as (a * 2) virtual, c integer generated always as (a * 3) stored);

-- block not-null-constraints after schemas
create table app.needed (id integer constraint id_needed not null, name text, note text not null no inherit);
alter table app.needed add constraint name_needed not null name not valid;
comment on constraint id_needed on app.needed is 'needed';
create table app.needed_child () inherits (app.needed);
create table app.needed_itself (id integer not null) inherits (app.needed);

-- block not-enforced after circles
create table app.loose (id integer, hen integer, constraint positive check (id > 0) not enforced);
alter table app.loose add constraint some_hen foreign key (hen) references app.hen not enforced;

-- block temporal after extensions
create table app.booked (room integer, during tstzrange, primary key (room, during without overlaps));
create table app.served (room integer, during tstzrange, foreign key (room, period during) references app.booked (room, period during));

-- block generated-publication after accounts
create publication app_generated for table app.accounts with (publish_generated_columns = stored);
