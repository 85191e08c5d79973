//! Zero configuration, and the ledger that a layout speaks for.

use dbsetup::ledger::LedgerKind;

use crate::workspace::fixture::{Fixture, setting};

const SQLX: &str = "[dependencies]\nsqlx = \"0.9\"\n";

#[test]
fn a_package_with_migrations_is_one_repo_of_its_name() {
    let fixture = Fixture::single(SQLX).file("migrations/1_users.sql", "").variable("DATABASE_URL", "u");
    let repo = fixture.repo();
    let ready = repo.ready().expect("it has a URL");
    assert_eq!((ready.name.as_str(), ready.layout_ledger), ("app", Some(LedgerKind::Sqlx)));
    assert_eq!(fixture.shown(&ready.migrations[0]), "migrations");
    assert_eq!(fixture.shown(&ready.structure), "structure.sql");
    assert_eq!(setting(&repo, "migrations"), Some(("migrations".into(), "found: migrations".into())));
}

#[test]
fn a_priv_directory_names_its_repo() {
    let fixture = Fixture::workspace(&[("app", SQLX)], "").file("app/priv/repo/migrations/1_users.sql", "");
    let repo = fixture.repo();
    assert_eq!((repo.name().as_str(), repo.files().layout_ledger), ("repo", None));
    assert_eq!(fixture.shown(&repo.files().structure), "app/priv/repo/structure.sql");
    let error = repo.ready().expect_err("there is no URL").to_string();
    assert!(error.contains("`REPO_DATABASE_URL_DEV`, `REPO_DATABASE_URL`, `DATABASE_URL`"), "{error}");
    assert!(error.contains("[package.metadata.dbsetup.repos.repo]"), "{error}");
}

#[test]
fn migrations_at_the_root_of_a_workspace_are_one_repo() {
    let fixture = Fixture::workspace(&[("a", SQLX), ("b", SQLX)], "").file("migrations/1_users.sql", "");
    let repo = fixture.repo();
    assert_eq!((repo.package.as_deref(), repo.files().layout_ledger), (None, Some(LedgerKind::Sqlx)));
    // The crate whose source names the directory owns it.
    let fixture = fixture.file("b/src/lib.rs", "static M: Migrator = sqlx::migrate!(\"../migrations\");");
    let repo = fixture.repo();
    assert_eq!((repo.name().as_str(), repo.package.as_deref()), ("b", Some("b")));
    assert_eq!(fixture.shown(&repo.files().migrations[0]), "migrations");
}

