-- What PostgreSQL 13 added. Read by kinds.rs.

-- block rooted-publication after partitions
create publication app_rooted for table app.events with (publish_via_partition_root = true);

-- block statistics-target after accounts
alter statistics app.accounts_stats set statistics 42;

-- block partition-triggers after partitions functions
create trigger before_row before insert on app.events for each row execute function app.touched();
alter table app.events_2020 disable trigger before_row;
