//! Where a URL comes from.

use dbsetup::Kind;

use crate::workspace::fixture::{Fixture, everything, setting};

const CORE: &str = "[package.metadata.dbsetup.repos.core]\n";

fn url(fixture: &Fixture, environment: &str) -> (String, String) {
    let repo = fixture.repo_in(environment);
    let url = repo.ready().expect("it has a URL").url.expose().to_owned();
    (url, setting(&repo, "url").expect("it was found").1)
}

/// The sources from the strongest to the weakest: a file or variable, the URL that it brings, its origin.
#[test]
fn the_first_source_in_the_documented_order_wins() {
    let manifest = "
        [package.metadata.dbsetup.repos.core]
        url = 'manifest-general'
        [package.metadata.dbsetup.repos.core.env.test]
        url = 'manifest-test'
    ";
    let cargo = "[env]\nCORE_DATABASE_URL = 'cargo'\nDATABASE_URL = 'cargo-plain'\n";
    let steps: [(&str, &str, &str); 11] = [
        ("var CORE_DATABASE_URL_TEST", "process-test", "variable CORE_DATABASE_URL_TEST"),
        ("var CORE_DATABASE_URL", "process-own", "variable CORE_DATABASE_URL"),
        ("var DATABASE_URL", "process-plain", "variable DATABASE_URL"),
        (".env.test CORE_DATABASE_URL_TEST", "file-test", ".env.test (CORE_DATABASE_URL_TEST)"),
        (".env.test CORE_DATABASE_URL", "file-own", ".env.test (CORE_DATABASE_URL)"),
        (".env.test DATABASE_URL", "file-plain", ".env.test (DATABASE_URL)"),
        (".env CORE_DATABASE_URL", "env-own-test", ".env (CORE_DATABASE_URL)"),
        (".env DATABASE_URL", "env-plain-test", ".env (DATABASE_URL)"),
        ("cargo CORE_DATABASE_URL", "cargo", ".cargo/config.toml (CORE_DATABASE_URL)"),
        ("env table", "manifest-test", "Cargo.toml (package.metadata.dbsetup.repos.core.env.test.url)"),
        ("table", "manifest-general", "Cargo.toml (package.metadata.dbsetup.repos.core.url)"),
    ];
    // Everything from step `first` on is there.
    for (first, (_, expected, origin)) in steps.iter().enumerate() {
        let has = |source: &str| steps[first..].iter().any(|(name, ..)| *name == source);
        let text = if has("env table") {
            manifest
        } else {
            "[package.metadata.dbsetup.repos.core]\nurl = 'manifest-general'"
        };
        let mut fixture = Fixture::single(text);
        if has("cargo CORE_DATABASE_URL") {
            fixture = fixture.file(".cargo/config.toml", cargo);
        }
        for file in [".env.test", ".env"] {
            let lines: Vec<String> = steps[first..]
                .iter()
                .filter_map(|(name, value, _)| {
                    let variable = name.strip_prefix(file)?.strip_prefix(' ')?;
                    Some(format!("{variable}={}\n", value.replace("-test", "-{env}")))
                })
                .collect();
            if !lines.is_empty() {
                fixture = fixture.file(file, &lines.concat());
            }
        }
        for (name, value, _) in &steps[first..] {
            if let Some(variable) = name.strip_prefix("var ") {
                fixture = fixture.variable(variable, value);
            }
        }
        assert_eq!(url(&fixture, "test"), ((*expected).to_owned(), (*origin).to_owned()), "step {first}");
    }
}

#[test]
fn the_flag_outranks_every_variable_and_is_for_one_repo() {
    let two = format!("{CORE}url = 'a'\n[package.metadata.dbsetup.repos.audit]\nurl = 'b'\n");
    let mut fixture = Fixture::single(&two).variable("CORE_DATABASE_URL_DEV", "variable");
    fixture.request.database_url = Some(dbsetup::repo::DatabaseUrl::new("flag"));
    let error = fixture.error();
    assert!(error.message().contains("--database-url speaks of one repo"), "{error}");
    assert!(error.to_string().contains("`audit`, `core`"), "{error}");
    fixture.request.repos = vec!["core".into()];
    assert_eq!(url(&fixture, "dev"), ("flag".into(), "flag --database-url".into()));
}

#[test]
fn database_url_is_for_the_only_repo() {
    let two = format!("{CORE}\n[package.metadata.dbsetup.repos.audit]\nurl = 'b'\n");
    let mut fixture = Fixture::single(&two).variable("DATABASE_URL", "plain");
    fixture.request.repos = vec!["core".into()];
    let error = fixture.repo().ready().expect_err("it has no URL of its own").to_string();
    assert!(!error.contains("`DATABASE_URL`"), "{error}");
}

