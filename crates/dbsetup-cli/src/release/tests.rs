//! A release binary on files of a directory, and SQLite.

use std::path::{Path, PathBuf};

use super::*;
use dbsetup::source::{Embedded, EmbeddedSettings};

use crate::release::args::{Global, Line};

/// A crate with a repo `core`, and a place for its database.
struct Place(tempfile::TempDir);

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let place = Self(tempfile::tempdir().expect("a directory can be made"));
        files.iter().for_each(|(path, text)| place.write(path, text));
        place
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join("priv/core").join(path);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("a directory can be made");
        std::fs::write(path, text).expect("a file can be written");
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("core.db")
    }

    /// Runs a command line on the database and returns the exit code.
    async fn run(&self, line: &str) -> u8 {
        let words = shell_words::split(line).expect("the test's line is well formed");
        let url = format!("--database-url=sqlite:{}", self.database().display());
        let release = Release::new().repo(Source::directory("core", self.0.path())).called("./release");
        release.run(words.into_iter().chain([url])).await
    }

    /// How many rows a table has; `None` without the table.
    async fn rows(&self, table: &str) -> Option<usize> {
        let url = dbsetup::repo::DatabaseUrl::new(format!("sqlite:{}", self.database().display()));
        let repo = Source::directory("core", self.0.path()).repo(url, "prod").expect("it is one");
        let mut session =
            dbsetup::session::Session::new(&repo, &dbsetup::event::Silent, "test").expect("the URL is one");
        let ledger = session.inspect().await.expect("it can be read").choice.table;
        let tables = session.driver().await.expect("it opens").table_rows(&ledger).await.expect("they count");
        session.close().await;
        tables.iter().find(|found| found.table().name == table).map(|found| found.rows as usize)
    }
}

fn global(line: &str) -> Global {
    let words = shell_words::split(line).expect("the test's line is well formed");
    Line::read(&Release::new(), &words).expect("it parses").global
}

const TABLES: &[(&str, &str)] = &[
    ("migrations/1_a.sql", "create table a (i integer);\n"),
    ("manual_migrations/2_b.sql", "create table b (i integer);\n"),
    ("seeds.sql", "insert into a values (1);\n"),
];

#[test]
fn the_description_of_the_command_line_holds_together() {
    args::command().debug_assert();
}

#[test]
fn every_word_that_messages_may_name_is_a_command_and_the_other_way_round() {
    let mut command = args::command();
    command.build();
    let mut names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let mut words = args::WORDS.to_vec();
    names.sort_unstable();
    words.sort_unstable();
    assert_eq!(names, words);
    // An application speaks of this program, too.
    assert_eq!(Program::release("db").words, Some(args::WORDS));
}

#[test]
fn messages_name_this_program_where_it_has_the_command() {
    assert_eq!(Release::new().started_as("/app/my release").program().call, "'/app/my release'");
    let program = Release::new().called("shop db").started_as("/app/shop").program();
    let place = Place::new(TABLES);
    let url = dbsetup::repo::DatabaseUrl::new("sqlite:core.db");
    let mut repo = Source::directory("core", place.0.path()).repo(url, "prod").expect("it is one");
    repo.program = program;
    assert_eq!(repo.command("migrate --lane all"), "`shop db migrate --lane all --repo core`");
    assert_eq!(repo.command("dump"), "`cargo dbsetup dump --repo core --env prod`");
    repo.environment = "staging".into();
    assert_eq!(repo.command("status"), "`shop db status --repo core --env staging`");
}

