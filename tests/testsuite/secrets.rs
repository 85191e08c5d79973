//! Passwords are nowhere: not in sentences, not in errors about URLs that do not parse, not in JSON.

use crate::support::{Backend, Postgres, Project, Run, Sqlite, postgres};

fn project(backend: Backend) -> Project {
    Project::new().repo("core", backend).migration(
        "core",
        "1_users",
        "create table users (id integer primary key, name varchar(40));\n",
    )
}

/// Long enough that no part of it can appear by chance.
const SECRET: &str = "s3cr3t-Pa55w0rd-9f2c";

#[track_caller]
fn hides_all_of_it(run: &Run, what: &str) {
    for start in 0..SECRET.len() - 8 {
        let part = &SECRET[start..start + 8];
        assert!(
            !run.stdout.contains(part) && !run.stderr.contains(part),
            "`{part}` of the password of {what} is shown\n{run}"
        );
    }
}

/// URLs with the password in them, most of them wrong in some way.
fn urls() -> Vec<String> {
    [
        "postgres://app:SECRET@127.0.0.1:1/db",
        "postgres://app:SECRET@@127.0.0.1:1/db",
        "postgres://app:SECRET/with/slash@127.0.0.1:1/db",
        "postgres://app:SECRET#hash@127.0.0.1:1/db",
        "postgres://app:SECRET?query@127.0.0.1:1/db",
        "postgres://app:SECRET%zz@127.0.0.1:1/db",
        "postgres://app:SECRET@127.0.0.1:port/db",
        "postgres://app:SECRET@127.0.0.1:99999/db",
        "postgres://app:SECRET@[::1/db",
        "postgres://app:SECRET@/db?host=/nowhere",
        "postgres://app:SECRET",
        "postgres:/app:SECRET@127.0.0.1:1/db",
        "postgres:app:SECRET@127.0.0.1:1/db",
        "app:SECRET@127.0.0.1:1/db",
        "://app:SECRET@127.0.0.1:1/db",
        "postgres ://app:SECRET@127.0.0.1:1/db",
        "mysql://app:SECRET@127.0.0.1:1/db",
        "mongodb://app:SECRET@127.0.0.1:1/db",
        "postgres://127.0.0.1:1/db?user=app&password=SECRET",
        "postgres://127.0.0.1:1/db?user=app&pass word=x&password=SECRET&nonsense=1",
        "postgres://127.0.0.1:1/db?sslpassword=SECRET&sslmode=verify-full",
        "postgres://app:SECRET@127.0.0.1:1/",
        "postgres://app:SECRET@ho st/db",
        "postgres://app: SECRET @127.0.0.1:1/db",
        "'postgres://app:SECRET@127.0.0.1:1/db'",
        "host=127.0.0.1 port=1 user=app password=SECRET dbname=db",
        "sqlite://app:SECRET@127.0.0.1/db",
        "sqlite:file.db?password=SECRET",
    ]
    .iter()
    .map(|url| url.replace("SECRET", SECRET))
    .collect()
}

#[test]
fn a_password_is_nowhere_in_what_is_printed() {
    let project =
        project(Sqlite).structure("core", "create table t (id integer);\n").seed("core", "select 1;\n");
    for (at, url) in urls().iter().enumerate() {
        // Every kind of place, one after the other, without running all of them for all.
        let lines: &[&str] = match at % 4 {
            0 => &["config", "migrate --format json", "drop --yes -v"],
            1 => &["create -vv", "status --format json", "setup --dry-run"],
            2 => &["wait --timeout 100ms", "load", "dump -d - --format json"],
            _ => &["setup", "config --format json", "seed"],
        };
        for line in lines {
            let by_variable = project
                .command(line)
                .env("CORE_DATABASE_URL", url)
                .env("RUST_LOG", "trace")
                .env("GITHUB_ACTIONS", "true")
                .run();
            hides_all_of_it(&by_variable, url);
        }
        hides_all_of_it(&project.command("create").arg("--database-url").arg(url.as_str()).run(), url);
    }
}

#[test]
fn a_password_in_a_manifest_or_dotenv_is_not_quoted_by_errors() {
    for url in urls().iter().step_by(3) {
        let in_manifest = project(Sqlite).url("core", Some(url));
        hides_all_of_it(&in_manifest.run("create"), url);
        hides_all_of_it(&in_manifest.run("config"), url);
        let typo = project(Sqlite).repo_config("core", &format!("urll = '''{url}'''"));
        hides_all_of_it(typo.run("create").code(2), url);
        let wrong_type = project(Sqlite).repo_config("core", &format!("maintenance-url = ['''{url}''']"));
        hides_all_of_it(wrong_type.run("create").code(2), url);
        let dotenv =
            project(Sqlite).url("core", None).env_file(".env", &format!("CORE_DATABASE_URL=\"{url}"));
        hides_all_of_it(dotenv.run("create").code(2), url);
    }
}

#[test]
fn a_password_is_not_in_the_list_of_processes_or_in_pg_dumps_output() {
    let Some(server) = postgres::server() else { return };
    let project = project(Postgres);
    project.run("setup").success().hides(server.password());
    for line in ["dump --via pg_dump -d - -vv", "dump -d -", "status -vv", "config", "drop --yes -vv"] {
        project.run(line).success().hides(server.password());
    }
    let role = server.role("wrong", "createdb");
    let wrong = server.url_as(&role, "core_dev").replace(&role.password, SECRET);
    for line in ["create", "setup", "status", "dump", "drop --yes", "wait --timeout 5s"] {
        let run = project.command(line).env("CORE_DATABASE_URL", &wrong).run();
        assert!(run.stderr.contains("password authentication failed"), "{run}");
        hides_all_of_it(&run, "a wrong password");
    }
}

#[test]
fn config_does_not_show_what_is_no_url() {
    for value in [SECRET.to_owned(), format!("app:{SECRET}"), format!("app:{SECRET}@127.0.0.1/db")] {
        let project = project(Sqlite).url("core", None);
        for line in ["config", "config --format json", "status"] {
            let run = project.command(line).env("CORE_DATABASE_URL", &value).run();
            hides_all_of_it(&run, &value);
        }
        let run = project.command("config").env("CORE_DATABASE_URL", &value).run();
        run.success().stdout_contains("(not shown");
    }
}
