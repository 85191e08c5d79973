-- What PostgreSQL 17 added. Read by kinds.rs.

-- block builtin-collation after schemas
create collation app.builtin (provider = builtin, locale = 'C.UTF-8');

-- block partitioned-identity after schemas
create table app.numbered (id bigint generated always as identity, kind text not null) partition by list (kind);
create table app.numbered_a partition of app.numbered for values in ('a');

-- block login-trigger after functions
create event trigger app_login on login execute function app.on_command();
alter event trigger app_login disable;
