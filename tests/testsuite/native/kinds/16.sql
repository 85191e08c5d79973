-- What PostgreSQL 16 added. Read by kinds.rs.

-- block tailored-collation after schemas
create collation app.tailored (provider = icu, locale = 'und', rules = '&a < b');

-- block storage-at-creation after schemas
create table app.stored (id integer, body text storage external);
