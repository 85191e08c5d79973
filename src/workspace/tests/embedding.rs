//! What a build script puts into a binary is what this side resolves of the same manifests.

use std::path::Path;
use std::time::Duration;

use dbsetup::expand::expand;
use dbsetup::ledger::LedgerKind;
use dbsetup::repo::Repo;

use super::super::fixture::Fixture;

const ENVIRONMENTS: [&str; 4] = ["dev", "test", "prod", "ci"];

/// The settings as a build script writes them down.
fn expected(repo: &Repo) -> Vec<(&'static str, String)> {
    let path = |path: &Path| {
        let text = match path.strip_prefix(&repo.root) {
            Ok(inside) => inside.display().to_string(),
            // One directory up is all that the cases need.
            Err(_) => {
                let up = repo.root.parent().expect("it has one");
                format!("../{}", path.strip_prefix(up).expect("it is beside the crate").display())
            }
        };
        format!("{:?}", text.replace('\\', "/"))
    };
    let paths = |list: &[std::path::PathBuf]| {
        format!("&[{}]", list.iter().map(|each| path(each)).collect::<Vec<_>>().join(", "))
    };
    let ledger = |kind: Option<LedgerKind>| match kind {
        Some(kind) => format!("Some(__dbsetup::LedgerKind::{kind:?})"),
        None => "None".to_owned(),
    };
    let time = |limit: Duration| format!("::core::time::Duration::from_millis({})", limit.as_millis());
    let kept: Vec<String> =
        repo.keep_data.iter().map(|kept| format!("({:?}, &{:?})", kept.table, kept.except)).collect();
    vec![
        ("priv_dir", path(&repo.priv_dir)),
        ("structure", path(&repo.structure)),
        ("migrations", paths(&repo.migrations)),
        ("manual_migrations", paths(&repo.manual_migrations)),
        ("archive", paths(&repo.archive)),
        (
            "engine",
            repo.engine.map_or("None".into(), |engine| format!("Some(__dbsetup::Dialect::{engine:?})")),
        ),
        ("ledger_kind", ledger(repo.ledger.kind)),
        ("ledger_table", format!("{:?}", repo.ledger.table)),
        ("ignored_chars", format!("&{:?}", repo.ledger.ignored_chars)),
        ("layout_ledger", ledger(repo.layout_ledger)),
        ("create_encoding", format!("{:?}", repo.create.encoding)),
        ("create_template", format!("{:?}", repo.create.template)),
        ("create_collation", format!("{:?}", repo.create.collation)),
        ("create_owner", format!("{:?}", repo.create.owner)),
        ("create_charset", format!("{:?}", repo.create.charset)),
        ("role", format!("{:?}", repo.role)),
        ("schemas", format!("&{:?}", repo.schemas)),
        ("keep_data", format!("&[{}]", kept.join(", "))),
        ("template", repo.template.to_string()),
        ("version_order", format!("__dbsetup::VersionOrder::{:?}", repo.version_order)),
        // What is not configured is the library's to say.
        (
            "lock_wait",
            Some(repo.lock_wait)
                .filter(|wait| wait.as_secs() != 300)
                .map_or("None".into(), |wait| format!("Some({})", time(wait))),
        ),
        ("lock_timeout", time(repo.lock_timeout)),
        (
            "statement_timeout",
            repo.statement_timeout.map_or("None".into(), |at| format!("Some({})", time(at))),
        ),
    ]
}