#[test]
fn the_url_comes_from_the_variables_of_the_repo_and_only_then_from_the_plain_one() {
    let place = Place::new(TABLES);
    let core = Source::directory("core-data", place.0.path());
    let url = |sources: &[Source], line: &str, set: &[&str]| {
        let variables = |name: &str| {
            let value = format!("sqlite:{name}.db");
            Ok(set.contains(&name).then_some(value))
        };
        repos::settle(sources, &global(line), &Program::default(), &variables)
            .map(|repos| repos.iter().map(|repo| repo.url.to_string()).collect::<Vec<_>>())
    };
    let one = [core.clone()];
    let all = ["DATABASE_URL", "CORE_DATA_DATABASE_URL", "CORE_DATA_DATABASE_URL_PROD"];
    assert_eq!(url(&one, "", &all).unwrap(), ["sqlite:CORE_DATA_DATABASE_URL_PROD.db"]);
    assert_eq!(url(&one, "--env ci", &all).unwrap(), ["sqlite:CORE_DATA_DATABASE_URL.db"]);
    assert_eq!(url(&one, "", &all[..1]).unwrap(), ["sqlite:DATABASE_URL.db"]);
    assert_eq!(url(&one, "--database-url sqlite:x.db", &all).unwrap(), ["sqlite:x.db"]);
    let two = [core, Source::directory("other", place.0.path())];
    let error = url(&two, "-r core_data", &all[..1]).unwrap_err();
    assert_eq!(error.kind(), dbsetup::Kind::Configuration);
    assert_eq!(
        error.notes(),
        ["looked for `CORE_DATA_DATABASE_URL_PROD`, `CORE_DATA_DATABASE_URL` in the environment"]
    );
    assert!(error.help_text().unwrap().contains("set `CORE_DATA_DATABASE_URL`"), "{error}");
    assert!(url(&two, "-r cor", &all).unwrap_err().help_text().unwrap().contains("`core-data`, `other`"));
    assert!(url(&two, "--database-url x", &all).unwrap_err().message().contains("is for one repo"));
    let twins = [two[1].clone(), two[1].clone()];
    assert!(url(&twins, "", &all).unwrap_err().message().contains("two repos called `other`"));
}

#[test]
fn the_variable_that_sqlx_toml_names_is_asked_where_it_was_embedded() {
    const CORE: Embedded = Embedded {
        name: "core",
        digest: "",
        marker: "",
        disposable: dbsetup::source::DISPOSABLE,
        settings: EmbeddedSettings { sqlx_url_env: Some("APP_URL"), ..EmbeddedSettings::DEFAULT },
        environments: &[],
        files: &[],
        debug_assertions: false,
    };
    static OF_SQLX: Embedded = CORE;
    let url = |set: &[&str]| {
        let variables = |name: &str| Ok(set.contains(&name).then(|| format!("sqlite:{name}_{{env}}.db")));
        let repos =
            repos::settle(&[Source::from(&OF_SQLX)], &global(""), &Program::default(), &variables).unwrap();
        repos[0].url.to_string()
    };
    assert_eq!(url(&["DATABASE_URL", "APP_URL", "CORE_DATABASE_URL"]), "sqlite:CORE_DATABASE_URL_prod.db");
    assert_eq!(url(&["DATABASE_URL", "APP_URL"]), "sqlite:APP_URL_prod.db");
}

#[test]
fn the_variable_that_direct_url_is_is_asked_after_the_repos_own() {
    static CORE: Embedded = Embedded {
        name: "core",
        digest: "",
        marker: "",
        disposable: dbsetup::source::DISPOSABLE,
        settings: EmbeddedSettings {
            direct_url_env: Some("SESSION_URL"),
            maintenance_url_env: Some("ADMIN_URL"),
            ..EmbeddedSettings::DEFAULT
        },
        environments: &[],
        files: &[],
        debug_assertions: false,
    };
    let direct = |set: &[&str]| {
        let variables = |name: &str| {
            let is_set = name == "CORE_DATABASE_URL" || set.contains(&name);
            Ok(is_set.then(|| format!("postgres://{name}/core_{{env}}")))
        };
        let repos =
            repos::settle(&[Source::from(&CORE)], &global(""), &Program::default(), &variables).unwrap();
        assert_eq!(repos[0].url_from.as_deref(), Some("the variable `CORE_DATABASE_URL`"));
        let shown = |url: &Option<dbsetup::repo::DatabaseUrl>| {
            url.as_ref().map(ToString::to_string).unwrap_or_default()
        };
        (shown(&repos[0].direct_url), shown(&repos[0].maintenance_url))
    };
    let (session, admin) = ("postgres://SESSION_URL/core_prod", "postgres://ADMIN_URL/core_prod");
    assert_eq!(direct(&["SESSION_URL", "ADMIN_URL"]), (session.into(), admin.into()));
    assert_eq!(
        direct(&["SESSION_URL", "CORE_DIRECT_URL"]),
        ("postgres://CORE_DIRECT_URL/core_prod".into(), String::new())
    );
    assert_eq!(direct(&[]), Default::default());
    // Where one leads nowhere, its variable is named.
    let named = |set: &[&str]| {
        let variables = |name: &str| {
            let is_set = name == "CORE_DATABASE_URL" || set.contains(&name);
            Ok(is_set.then(|| format!("postgres://{name}/core")))
        };
        let (sources, global) = ([Source::from(&CORE)], global(""));
        let repos = repos::settle(&sources, &global, &Program::default(), &variables).unwrap();
        let origins = repos::origins(&sources, &global, &repos, &variables).unwrap();
        let silent = || dbsetup::Error::new(dbsetup::Kind::Unreachable, "no answer");
        [silent(), silent().note("connected where `maintenance-url` says")].map(|error| {
            let placed = origins[0].placed(&repos[0], error);
            placed.notes().last().expect("it says where the URL was written").clone()
        })
    };
    let came = |key: &str, variable: &str| format!("`{key}` of `core` comes from variable {variable}");
    assert_eq!(
        named(&["SESSION_URL", "ADMIN_URL"]),
        [came("direct-url", "SESSION_URL"), came("maintenance-url", "ADMIN_URL")]
    );
    assert_eq!(
        named(&["SESSION_URL", "CORE_DIRECT_URL", "CORE_MAINTENANCE_URL"]),
        [came("direct-url", "CORE_DIRECT_URL"), came("maintenance-url", "CORE_MAINTENANCE_URL")]
    );
}