#[test]
fn several_candidates_are_listed_with_lines_to_paste() {
    let fixture = Fixture::workspace(&[("a", ""), ("b-c", "")], "")
        .file("a/migrations/1_x.sql", "")
        .file("b-c/priv/core/structure.sql", "");
    let error = fixture.error().to_string();
    let expected = "2 directories look like a repo, and none is configured
note: a/migrations
note: b-c/priv/core
help: say which are repos, and what they are called:

# a/Cargo.toml
[package.metadata.dbsetup.repos.a]
url = \"postgres://localhost/a_{env}\"   # or \"sqlite:a_{env}.db\"
migrations = [\"migrations\"]

# b-c/Cargo.toml
[package.metadata.dbsetup.repos.core]
url = \"postgres://localhost/core_{env}\"   # or \"sqlite:core_{env}.db\"";
    assert_eq!(error, expected);
    // What was pasted is right.
    let lines =
        |name: &str| format!("[package.metadata.dbsetup.repos.{name}]\nurl = \"sqlite:{name}_{{env}}.db\"\n");
    let a = lines("a") + "migrations = [\"migrations\"]\n";
    let fixture =
        Fixture::workspace(&[("a", &a), ("b-c", &lines("core"))], "").file("a/migrations/1_x.sql", "");
    assert_eq!(fixture.names(), "a core");
}

#[test]
fn the_lines_to_paste_name_the_database_that_the_crate_is_built_for() {
    let lite = "[dependencies]\nsqlx = { version = \"0.9\", features = [\"sqlite\"] }\n";
    let unsaid = "[dependencies]\nsqlx = \"0.9\"\nlite = { path = \"../lite\" }\n";
    let both = "[dependencies]\nsqlx = { version = \"0.9\", features = [\"sqlite\", \"postgres\"] }\n";
    let fixture = Fixture::workspace(&[("lite", lite), ("uses-lite", unsaid), ("both", both)], "")
        .file("lite/migrations/1_x.sql", "")
        .file("lite/meta-migrations/1_x.sql", "")
        .file("lite/src/lib.rs", "sqlx::migrate!(\"meta-migrations\")")
        .file("uses-lite/migrations/1_x.sql", "")
        .file("both/migrations/1_x.sql", "");
    let error = fixture.error().to_string();
    for line in [
        "repos.lite]\nurl = \"sqlite:lite_{env}.db\"   # or \"postgres://localhost/lite_{env}\"\n",
        "repos.uses-lite]\nurl = \"sqlite:",
        "repos.both]\nurl = \"postgres:",
    ] {
        assert!(error.contains(line), "{line} in {error}");
    }
    assert!(error.contains("repos.meta]\nurl = \"sqlite:meta_{env}.db\""), "{error}");
}

#[test]
fn a_crate_speaks_for_the_ledger_of_files_that_the_workspace_names() {
    let lines = "[workspace.metadata.dbsetup.repos.core]\nurl = 'u'\nmigrations = 'a/migrations'\n";
    let fixture = Fixture::workspace(&[("a", SQLX), ("b", "")], lines).file("a/migrations/1_x.sql", "");
    let repo = fixture.repo();
    assert_eq!(repo.files().layout_ledger, Some(LedgerKind::Sqlx));
    assert_eq!(setting(&repo, "ledger.kind"), Some(("sqlx".into(), "found: a/migrations".into())));
}

#[test]
fn one_directory_of_migrations_for_each_database_is_named_after_it() {
    let fixture =
        Fixture::single(SQLX).file("migrations/postgres/1_x.sql", "").file("migrations/sqlite/1_x.sql", "");
    let error = fixture.error().to_string();
    assert!(error.contains("migrations/postgres") && error.contains("repos.sqlite]"), "{error}");
    assert!(error.contains("repos.postgres]"), "{error}");
}

#[test]
fn nothing_at_all_is_an_error_with_a_line_to_add() {
    let error = Fixture::single("").error();
    assert_eq!(error.message(), "no repo found");
    assert!(
        error.help_text().is_some_and(|help| help.contains("[package.metadata.dbsetup.repos.app]")),
        "{error}"
    );
}

#[test]
fn a_directory_of_rust_migrations_is_no_candidate() {
    let fixture = Fixture::single("").file("migrations/m2026_users.rs", "").file("priv/notes/x.txt", "");
    assert_eq!(fixture.error().message(), "no repo found");
}

#[test]
fn a_layout_speaks_for_its_ledger() {
    type Case = (&'static str, &'static [(&'static str, &'static str)], Option<LedgerKind>);
    let cases: [Case; 9] = [
        ("", &[("migrations/1_x/up.sql", "")], Some(LedgerKind::Diesel)),
        ("", &[("migrations/V1__x.sql", "")], Some(LedgerKind::Refinery)),
        ("", &[("db/migrations/1_x.sql", "-- migrate:up\n")], Some(LedgerKind::Dbmate)),
        (SQLX, &[("migrations/1_x.sql", "")], Some(LedgerKind::Sqlx)),
        ("", &[("migrations/1_x.sql", "")], None),
        ("", &[("migrations/1_x.sql", ""), ("sqlx.toml", "[migrate]\n")], Some(LedgerKind::Sqlx)),
        ("", &[("migrations/.keep", ""), ("diesel.toml", "")], Some(LedgerKind::Diesel)),
        ("", &[("migrations/.keep", ""), ("refinery.toml", "")], Some(LedgerKind::Refinery)),
        (SQLX, &[("sql/1_x.sql", ""), ("src/lib.rs", "sqlx::migrate!(\"sql\")")], Some(LedgerKind::Sqlx)),
    ];
    for (lines, files, kind) in cases {
        let fixture = files.iter().fold(Fixture::single(lines), |this, (path, text)| this.file(path, text));
        assert_eq!(fixture.repo().files().layout_ledger, kind, "{files:?}");
    }
}

#[test]
fn dbmates_structure_is_found() {
    let fixture =
        Fixture::single("").file("db/migrations/1_x.sql", "-- migrate:up\n").file("db/schema.sql", "");
    let repo = fixture.repo();
    assert_eq!(fixture.shown(&repo.files().structure), "db/schema.sql");
    assert_eq!(fixture.shown(&repo.files().archive[0]), "db/dumped_migrations");
}

#[test]
fn sqlx_toml_names_variable_and_table() {
    let text = "[common]\ndatabase-url-var = \"APP_URL\"\n[migrate]\ntable-name = \"app._m\"\nmigrations-dir = \"sql\"\n";
    let fixture = Fixture::single(SQLX).file("sqlx.toml", text).dir("sql").variable("APP_URL", "u");
    let repo = fixture.repo();
    let ready = repo.ready().expect("it has a URL");
    assert_eq!(ready.url.expose(), "u");
    assert_eq!(
        (ready.layout_ledger, ready.ledger.table.as_deref()),
        (Some(LedgerKind::Sqlx), Some("app._m"))
    );
    assert_eq!(setting(&repo, "ledger.table").expect("it is said").1, "found: sqlx.toml");
}

#[test]
fn the_only_repo_of_a_crate_finds_its_files_where_the_layout_has_them() {
    let lines = "[package.metadata.dbsetup.repos.core]\nurl = 'u'\n";
    let fixture = Fixture::single(lines).file("migrations/1_x.sql", "");
    assert_eq!(fixture.shown(&fixture.repo().files().migrations[0]), "migrations");
    let fixture = fixture.dir("priv/core");
    assert_eq!(fixture.shown(&fixture.repo().files().migrations[0]), "priv/core/migrations");
}

#[test]
fn migrations_of_tests_are_no_second_repo() {
    let source = "#[sqlx::test(migrations = \"testdata\")]";
    let fixture = Fixture::single(SQLX).file("testdata/1_x.sql", "").file("src/lib.rs", source);
    assert_eq!(fixture.shown(&fixture.repo().files().migrations[0]), "testdata");
    let fixture = fixture.file("migrations/1_x.sql", "");
    assert_eq!(fixture.shown(&fixture.repo().files().migrations[0]), "migrations");
}