/// Compares both sides in every environment; `package` is the directory of the crate that embeds.
fn compare(fixture: &Fixture, package: &str, name: &str) {
    let prepared = dbsetup_build::prepare(&fixture.path(package), name).expect("it can be embedded");
    for environment in ENVIRONMENTS {
        let repos = fixture.repos_in(environment).expect("the configuration is right");
        let repo =
            repos.iter().find(|repo| repo.name().as_str() == prepared.name).expect("it is here").files();
        let embedded: Vec<(&str, String)> = prepared
            .settings(environment)
            .iter()
            .filter(|(key, _)| {
                let of_urls = ["url_env", "sqlx_url_env", "direct_url_env", "maintenance_url_env"];
                !of_urls.contains(key) && !matches!(*key, "by_environment" | "seed_command")
            })
            .map(|(key, value)| {
                let value = expand(value, environment, &mut |_| None).expect("every variable has a default");
                (*key, value)
            })
            .collect();
        assert_eq!(embedded, expected(repo), "`{name}` in {environment}");
        assert_eq!(prepared.dir, repo.root);
        let resolved = repos.iter().find(|repo| repo.name().as_str() == prepared.name).expect("it is here");
        for key in ["url_env", "sqlx_url_env"] {
            let line = prepared.settings(environment).iter().find(|(known, _)| *known == key);
            // `Some("X")`
            let named = line.and_then(|(_, value)| value.split('"').nth(1));
            let asked = named.is_none_or(|name| resolved.url_variables.iter().any(|known| known == name));
            assert!(asked, "`{key}` of `{name}`: {named:?}, {:?}", resolved.url_variables);
        }
    }
}

const MIGRATION: (&str, &str) = ("migrations/1_a.sql", "select 1;");

#[test]
fn every_setting_is_embedded_as_it_is_resolved() {
    let fixture = Fixture::single(
        r#"
        [package.metadata.dbsetup.repos.core]
        url = "sqlite:core.db"
        url-env = "CORE_URL"
        direct-url = "${CORE_DIRECT}"
        maintenance-url = "postgres://admin:secret@localhost/postgres"
        env.ci.url = "postgres://app:secret@localhost/ci"
        env.ci.direct-url = "postgres://app:secret@localhost/ci"
        priv = "db/./core"
        dump-path = "db/schema.sql"
        migrations = ["db/core/up", "db/more"]
        manual-migrations = "db/core/by_hand"
        archive = ["db/old"]
        ledger = { kind = "sqlx", table = "app._m" }
        create = { encoding = "UTF8", template = "template0", collation = "C.UTF-8", owner = "o_{env}", charset = "utf8" }
        role = "${NOT_SET:-role_{env}}"
        schemas = ["app_{env}", "public"]
        keep-data = ["countries", { table = "plans", except = ["created_at"] }, { table = "x" }]
        template = false
        version-order = "strict"
        lock-wait = "10m"
        lock-timeout = 0
        statement-timeout = "500ms"
        dump-after-migrate = true
        seed-command = "seed"
        env.prod = { role = "app", statement-timeout = "2h", ledger.table = "t", priv = "db/prod" }
        env.test.lock-timeout = "1500ms"
        env.test.statement-timeout = 0
        "#,
    )
    .file("db/core/up/1_a.sql", "")
    .file("db/more/2_b.sql", "")
    .dir("db/core/by_hand");
    compare(&fixture, "", "core");
    let prepared = dbsetup_build::prepare(&fixture.path(""), "core").expect("it can be embedded");
    let says = |environment: &str, key: &str| {
        let line = prepared.settings(environment).iter().find(|(known, _)| *known == key);
        line.expect("it is there").1.clone()
    };
    for environment in ENVIRONMENTS {
        let lines = format!("{:?}", prepared.settings(environment));
        assert!(!lines.contains("secret") && !lines.contains("postgres:"), "{lines}");
        assert_eq!(says(environment, "maintenance_url_env"), "None");
    }
    let engines = ["dev", "prod", "ci"].map(|environment| says(environment, "engine"));
    let some = |engine| format!("Some(__dbsetup::Dialect::{engine})");
    assert_eq!(engines, [some("Sqlite"), "None".into(), some("Postgres")]);
    assert_eq!(says("prod", "direct_url_env"), "Some(\"CORE_DIRECT\")");
    assert_eq!(says("ci", "direct_url_env"), "None");
}