#[test]
fn a_way_past_a_pooler_leads_to_the_database_that_is_meant_and_to_no_other() {
    static CORE: Embedded = Embedded {
        name: "core",
        digest: "",
        marker: "",
        disposable: dbsetup::source::DISPOSABLE,
        settings: EmbeddedSettings { direct_url_env: Some("SESSION_URL"), ..EmbeddedSettings::DEFAULT },
        environments: &[],
        files: &[],
        debug_assertions: false,
    };
    let sources = [Source::from(&CORE)];
    let direct = |line: &str, url: &str, set: &[(&str, &str)]| {
        let variables = |name: &str| {
            let all = [("CORE_DATABASE_URL", url)];
            let found = set.iter().chain(&all).find(|(variable, _)| *variable == name);
            Ok(found.map(|(_, url)| (*url).to_owned()))
        };
        let repos = repos::settle(&sources, &global(line), &Program::default(), &variables).unwrap();
        let warnings = repos::warnings(&sources, &global(line), &repos, &variables).unwrap();
        (repos[0].direct_url.as_ref().map(|url| url.expose().to_owned()), warnings.len())
    };
    let (pooler, server) = ("postgres://pooler:6432/core", "postgres://server/core");
    let is = |url: &str, warnings| (Some(url.to_owned()), warnings);
    assert_eq!(direct("", pooler, &[("SESSION_URL", server)]), is(server, 0));
    for other in ["postgres://server/staging", "sqlite:core", "mysql://server/core"] {
        assert_eq!(direct("", pooler, &[("SESSION_URL", other)]), (None, 1), "{other}");
        assert_eq!(direct("", pooler, &[("SESSION_URL", server), ("CORE_DIRECT_URL", other)]), is(other, 0));
    }
    // A database that the command line names is the one that is meant, whatever is in the environment.
    let line = "--database-url postgres://h/core";
    for variable in ["SESSION_URL", "CORE_DIRECT_URL"] {
        assert_eq!(direct(line, pooler, &[(variable, server)]), (None, 0), "{variable}");
    }
}

#[test]
fn what_cargo_dbsetup_reads_from_variables_is_read_here_too() {
    let place = Place::new(TABLES);
    let variables = |name: &str| {
        Ok(match name {
            "DBSETUP_ENV" => Some("staging".to_owned()),
            "CORE_DATABASE_URL" => Some("postgres://pooler/app_{env}".to_owned()),
            "CORE_DIRECT_URL" => Some("postgres://server/app_{env}".to_owned()),
            "DBSETUP_LOCK_WAIT" => Some("10m".to_owned()),
            "DBSETUP_STATEMENT_TIMEOUT" => Some("0".to_owned()),
            _ => None,
        })
    };
    let sources = [Source::directory("core", place.0.path())];
    let repos = repos::settle(&sources, &global(""), &Program::default(), &variables).expect("they settle");
    let repo = &repos[0];
    assert_eq!((repo.environment.as_str(), repo.disposable), ("staging", false));
    assert_eq!(repo.direct_url.as_ref().expect("it is set").expose(), "postgres://server/app_staging");
    assert_eq!(repo.url.expose(), "postgres://pooler/app_staging");
    assert_eq!((repo.lock_wait.as_secs(), repo.statement_timeout), (600, None));
    let broken = |name: &str| Ok((name == "DBSETUP_LOCK_WAIT").then(|| "soon".to_owned()));
    let error = repos::settle(&sources, &global("--database-url x"), &Program::default(), &broken);
    assert!(error.unwrap_err().message().contains("`DBSETUP_LOCK_WAIT` is no duration"));
}

