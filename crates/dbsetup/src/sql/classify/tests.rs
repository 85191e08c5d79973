use super::*;

#[test]
fn words_are_told_in_upper_case_up_to_the_first_other_token() {
    let words = |text| statement_words(Dialect::Postgres, text, 3);
    assert_eq!(words("/* a */ create or Replace function f()"), ["CREATE", "OR", "REPLACE"]);
    assert_eq!(words("insert into \"a\" values"), ["INSERT", "INTO"]);
    assert_eq!(words("((select 1))"), ["SELECT"]);
    assert_eq!(words("'a'"), [""; 0]);
    assert_eq!(words(""), [""; 0]);
}

#[test]
fn statements_that_begin_or_end_a_transaction_are_told_by_name() {
    for (text, expected) in [
        ("begin", Some("BEGIN")),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE", Some("BEGIN")),
        ("-- a\nstart /* b */ transaction", Some("START TRANSACTION")),
        ("commit and chain", Some("COMMIT")),
        ("end work", Some("END")),
        ("rollback", Some("ROLLBACK")),
        ("rollback work", Some("ROLLBACK")),
        ("abort", Some("ABORT")),
        ("prepare transaction 'a'", Some("PREPARE TRANSACTION")),
        ("commit prepared 'a'", Some("COMMIT PREPARED")),
        ("rollback prepared 'a'", Some("ROLLBACK PREPARED")),
        ("savepoint a", None),
        ("release savepoint a", None),
        ("rollback to a", None),
        ("rollback to savepoint a", None),
        ("rollback transaction to savepoint a", None),
        ("prepare transaction as select 1", None),
        ("prepare a as select 1", None),
        ("set transaction read only", None),
        ("\"begin\"", None),
        ("select 'begin'", None),
        ("do $$ begin commit; end $$", None),
        ("", None),
    ] {
        assert_eq!(transaction_control(Dialect::Postgres, text), expected, "{text}");
    }
}

#[test]
fn transactions_of_sqlite_begin_and_end_with_their_own_words() {
    for (text, expected) in [
        ("BEGIN IMMEDIATE", Some("BEGIN")),
        ("end transaction", Some("END")),
        ("commit", Some("COMMIT")),
        ("rollback transaction", Some("ROLLBACK")),
        ("rollback to a", None),
        ("savepoint a", None),
        ("release a", None),
        ("create trigger a after insert on t begin select 1; end", None),
    ] {
        assert_eq!(transaction_control(Dialect::Sqlite, text), expected, "{text}");
    }
}

#[test]
fn what_postgres_refuses_in_a_transaction_block_runs_alone() {
    for text in [
        "VACUUM",
        "vacuum (analyze) t",
        "CREATE DATABASE a",
        "drop database if exists a",
        "CREATE TABLESPACE a LOCATION 'b'",
        "DROP TABLESPACE a",
        "ALTER SYSTEM SET a = 1",
        "ALTER DATABASE a SET TABLESPACE b",
        "CREATE SUBSCRIPTION a CONNECTION 'b' PUBLICATION c",
        "ALTER SUBSCRIPTION a REFRESH PUBLICATION",
        "ALTER SUBSCRIPTION a ADD PUBLICATION b",
        "ALTER SUBSCRIPTION a SET (failover = true)",
        "DROP SUBSCRIPTION a",
        "create unique index concurrently a on b (c)",
        "CREATE INDEX /* a */ CONCURRENTLY ON b (c)",
        "DROP INDEX CONCURRENTLY a",
        "REINDEX TABLE CONCURRENTLY a",
        "REINDEX (VERBOSE, CONCURRENTLY TRUE) INDEX a",
        "REINDEX DATABASE a",
        "REINDEX (VERBOSE) SCHEMA a",
        "REINDEX SYSTEM a",
        "ALTER TABLE a DETACH PARTITION b CONCURRENTLY",
        "CLUSTER",
        "CLUSTER (VERBOSE)",
        "CLUSTER VERBOSE",
        "DISCARD ALL",
        "COMMIT PREPARED 'a'",
    ] {
        assert!(must_run_alone(Dialect::Postgres, text), "{text}");
    }
}