#[test]
fn defaults_of_the_workspace_and_repos_without_a_package_are_embedded_alike() {
    let fixture = Fixture::workspace(
        &[("app", "[package.metadata.dbsetup.repos.core-data]\nenv.prod.role = \"p\"\nmigrations = \"../shared\"\n"), ("other", "")],
        r#"
        [workspace.metadata.dbsetup]
        disposable-environments = ["ci"]
        [workspace.metadata.dbsetup.repos.core-data]
        role = "w"
        env.prod.role = "wp"
        env.dev.lock-wait = 1
        ledger = "dbmate"
        [workspace.metadata.dbsetup.repos.reports]
        version-order = "any"
        "#,
    )
    .file("shared/1_a.sql", "")
    .file("priv/reports/migrations/V1__a.sql", "");
    compare(&fixture, "app", "core_data");
    compare(&fixture, "app", "reports");
    compare(&fixture, "other", "core-data");
}

#[test]
fn the_layout_speaks_for_the_same_ledger_on_both_sides() {
    let sqlx = "[dependencies]\nsqlx = \"0.9\"\n";
    let (path, text) = MIGRATION;
    let plain = |lines: &str| Fixture::single(lines).file(path, text);
    compare(&plain(""), "", "app");
    compare(&plain(sqlx), "", "app");
    compare(&plain(&format!("{sqlx}[package.metadata.dbsetup.repos.core]\n")), "", "core");
    compare(&Fixture::single("[dependencies]\nrefinery = \"0.9\"\n").dir("migrations"), "", "app");
    compare(&Fixture::single("[dependencies]\ndiesel_migrations = \"2\"\n").dir("migrations"), "", "app");
    compare(
        &Fixture::single("").file("db/migrations/1_a.sql", "-- migrate:up\n").file("db/schema.sql", ""),
        "",
        "app",
    );
    compare(
        &Fixture::single("").file("diesel.toml", "[migrations_directory]\ndir = \"d/m\"\n").dir("d/m"),
        "",
        "app",
    );
    let toml = "[common]\ndatabase-url-var = \"X\"\n[migrate]\ntable-name = \"app._m\" # theirs\nignored-chars = [\"\\r\", \" \"]\nmigrations-dir = \"sql\"\n";
    let fixture = Fixture::single("").file("sqlx.toml", toml).file("sql/1_a.sql", "");
    compare(&fixture, "", "app");
    let prepared = dbsetup_build::prepare(&fixture.path(""), "app").expect("it can be embedded");
    assert!(prepared.settings("prod").contains(&("sqlx_url_env", "Some(\"X\")".to_owned())));
    let two = Fixture::single(
        "[package.metadata.dbsetup.repos.a]\nmigrations = \"sql\"\n[package.metadata.dbsetup.repos.b]\n",
    );
    let two = two.file("sqlx.toml", toml).file("sql/1_a.sql", "").file("priv/b/migrations/1_a.sql", "");
    compare(&two, "", "a");
    let prepared = dbsetup_build::prepare(&two.path(""), "a").expect("it can be embedded");
    assert!(prepared.settings("prod").contains(&("sqlx_url_env", "None".to_owned())));
    let inside = Fixture::single("[package.metadata.dbsetup.repos.core]\n")
        .file("priv/core/migrations/1_a.sql", "")
        .file("src/main.rs", "static M: Migrator = sqlx::migrate!(\"priv/core/migrations\");");
    compare(&inside, "", "core");
    compare(&Fixture::single("").file("priv/core/structure.sql", ""), "", "core");
    let kept = Fixture::workspace(
        &[("app", sqlx)],
        "[workspace.metadata.dbsetup.repos.core]\nmigrations = \"app/migrations\"\n",
    );
    compare(&kept.file("app/migrations/1_a.sql", ""), "app", "core");
}
