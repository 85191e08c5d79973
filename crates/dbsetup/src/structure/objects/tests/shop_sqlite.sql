-- dbsetup structure format 1 (sqlite)

PRAGMA user_version = 3;

CREATE TABLE "Orders" (
  id integer primary key, -- the number
  user_id integer not null references users (id), -- who
  state text not null default 'a;b' check (state <> ''), -- how far
  foreign key (user_id) references users (id) on delete cascade
);

CREATE INDEX orders_user on "Orders" (user_id);

CREATE TABLE IF NOT EXISTS "schema_migrations" (version text PRIMARY KEY NOT NULL, seq integer, name text NOT NULL, source text NOT NULL, checksum text, applied_at text NOT NULL DEFAULT CURRENT_TIMESTAMP, execution_ms integer, tool_version text);

CREATE TABLE tags (id integer primary key, name text);

CREATE TABLE [two words] (a, b, primary key (a, b)) without rowid;

CREATE TABLE users (id integer primary key, name text not null /* as they write it */, email text, changed_at text);

CREATE UNIQUE INDEX users_email on users (email);

CREATE INDEX users_name on users (name);

CREATE VIRTUAL TABLE search using fts5(title, body);

CREATE VIEW open_orders as select o.id, u.name from "Orders" o join users u on u.id = o.user_id;

CREATE TRIGGER orders_touch after update on "Orders" begin
  update users set name = name where id = new.user_id;

  select 1;
end;

INSERT INTO "schema_migrations" (version, name, source, checksum) VALUES ('20260101000000', 'shop', 'migrations', 'sha256:450c7b7f7dd9d847b4511c4673864cdd63e51c5e78f3f3761d70148337adb112');
INSERT INTO "schema_migrations" (version, name, source, checksum) VALUES ('20260203040506', 'tags', 'migrations', 'sha256:35b5512c7155ac34c986a6593733a4a75df990eb285beade9771c44712dcdf65');

-- dbsetup structure end