#[test]
fn what_postgres_takes_in_a_transaction_block_need_not_run_alone() {
    for text in [
        "CREATE INDEX a ON b (c)",
        "CREATE INDEX \"concurrently\" ON b (c)",
        "DROP INDEX a",
        "REINDEX TABLE a",
        "REINDEX (CONCURRENTLY off) TABLE a",
        "REINDEX TABLE \"database\"",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY a",
        "CLUSTER a USING b",
        "CLUSTER (VERBOSE) a",
        "DISCARD PLANS",
        "ALTER DATABASE a SET b = 1",
        "ALTER TABLE a DETACH PARTITION b",
        "ALTER TABLE a ADD detach int, ADD concurrently int",
        "ALTER SUBSCRIPTION a DISABLE",
        "ALTER SUBSCRIPTION a SET PUBLICATION b WITH (refresh = false)",
        "ALTER SUBSCRIPTION a OWNER TO b",
        "CREATE SUBSCRIPTION a CONNECTION 'b' PUBLICATION c WITH (connect = false)",
        "CREATE SUBSCRIPTION a CONNECTION 'b' PUBLICATION c WITH (create_slot = off, slot_name = 'd')",
        "CREATE TABLE vacuum (a int)",
        "ANALYZE",
        "CALL a()",
        "DO $$ begin commit; end $$",
        "SELECT 'VACUUM'",
        "",
    ] {
        assert!(!must_run_alone(Dialect::Postgres, text), "{text}");
    }
}

#[test]
fn what_sqlite_refuses_or_ignores_in_a_transaction_runs_alone() {
    for (text, expected) in [
        ("VACUUM", true),
        ("attach 'a' as b", true),
        ("detach b", true),
        ("PRAGMA foreign_keys = OFF", true),
        ("pragma main.journal_mode(wal)", true),
        ("PRAGMA \"synchronous\" = 1", true),
        ("PRAGMA wal_checkpoint", true),
        ("PRAGMA foreign_keys", false),
        ("PRAGMA main.foreign_keys", false),
        ("PRAGMA defer_foreign_keys = ON", false),
        ("PRAGMA user_version = 3", false),
        ("CREATE TABLE vacuum (a)", false),
        ("", false),
    ] {
        assert_eq!(must_run_alone(Dialect::Sqlite, text), expected, "{text}");
    }
}

#[test]
fn a_name_is_mentioned_by_identifiers_only() {
    for (dialect, text, expected) in [
        (Dialect::Postgres, "delete from schema_migrations", true),
        (Dialect::Postgres, "DROP TABLE Public.Schema_Migrations", true),
        (Dialect::Postgres, "drop table \"schema_migrations\"", true),
        (Dialect::Postgres, "drop table U&\"schema\\005Fmigrations\"", true),
        (Dialect::Postgres, "drop table U&\"schema!005Fmigrations\" UESCAPE '!'", true),
        (Dialect::Postgres, "drop table \"Schema_Migrations\"", false),
        (Dialect::Postgres, "select 'schema_migrations' -- schema_migrations", false),
        (Dialect::Postgres, "select $$schema_migrations$$, schema_migrations2", false),
        (Dialect::Sqlite, "delete from [SCHEMA_MIGRATIONS]", true),
        (Dialect::Sqlite, "delete from `schema_migrations`", true),
        (Dialect::Sqlite, "delete from 'schema_migrations'", true),
        (Dialect::Sqlite, "insert or replace into main.'schema_migrations' values (1)", true),
        (Dialect::Sqlite, "insert into t values ('schema_migrations')", false),
    ] {
        assert_eq!(mentions_identifier(dialect, text, "schema_migrations"), expected, "{text}");
    }
}