#[tokio::test]
async fn setup_never_makes_a_database_unless_it_is_told_to() {
    let place = Place::new(TABLES);
    assert_eq!(place.run("setup").await, exit::FAILED);
    assert!(!place.database().exists());
    assert_eq!(place.run("setup --create --dry-run").await, exit::OK);
    assert!(!place.database().exists());
    assert_eq!(place.run("setup --create").await, exit::OK);
    assert_eq!((place.rows("a").await, place.rows("b").await), (Some(1), Some(0)));
}

#[tokio::test]
async fn setup_runs_manual_migrations_only_where_the_database_is_new() {
    let place = Place::new(TABLES);
    assert_eq!(place.run("setup --create").await, exit::OK);
    place.write("migrations/3_c.sql", "create table c (i integer);\n");
    place.write("manual_migrations/4_d.sql", "create table d (i integer);\n");
    assert_eq!(place.run("setup").await, exit::OK);
    assert_eq!((place.rows("c").await, place.rows("d").await), (Some(0), None));
    assert_eq!(place.rows("a").await, Some(1), "it was seeded a second time");
    assert_eq!(place.run("status --check").await, exit::CHECK);
    assert_eq!(place.run("migrate_manual --log-sql").await, exit::OK);
    assert_eq!(place.rows("d").await, Some(0));
    assert_eq!(place.run("status --check").await, exit::OK);
}

#[tokio::test]
async fn a_first_setup_that_was_interrupted_is_finished_by_the_next_one() {
    let place = Place::new(TABLES);
    place.write("manual_migrations/2_b.sql", "create table b (i integer);\nselect nothing from nowhere;\n");
    assert_eq!(place.run("setup --create").await, exit::FAILED);
    assert_eq!((place.rows("a").await, place.rows("b").await), (Some(0), None));
    place.write("manual_migrations/2_b.sql", "create table b (i integer);\n");
    assert_eq!(place.run("setup --dry-run").await, exit::OK);
    assert_eq!(place.run("setup").await, exit::OK);
    assert_eq!((place.rows("a").await, place.rows("b").await), (Some(1), Some(0)));
    // From here on it is in use.
    place.write("manual_migrations/3_c.sql", "create table c (i integer);\n");
    assert_eq!(place.run("setup").await, exit::OK);
    assert_eq!(place.rows("c").await, None);
}

#[tokio::test]
async fn whoever_runs_the_manual_lane_has_finished_the_first_setup() {
    let place = Place::new(TABLES);
    place.write("manual_migrations/2_b.sql", "select nothing from nowhere;\n");
    assert_eq!(place.run("setup --create").await, exit::FAILED);
    place.write("manual_migrations/2_b.sql", "create table b (i integer);\n");
    assert_eq!(place.run("migrate_manual").await, exit::OK);
    place.write("manual_migrations/3_c.sql", "create table c (i integer);\n");
    assert_eq!(place.run("setup").await, exit::OK);
    assert_eq!((place.rows("b").await, place.rows("c").await), (Some(0), None));
}

#[tokio::test]
async fn what_destroys_data_of_a_release_has_to_name_the_database() {
    let place = Place::new(TABLES);
    place.write("migrations/1_a.sql", "");
    std::fs::remove_file(place.0.path().join("priv/core/migrations/1_a.sql")).expect("it is there");
    place.write("migrations/1_a.up.sql", "create table a (i integer);\n");
    place.write("migrations/1_a.down.sql", "drop table a;\n");
    assert_eq!(place.run("setup --create --lane automatic").await, exit::OK);
    assert_eq!(place.run("rollback --all --yes").await, exit::REFUSED);
    assert_eq!(place.run("rollback --all --yes --allow-protected core").await, exit::REFUSED);
    assert_eq!(place.run("rollback --all --yes --allow-protected core.db").await, exit::OK);
    assert_eq!(place.rows("a").await, None);
}

#[tokio::test]
async fn what_is_no_command_line_is_a_usage_error() {
    let place = Place::new(TABLES);
    for line in ["", "frobnicate", "migrate --lain all", "drop", "migrate --jobs none"] {
        assert_eq!(place.run(line).await, exit::USAGE, "{line}");
    }
    for line in ["--help", "help migrate", "help exit-codes", "migrate_manual --help"] {
        assert_eq!(place.run(line).await, exit::OK, "{line}");
    }
    assert_eq!(Release::new().run(["status"]).await, exit::USAGE);
    assert!(Path::new(&place.database()).metadata().is_err());
}
