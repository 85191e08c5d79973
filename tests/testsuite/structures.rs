//! `dump`: what it leaves out, what it shows, and who can read the file.

use std::process::{Command, Stdio};

use crate::support::{Backend, Postgres, Project, Sqlite, postgres};

const SCHEMA: &str = "create table users (id integer primary key);\n";
const FILE: &str = "crates/core/priv/core/structure.sql";

fn migrated(backend: Backend, more: &str) -> Project {
    let project = Project::new()
        .repo("core", backend)
        .migration("core", "1_users", SCHEMA)
        .migration("core", "2_more", more);
    project.run("setup").success();
    project
}

#[test]
fn what_an_engine_has_not_cannot_be_asked_of_it() {
    let project = migrated(Sqlite, "create table more (id integer);");
    for flag in [
        "--schema app",
        "--exclude-schema app",
        "--exclude-extension postgis",
        "--owners",
        "--privileges",
        "--via pg_dump",
        "--exclude-table ''",
    ] {
        project.run(&format!("dump {flag}")).code(2);
        project.run(&format!("dump --check {flag}")).code(2);
    }
    assert!(!project.path(FILE).exists());
    project.run("dump --no-filters --exclude-table more").success();
}

#[test]
fn a_file_keeps_its_filters_until_it_is_told_otherwise() {
    for backend in Backend::available() {
        let project = migrated(backend, "create table tmp_a (id int);\ncreate table tmp_b (id int);\n");
        project.run("dump --exclude-table tmp_b --exclude-table tmp_a").success();
        let first = project.read(FILE);
        assert_eq!(
            first.lines().skip(1).take(3).collect::<Vec<_>>(),
            ["-- excluded: table tmp_a", "-- excluded: table tmp_b", ""]
        );
        assert!(!first.contains("tmp_a ("), "{first}");

        // Nobody has to know them to dump it again.
        project.run("dump").success().stderr_contains("is up to date").stderr_contains(
            "The structure for core keeps the filters of crates/core/priv/core/structure.sql: \
             excluded: table tmp_a, excluded: table tmp_b",
        );
        project.run("dump --check").success();
        let printed = project.run("dump -d - --quiet");
        printed.success().stdout_is(&first);
        project.run("dump -d other.sql").success();
        assert!(project.read("other.sql").contains("tmp_a"));

        project.run("dump --check --no-filters").code(3).stdout_contains("\n--- excluded: table tmp_a\n");
        project.run("dump --exclude-table tmp_*").success().stderr_lacks("keeps the filters");
        assert!(project.read(FILE).contains("\n-- excluded: table tmp_*\n\n"));
        project.run("dump --no-filters").success();
        let whole = project.read(FILE);
        assert!(!whole.contains("-- excluded") && whole.contains("tmp_a"), "{whole}");

        // A file with filters loads as any other.
        project.write(FILE, &first);
        project.run("setup --env test").success();
        assert_eq!(project.database_in("core", "test").user_tables(), ["schema_migrations", "users"]);
    }
}

#[test]
fn a_filter_of_a_newer_release_stops_a_dump_and_no_load() {
    let project = migrated(Sqlite, "create table more (id integer);");
    project.run("dump").success();
    let text = project.read(FILE).replacen('\n', "\n-- excluded: sequence s\n", 1);
    project.write(FILE, &text);
    project.run("dump").code(1).stderr_contains("structure.sql:2").stderr_contains("--no-filters");
    project.run("load --force --yes").success();
    project.run("dump --no-filters").success();
    assert!(!project.read(FILE).contains("sequence s"));
}

#[test]
fn a_dry_run_says_what_a_dump_would_write_and_writes_nothing() {
    for backend in Backend::available() {
        let project = migrated(backend, "create table more (id int);");
        project.run("dump --dry-run").success().stdout_contains(&format!("write {FILE}"));
        assert!(!project.path(FILE).exists());
        project.run("dump").success();
        project.run("dump --dry-run").success().stdout_lacks("write");
    }
}

