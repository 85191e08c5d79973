create schema app;
create function app.f(int) returns int immutable language sql as 'select $1 + 1';
create table app.m (id bigint generated always as identity, at date not null, region text collate "C" default 'x',
    val int check (val > 0), g int generated always as (val * 2) stored, primary key (id, at), unique (at, region))
    partition by range (at);
create table app.m_2020 partition of app.m for values from ('2020-01-01') to ('2021-01-01');
-- Columns in another order, keys and checks with names of their own.
create table app.m_2021 (at date not null, gone int, id bigint not null, val int constraint m_val_check check (val > 0),
    region text collate "C" default 'y', g int generated always as (val * 2) stored);
alter table app.m_2021 drop gone;
create unique index odd_name on app.m_2021 (at, region);
alter table app.m_2021 add constraint m21_pk primary key (id, at);
alter table app.m_2021 add constraint uq unique using index odd_name;
alter table app.m attach partition app.m_2021 for values from ('2021-01-01') to ('2022-01-01');
create table app.m_rest partition of app.m default partition by range (at);
create table app.m_rest_a partition of app.m_rest for values from ('1999-01-01') to ('2000-01-01') with (fillfactor = 70);
-- Two indexes that are the same, one that not every partition has.
create index m_two on app.m (region); create index m_two_again on app.m (region);
create index m_expression on app.m (app.f(val)) where val > 3;
create index m_only on only app.m (val); create index m_2020_val on app.m_2020 (val);
alter index app.m_only attach partition app.m_2020_val;
alter index app.m_expression alter column 1 set statistics 55;
alter table app.m_2020 add constraint extra check (val < 1000);
alter table app.m_2020 replica identity using index m_2020_pkey;
alter table app.m_2021 cluster on uq;
alter table app.m add constraint unproved check (val <> 7) not valid;
alter table app.m_2020 validate constraint unproved;
comment on index app.m_pkey is 'index of a key'; comment on constraint m_pkey on app.m is 'key';
comment on index app.m_2021_region_idx is 'part'; comment on column app.m_2021.val is 'v';
comment on constraint unproved on app.m_rest_a is 'not proved below';
-- Foreign keys from and to partitioned tables, of partitions before they were ones.
create table app.n (id bigint, at date, foreign key (id, at) references app.m on delete cascade) partition by hash (id);
create table app.n_0 partition of app.n for values with (modulus 2, remainder 0);
create table app.n_1 partition of app.n for values with (modulus 2, remainder 1);
create table app.k (id int, at date, x bigint) partition by list (id);
create table app.k_1 (id int, at date, x bigint, constraint first foreign key (x, at) references app.m (id, at));
alter table app.k add constraint whole foreign key (x, at) references app.m (id, at);
alter table app.k attach partition app.k_1 for values in (1, null);
create table app.k_2 (id int, at date, x bigint, constraint second foreign key (x, at) references app.m (id, at))
    partition by list (id);
create table app.k_2_2 partition of app.k_2 for values in (2);
alter table app.k attach partition app.k_2 for values in (2, 3);
comment on constraint second on app.k_2 is 'has a name of its own';
create table app.none (a int, primary key (a)) partition by range (a);
create index on app.none ((a + 1));

-- since 18
create table app.nn (a int, b int) partition by list (a);
create table app.nn_1 (a int, b int constraint proved not null); create table app.nn_2 (a int, b int);
alter table app.nn_2 add constraint unproved_too not null b not valid;
alter table app.nn add constraint unproved not null b not valid;
alter table app.nn attach partition app.nn_1 for values in (1); alter table app.nn attach partition app.nn_2 for values in (2);
create table app.nn_3 partition of app.nn for values in (3);
create table app.vg (a int, b int generated always as (a * 2)) partition by list (a);
create table app.vg_1 partition of app.vg for values in (1);