#[test]
fn dot_env_counts_for_dev_only_unless_it_names_the_environment() {
    let fixture = Fixture::single(CORE).file(".env", "DATABASE_URL=postgres://app:s3cret@localhost/app\n");
    assert_eq!(url(&fixture, "dev").1, ".env (DATABASE_URL)");
    let error = fixture.repo_in("test").ready().expect_err("`.env` does not count");
    assert!(error.to_string().contains("`.env` sets `DATABASE_URL`, which counts for `dev` only"), "{error}");
    assert!(error.to_string().contains("`.env.test`"), "{error}");
    assert!(!everything(&error).contains("s3cret"), "{error}");
}

#[test]
fn the_nearest_dot_env_counts_and_none_above_the_workspace() {
    let outer = Fixture::new().file(".env", "CORE_DATABASE_URL=stranger\nDATABASE_URL=stranger\n");
    let outer = outer
        .file("w/Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"a\"]\n")
        .package("w/a", "a", CORE)
        .at("w/a");
    assert!(outer.repo().ready().is_err());
    let outer = outer.file("w/.env", "CORE_DATABASE_URL=root\n");
    assert_eq!(url(&outer, "dev"), ("root".into(), ".env (CORE_DATABASE_URL)".into()));
    let outer = outer.file("w/a/.env", "CORE_DATABASE_URL=near\n");
    assert_eq!(url(&outer, "dev"), ("near".into(), "a/.env (CORE_DATABASE_URL)".into()));
    let mut outer = outer;
    outer.request.no_dotenv = true;
    assert!(outer.repo().ready().is_err());
}

#[test]
fn dot_env_at_the_root_of_the_repository_counts() {
    let fixture = Fixture::new()
        .dir(".git")
        .file(".env", "CORE_DATABASE_URL=repository\n")
        .package("backend", "app", CORE)
        .at("backend");
    assert_eq!(url(&fixture, "dev").0, "repository");
}

#[test]
fn a_broken_dot_env_is_an_error_without_its_text() {
    for line in ["DATABASE_URL=postgres://app:s3cret pass@h/db", "s3cret s3cret", "A='s3cret"] {
        let fixture = Fixture::single(CORE).file(".env", &format!("# first\nOK=1\n{line}\n"));
        let error = fixture.error();
        let site = error.site().expect("it points at the line");
        assert_eq!((site.path.to_str(), site.at.line), (Some(".env"), 3), "{line}");
        assert!(!everything(&error).contains("s3cret"), "{}", everything(&error));
        assert_eq!(error.kind(), Kind::Configuration);
    }
}

#[test]
fn cargo_environment_may_be_a_table_and_relative() {
    let config = "[env]\nCORE_DATABASE_URL = { value = \"data/x.db\", relative = true, force = true }\n";
    let fixture = Fixture::single(CORE).file(".cargo/config.toml", config);
    let (found, _) = url(&fixture, "prod");
    assert_eq!(found, fixture.path("data/x.db").display().to_string());
    assert_eq!(url(&fixture.variable("CORE_DATABASE_URL", "process"), "prod").0, "process");
}

#[test]
fn an_empty_variable_is_no_url() {
    let fixture = Fixture::single(&format!("{CORE}url = 'manifest'")).variable("DATABASE_URL", "");
    assert_eq!(url(&fixture, "dev").0, "manifest");
}

#[test]
fn a_missing_url_names_what_was_looked_at_and_the_line_to_add() {
    let fixture =
        Fixture::workspace(&[("core", &format!("{CORE}url-env = 'PG_URL'"))], "").file(".env", "A=1\n");
    let repo = fixture.repo();
    assert_eq!(repo.files().name.as_str(), "core");
    let error = repo.ready().expect_err("there is none").to_string();
    let expected = "no URL for repo `core` in environment `dev`
note: looked for `CORE_DATABASE_URL_DEV`, `PG_URL`, `DATABASE_URL` in the environment and `.env`, then for `package.metadata.dbsetup.repos.core.url` in core/Cargo.toml
note: there is no `.env.dev`, which could set it, too
help: set `PG_URL`, or add to core/Cargo.toml:

[package.metadata.dbsetup.repos.core]
url = \"postgres://localhost/core_{env}\"

or, for SQLite:

[package.metadata.dbsetup.repos.core]
url = \"sqlite:core_{env}.db\"";
    assert_eq!(error, expected);
}