/// Whether psql is beside the server's other programs.
fn psql(server: &postgres::Server, url: &str, file: &std::path::Path) -> Option<std::process::Output> {
    let program = server.programs()?.join("psql");
    let arguments = ["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", url, "--file"];
    // A client whose own text is of another encoding reads the file all the same.
    let mut command = Command::new(program);
    command.args(arguments).arg(file).env("PGCLIENTENCODING", "LATIN1").stdin(Stdio::null());
    command.output().ok()
}

#[test]
fn psql_reads_the_file_too_under_whatever_settings() {
    let Some(server) = postgres::server() else { return };
    let project = migrated(
        Postgres,
        "set check_function_bodies = off; create function early() returns bigint language sql as 'select count(*) from more';
         create table more (id int, price money default '1234.5'::money, size text default 'größe');",
    );
    project.run("dump").success();
    let other = server.database("other");
    other.create();
    other.execute(&format!(
        "alter database \"{0}\" set search_path = nowhere; alter database \"{0}\" set xmloption = document",
        other.name()
    ));
    let Some(output) = psql(&server, &other.url(), &project.path(FILE)) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let sum = "select pg_get_expr(adbin, adrelid) from pg_attrdef where adrelid = 'public.more'::regclass order by adnum";
    assert_eq!(other.query(sum), project.database("core").query(sum));
    project.database("core").execute("drop table more cascade");
    project.run("dump --check").code(3);
}

#[test]
fn pg_dump_is_told_what_to_leave_out() {
    let Some(server) = postgres::server() else { return };
    let owner = server.role("owner", "");
    let project = migrated(
        Postgres,
        &format!(
            "create schema app; create table app.a (id int); create schema auth; create table auth.b (id int);
             alter table app.a owner to {0}; grant select on users to {0};",
            owner.name
        ),
    );
    let run = project.run("dump -d - --via pg_dump");
    if !run.is_success() && run.stderr.contains("pg_dump is not installed") {
        return;
    }
    run.success().stdout_lacks("OWNER TO").stdout_lacks("GRANT").stdout_contains("\n-- via: pg_dump\n");
    project
        .run("dump -d - --via pg_dump --owners --privileges --exclude-schema auth")
        .success()
        .stdout_contains(&format!("OWNER TO {}", owner.name))
        .stdout_contains("GRANT SELECT")
        .stdout_contains(
            "\n-- excluded: schema auth\n-- with: owners\n-- with: privileges\n-- via: pg_dump\n",
        )
        .stdout_lacks("auth.b");
    project
        .run("dump -d - --via pg_dump --exclude-table b")
        .success()
        .stdout_contains("CREATE TABLE app.a")
        .stdout_lacks("auth.b");
    let by_extension = project.run("dump -d - --via pg_dump --exclude-extension plpgsql");
    if !by_extension.is_success() {
        by_extension.code(1).stderr_contains("cannot leave out an extension; 17 and newer can");
    }
}

#[test]
fn other_words_for_the_same_are_no_drift_and_other_things_are() {
    let Some(_) = postgres::server() else { return };
    let project = migrated(
        Postgres,
        "create table more (id int check (id > 0), name text);
         create view v as select id, name from more where id > 1;",
    );
    project.run("dump").success();
    let text = project.read(FILE);
    let view = text.split(';').find(|part| part.contains("VIEW public.v")).expect("it is written").to_owned();
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} in {text}");
        project.write(FILE, &text.replace(from, to));
        project.run("dump --check")
    };
    // As an older release prints it.
    let run = changed(
        &view,
        "\n\nCREATE VIEW public.v AS\n SELECT m.id,\n    m.name\n   FROM public.more m\n  WHERE m.id > 1",
    );
    run.code(3).stderr_contains("the catalogs of a copy").stderr_contains("pg_rewrite");
    let run = changed(&view, &view.replace("(more.id > 1)", "more.id > (1)"));
    if view.contains("(more.id > 1)") {
        run.success().stderr_contains("words `CREATE VIEW public.v` as another release of the server does");
        run.stderr_contains("is up to date").stdout_is("");
    }
    changed("name text", "name varchar(5)")
        .code(3)
        .stderr_contains("the catalogs of a copy")
        .stdout_contains("\n-");
    // What does not load, and what nobody words, is compared by its text alone.
    changed(&view, &view.replace("more", "nowhere"))
        .code(3)
        .stderr_contains("the catalogs were not compared: relation \"public.nowhere\" does not exist");
    changed("\n-- dbsetup structure end", "\n-- a remark\n\n-- dbsetup structure end")
        .code(3)
        .stderr_lacks("catalogs");
}

/// What a database has of its own accord is proved; what a file brings from elsewhere has to be trusted.
#[test]
fn functions_in_c_are_dumped_and_proved_and_load_only_from_a_trusted_file() {
    let Some(_) = postgres::server() else { return };
    let in_c = "create function own_handler() returns language_handler language c as '$libdir/plpgsql', \
                'plpgsql_call_handler';";
    let project = migrated(Postgres, in_c);
    project.run("dump --verify").success().stderr_contains("has been verified");
    assert!(project.read(FILE).contains("LANGUAGE c"));
    project.run("drop --yes").success();
    project
        .run("setup")
        .code(2)
        .stderr_contains("has no business in a structure file")
        .stderr_contains("load --trust-file");
    project.run("load --trust-file").success();
    project.run("dump --check").success();
}

#[test]
fn what_is_no_structure_file_is_neither_replaced_nor_loaded() {
    let project = migrated(Sqlite, "create table more (id integer);");
    project.run("dump").success();
    let whole = project.read(FILE);
    // A file of a newer release may say what this one cannot.
    project.write(FILE, &whole.replace("structure format 1", "structure format 2"));
    project.run("dump").code(1).stderr_contains("was written by a newer release");
    assert!(project.read(FILE).contains("format 2"));
    // Not a file: it may have no end, and is nothing to be replaced.
    project.run("dump -d /dev/null").code(2).stderr_contains("is not a file").stderr_contains("`-d -`");
    project.run("drop --yes").success();
    project.run("create").success();
    for (text, said) in [
        (String::new(), "holds no statement"),
        (whole.clone() + "create table late (id integer);\n", "goes on after its last line"),
        (whole[..whole.len() / 2].to_owned(), "was cut off"),
    ] {
        project.write(FILE, &text);
        project.run("load").code(2).stderr_contains(said);
    }
    project.write(FILE, &whole);
    project.run("load").success();
}

#[test]
fn a_filter_that_would_lose_the_ledger_is_refused() {
    for backend in Backend::available() {
        let project = migrated(backend, "create table more (id integer);");
        project
            .run("dump --exclude-table schema_migrations")
            .code(2)
            .stderr_contains("the filters leave out the ledger");
        if backend == Postgres {
            project.run("dump --schema app").code(2).stderr_contains("`--schema public`");
            project
                .run("dump --exclude-schema public")
                .code(2)
                .stderr_contains("`--exclude-table public.NAME`");
        }
    }
}

/// What PostgreSQL's own test databases do not have.
#[test]
fn a_structure_is_proved_and_loads_whatever_the_schema_has() {
    let Some(server) = postgres::server() else { return };
    // Made in another order than that of their names.
    let (last, first) = (server.role("zoe", "").name, server.role("ann", "").name);
    let more = format!(
        r#"create table more (id int primary key, up int references more (id));
alter table more enable row level security;
create policy two on more to {first}, {last} using (id > 0);
create extension file_fdw;
create server files foreign data wrapper file_fdw;
create user mapping for current_user server files;
create function down(n int) returns int language sql return n;
create or replace function down(n int) returns int language sql return case when n > 0 then down(n - 1) else 0 end;
-- Whatever calls operators by their names alone would call this one.
create function wrong(oid, int) returns boolean language plpgsql as $$ begin raise 'it was called'; end $$;
create operator >= (leftarg = oid, rightarg = int, function = wrong);"#
    );
    let project = migrated(Postgres, &more);
    project
        .run("dump --verify")
        .success()
        .stderr_contains("USER MAPPING")
        .stderr_contains("has been verified");
    let text = project.read(FILE);
    project.run("drop --yes").success();
    project.run("setup").success();
    project.run("dump").success();
    assert_eq!(project.read(FILE), text);
    project.run("load --force --yes").success();
}