#[test]
fn a_manifest_url_expands_and_an_unset_variable_is_an_error_only_when_needed() {
    let lines = format!(
        "{CORE}url = 'postgres://${{DB_HOST:-localhost}}/core_{{env}}'\nenv.prod.url = '${{PROD_URL}}'\n"
    );
    let fixture = Fixture::single(&lines);
    assert_eq!(url(&fixture, "test").0, "postgres://localhost/core_test");
    let repo = fixture.repo_in("prod");
    let error = repo.ready().expect_err("the variable is not set");
    assert!(error.message().contains("needs the variable `PROD_URL`"), "{error}");
    assert_eq!(error.site().map(|site| site.at.line), Some(7));
    let fixture =
        fixture.variable("DB_HOST", "db").file(".env.prod", "PROD_URL=postgres://app:s3cret@db/x\n");
    assert_eq!(url(&fixture, "test").0, "postgres://db/core_test");
    assert_eq!(url(&fixture, "prod").0, "postgres://app:s3cret@db/x");
}

#[test]
fn other_urls_have_variables_of_their_own() {
    let lines = format!("{CORE}url = 'u'\nmaintenance-url = '${{ADMIN:-}}'\ndirect-url = 'd'\n");
    let fixture = Fixture::single(&lines).variable("CORE_SCRATCH_URL", "s").variable("CORE_DIRECT_URL", "v");
    let repo = fixture.repo();
    let repo = repo.ready().expect("it has a URL");
    let shown = |url: &Option<dbsetup::repo::DatabaseUrl>| url.as_ref().map(|url| url.expose().to_owned());
    assert_eq!(shown(&repo.direct_url).as_deref(), Some("v"));
    assert_eq!(shown(&repo.scratch_url).as_deref(), Some("s"));
    assert_eq!(shown(&repo.maintenance_url), None);
}

#[test]
fn nothing_leads_past_a_database_that_the_command_line_names() {
    let lines = format!("{CORE}url = 'u'\ndirect-url = 'd'\n");
    let mut fixture = Fixture::single(&lines).variable("CORE_DIRECT_URL", "v");
    fixture.request.database_url = Some(dbsetup::repo::DatabaseUrl::new("flag"));
    let repo = fixture.repo();
    assert!(setting(&repo, "direct-url").is_none());
    let repo = repo.ready().expect("it has a URL");
    assert_eq!((repo.url.expose(), repo.direct_url.is_none()), ("flag", true));
}

#[test]
fn settings_never_show_a_password() {
    let lines =
        format!("{CORE}url = 'postgres://app:s3cret@h/db'\ndirect-url = 'postgres://h/db?password=s3cret'\n");
    let fixture = Fixture::single(&lines).file(".env", "CORE_SCRATCH_URL=postgres://a:s3cret@h/x\n");
    let repo = fixture.repo();
    assert!(!format!("{repo:?}").contains("s3cret"), "{repo:?}");
    assert_eq!(setting(&repo, "url").map(|(value, _)| value).as_deref(), Some("postgres://app@h/db"));
    assert_eq!(setting(&repo, "scratch-url").map(|(value, _)| value).as_deref(), Some("postgres://a@h/x"));
}

#[test]
fn programs_get_every_url_under_the_names_that_are_asked() {
    let lines = "
        [package.metadata.dbsetup.repos.core]
        url = 'sqlite:core_{env}.db'
        url-env = 'PG_URL'
        [package.metadata.dbsetup.repos.no-url]
    ";
    let fixture =
        Fixture::workspace(&[("a", lines)], "").variable("CORE_DATABASE_URL_DEV", "sqlite:stale.db");
    let workspace = fixture.discover().expect("it is right");
    let mut request = fixture.request.clone();
    request.repos = vec!["core".into()];
    request.database_url = Some(dbsetup::repo::DatabaseUrl::new("sqlite:flag.db"));
    let variables = workspace.program_variables(&request, "dev").expect("it is right");
    let expected = format!("sqlite:{}", fixture.path("a/flag.db").display());
    let expected = [
        ("DBSETUP_ENV", "dev"),
        ("CORE_DATABASE_URL", &*expected),
        ("PG_URL", &*expected),
        ("CORE_DATABASE_URL_DEV", &*expected),
    ];
    assert_eq!(variables.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn programs_of_an_only_repo_get_database_url() {
    let fixture = Fixture::single(&format!("{CORE}url = 'postgres://h/core_{{env}}'"));
    let workspace = fixture.discover().expect("it is right");
    let variables = workspace.program_variables(&fixture.request, "test").expect("it is right");
    let names: Vec<_> = variables.iter().collect();
    assert!(names.contains(&("DATABASE_URL", "postgres://h/core_test")), "{names:?}");
}