#[test]
fn a_dump_neither_empties_a_file_nor_loses_its_filters_by_a_slip() {
    let project = migrated(Sqlite, "create table more (id integer);\ncreate table late (id integer);");
    project.run("dump --exclude-table late").success();
    let whole = project.read(FILE);
    for (from, to) in [
        ("-- excluded: table", "-- exclude: table"),
        ("-- excluded: table", "<<<<<<< ours\n-- excluded: table"),
    ] {
        project.write(FILE, &whole.replace(from, to));
        project.run("dump").code(1).stderr_contains("a filter that this release does not know");
    }
    project.write(FILE, &whole);
    project.run("drop --yes").success();
    project.run("create").success();
    project.run("dump").stderr_contains("has no migration applied").stderr_contains("records 2");
    assert_eq!(project.read(FILE), whole);
}

#[test]
fn line_ends_that_git_changed_are_no_difference_and_get_nowhere() {
    let body = "create function f() returns text language plpgsql as $$ begin\n return 'a\nb';\nend $$;";
    for backend in Backend::available() {
        let more = if backend == Postgres { body } else { "create view v as select 'a\nb' as a;" };
        let project = migrated(backend, more);
        project.run("dump").success();
        let written = project.read(FILE);
        project.write(FILE, &written.replace('\n', "\r\n"));
        project
            .run("dump --check")
            .success()
            .stderr_contains("has other line ends than were written")
            .stderr_contains("`structure.sql -text` in .gitattributes");
        project.run("load --force --yes").success();
        project.run("dump -d - --quiet").success().stdout_is(&written);
        project.run("dump").success().stderr_contains("is up to date");
        // What is wrong is still where it was.
        project.write(FILE, &written.replace("VALUES", "VALUSE").replace('\n', "\r\n"));
        let line =
            written.lines().position(|line| line.contains("VALUES")).expect("versions are recorded") + 1;
        project.run("load --force --yes").code(1).stderr_contains(&format!("structure.sql:{line}:"));
    }
}

#[test]
fn a_dump_of_a_whole_database_by_another_program_brings_our_own_tables_along() {
    let Some(server) = postgres::server() else { return };
    let text = "CREATE TABLE public.dbsetup_meta (\n    key text NOT NULL,\n    value text NOT NULL\n);
CREATE TABLE public.dbsetup_progress (version text);
CREATE TABLE public.notes (a integer);
COPY public.dbsetup_meta (key, value) FROM stdin;\nenvironment\tprod\nx\ty\n\\.\n
COPY public.notes (a) FROM stdin;\n7\n\\.\n
INSERT INTO public.dbsetup_meta VALUES ('z', 'y');
ALTER TABLE ONLY public.dbsetup_meta ADD CONSTRAINT dbsetup_meta_pkey PRIMARY KEY (key);
COPY public.notes (a) FROM stdin;\n8\n\\.\n";
    let project = Project::new().on(&server).repo("core", Postgres).structure("core", text);
    project.run("create").success();
    project.run("load").success();
    let database = project.database("core");
    assert_eq!(database.query("select string_agg(a::text, ' ' order by a) from notes"), [["7 8"]]);
    assert_eq!(database.query("select count(*)::text from dbsetup_meta where key in ('x', 'z')"), [["0"]]);
}

#[test]
fn a_database_without_public_is_made_and_made_again() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .repo_config("core", "ledger = { table = \"app.schema_migrations\" }")
        .migration("core", "1_users", "create schema if not exists app; create table app.users (id int);")
        .migration("core", "2_gone", "drop schema public;");
    project.run("create").success();
    project.run("migrate").success();
    project.run("migrate").success();
    project.run("dump --verify").success();
    assert!(project.read(FILE).contains("\nDROP SCHEMA IF EXISTS public;\n"));
    for load in
        ["load --force --yes", "setup --env test", "load --force --yes --env test", "setup --env test"]
    {
        project.run(load).success();
    }
    for env in ["dev", "test"] {
        project.run(&format!("dump --check --env {env}")).success();
        let database = project.database_in("core", env);
        assert!(database.query("select nspname from pg_namespace where nspname = 'public'").is_empty());
    }
}
