//! Keys, types, merging, selection.

use std::time::Duration;

use dbsetup::Kind;
use dbsetup::ledger::LedgerKind;
use dbsetup::repo::{KeepData, VersionOrder};

use crate::workspace::fixture::{Fixture, everything, setting};
use crate::workspace::{Origin, is_cargo_failure};

const CORE: &str = "[package.metadata.dbsetup.repos.core]\n";

#[test]
fn defaults_are_those_of_the_documentation() {
    let fixture = Fixture::workspace(&[("a", CORE)], "");
    let resolved = fixture.repo();
    let repo = resolved.files();
    assert_eq!(fixture.shown(&repo.priv_dir), "a/priv/core");
    assert_eq!(fixture.shown(&repo.structure), "a/priv/core/structure.sql");
    assert_eq!(fixture.shown(&repo.migrations[0]), "a/priv/core/migrations");
    assert_eq!(fixture.shown(&repo.manual_migrations[0]), "a/priv/core/manual_migrations");
    assert_eq!(fixture.shown(&repo.archive[0]), "a/priv/core/dumped_migrations");
    assert_eq!((repo.lock_wait, repo.lock_timeout), (Duration::from_secs(300), Duration::from_secs(5)));
    assert_eq!((repo.statement_timeout, repo.version_order), (None, VersionOrder::Warn));
    assert_eq!((repo.template, repo.dump_after_migrate, repo.disposable), (true, false, true));
    assert_eq!((repo.ledger.kind, repo.layout_ledger), (None, None));
    assert_eq!(resolved.package.as_deref(), Some("a"));
    assert_eq!(setting(&resolved, "lock-wait"), Some(("5m".into(), "default".into())));
    assert!(!fixture.repo_in("prod").files().disposable);
}

#[test]
fn every_key_is_read_and_may_stand_under_an_environment() {
    let keys = r#"
        url = "u"
        url-env = "PG_URL"
        direct-url = "d"
        maintenance-url = "m"
        scratch-url = "s"
        priv = "db"
        dump-path = "db/schema_{env}.sql"
        migrations = ["m1", "m2"]
        manual-migrations = "by_hand"
        archive = ["old"]
        ledger = { kind = "sqlx", table = "app._m" }
        create = { encoding = "UTF8", template = "template0", collation = "C", owner = "own_{env}", charset = "utf8mb4" }
        role = "${ROLE:-owner}"
        schemas = ["app", "public"]
        seed-command = "cargo run -- ${x}"
        keep-data = ["countries", { table = "users", except = ["token"] }]
        template = false
        version-order = "strict"
        lock-wait = 7
        lock-timeout = "500ms"
        statement-timeout = "2h"
        dump-after-migrate = true
    "#;
    let general = format!("{CORE}{keys}");
    let under = format!("{CORE}[package.metadata.dbsetup.repos.core.env.dev]{keys}");
    for lines in [general, under] {
        let fixture = Fixture::single(&lines);
        let resolved = fixture.repo();
        let repo = resolved.ready().expect("it has a URL");
        assert_eq!(fixture.shown(&repo.structure), "db/schema_dev.sql");
        assert_eq!(repo.migrations.iter().map(|dir| fixture.shown(dir)).collect::<Vec<_>>(), ["m1", "m2"]);
        assert_eq!(fixture.shown(&repo.manual_migrations[0]), "by_hand");
        assert_eq!(fixture.shown(&repo.archive[0]), "old");
        assert_eq!(repo.ledger.kind, Some(LedgerKind::Sqlx));
        assert_eq!(repo.ledger.table.as_deref(), Some("app._m"));
        assert_eq!(repo.create.owner.as_deref(), Some("own_dev"));
        assert_eq!(repo.create.charset.as_deref(), Some("utf8mb4"));
        assert_eq!(repo.role.as_deref(), Some("owner"));
        assert_eq!(repo.schemas, ["app", "public"]);
        assert_eq!(repo.seed_command.as_deref(), Some("cargo run -- ${x}"));
        let users = KeepData { table: "users".into(), except: vec!["token".into()] };
        assert_eq!(repo.keep_data, [KeepData { table: "countries".into(), except: Vec::new() }, users]);
        assert_eq!((repo.template, repo.dump_after_migrate), (false, true));
        assert_eq!(repo.version_order, VersionOrder::Strict);
        assert_eq!((repo.lock_wait, repo.lock_timeout), (Duration::from_secs(7), Duration::from_millis(500)));
        assert_eq!(repo.statement_timeout, Some(Duration::from_secs(7200)));
        assert_eq!(resolved.settings.len(), 27, "every key has a value");
    }
}

#[test]
fn an_environment_outranks_a_package_and_a_package_the_workspace() {
    let package =
        format!("{CORE}role = 'package'\ncreate.owner = 'package'\nenv.prod.role = 'package-prod'\n");
    let workspace = "
        [workspace.metadata.dbsetup.repos.core]
        role = 'workspace'
        lock-timeout = '1s'
        create = { owner = 'workspace', encoding = 'UTF8' }
        env.prod.lock-timeout = '9s'
        env.prod.create.owner = 'workspace-prod'
    ";
    let fixture = Fixture::workspace(&[("core", &package)], workspace).at("core");
    let value =
        |environment: &str, key: &str| setting(&fixture.repo_in(environment), key).expect("it is said");
    assert_eq!(
        value("dev", "role"),
        ("package".into(), "core/Cargo.toml (package.metadata.dbsetup.repos.core.role)".into())
    );
    assert_eq!(value("prod", "role").0, "package-prod");
    assert_eq!(
        value("dev", "lock-timeout"),
        ("1s".into(), "Cargo.toml (workspace.metadata.dbsetup.repos.core.lock-timeout)".into())
    );
    assert_eq!(value("prod", "lock-timeout").0, "9s");
    assert_eq!(value("dev", "create.owner").0, "package");
    assert_eq!(value("dev", "create.encoding").0, "UTF8");
    assert_eq!(value("prod", "create.owner").0, "workspace-prod");
}

#[test]
fn a_variable_outranks_the_manifests() {
    let fixture = Fixture::single(&format!("{CORE}env.dev.lock-wait = '3m'\n"));
    assert_eq!(setting(&fixture.repo(), "lock-wait").expect("it is said").0, "3m");
    let fixture = fixture.variable("DBSETUP_LOCK_WAIT", "40s");
    assert_eq!(
        setting(&fixture.repo(), "lock-wait"),
        Some(("40s".into(), "variable DBSETUP_LOCK_WAIT".into()))
    );
    let fixture = fixture.variable("DBSETUP_LOCK_WAIT", "soon");
    assert!(
        fixture.error().message().contains("`DBSETUP_LOCK_WAIT` must be a duration"),
        "{}",
        fixture.error()
    );
}

#[test]
fn wrong_keys_and_types_are_errors_at_their_place() {
    // Lines, what the message says, what the help says, the line and column.
    let cases = [
        (
            "[package.metadata.dbsetup.repos.core]\nlock_wait = '1s'",
            "unknown key `lock_wait`",
            "`lock-wait`",
            (6, 1),
        ),
        ("[package.metadata.dbsetup.repos.core]\nulr = 's3cret'", "unknown key `ulr`", "`url`", (6, 1)),
        (
            "[package.metadata.dbsetup.repos.core]\nurl = ['s3cret']",
            "`url` must be a URL in quotes",
            "",
            (6, 1),
        ),
        (
            "[package.metadata.dbsetup.repos.core]\nurl-env = 'postgres://a:s3cret=@h'",
            "`url-env` takes the name",
            "`url`",
            (6, 1),
        ),
        ("[package.metadata.dbsetup.repos.core]\nlock-wait = 'soon'", "not `soon`", "", (6, 13)),
        (
            "[package.metadata.dbsetup.repos.core]\nlock-wait = -1",
            "`lock-wait` must be a duration",
            "",
            (6, 1),
        ),
        (
            "[package.metadata.dbsetup.repos.core]\ntemplate = 'yes'",
            "`template` must be `true` or `false`",
            "",
            (6, 1),
        ),
        ("[package.metadata.dbsetup.repos.core]\nledger = 'sqlxx'", "`ledger` must be", "`sqlx`", (6, 10)),
        (
            "[package.metadata.dbsetup.repos.core]\nledger = { tabel = 'x' }",
            "unknown key `tabel`",
            "`table`",
            (6, 12),
        ),
        (
            "[package.metadata.dbsetup.repos.core]\ncreate = { owner = 1 }",
            "`owner` must be text",
            "",
            (6, 12),
        ),
        ("[package.metadata.dbsetup.repos.core]\ncreate = 'UTF8'", "must be a table", "", (6, 1)),
        (
            "[package.metadata.dbsetup.repos.core]\nversion-order = 'loose'",
            "\"strict\", not `loose`",
            "",
            (6, 17),
        ),
        (
            "[package.metadata.dbsetup.repos.core]\nkeep-data = [{ except = ['a'] }]",
            "names no `table`",
            "",
            (6, 14),
        ),
        ("[package.metadata.dbsetup.repos.core]\nprefix = 'x'", "`prefix` is a reserved word", "", (6, 1)),
        ("[package.metadata.dbsetup]\ntargets = 'x'", "`targets` is a reserved word", "", (6, 1)),
        ("[package.metadata.dbsetup]\nurl = 's3cret'", "unknown key `url`", "repos.<name>", (6, 1)),
        ("[package.metadata.dbsetup]\nrepo = {}", "unknown key `repo`", "`repos`", (6, 1)),
        ("[package.metadata.dbsetup.repos.'a b']", "`a b` is no name for a repo", "", (5, 33)),
        (
            "[package.metadata.dbsetup.repos.core.env.dev]\nenv = {}",
            "unknown key `env`",
            "the keys here are",
            (6, 1),
        ),
        ("[package.metadata.dbsetup.repos.core.env.dev]\nrole = ''", "`role` is empty", "", (6, 1)),
    ];
    for (lines, message, help, at) in cases {
        let error = Fixture::single(lines).error();
        assert_eq!(error.kind(), Kind::Configuration, "{lines}");
        assert!(error.message().contains(message), "{lines}: {error}");
        assert!(error.help_text().unwrap_or_default().contains(help), "{lines}: {error}");
        let site = error.site().unwrap_or_else(|| panic!("{lines}: no place"));
        assert_eq!((site.at.line, site.at.column), at, "{lines}");
        assert!(!everything(&error).contains("s3cret"), "{lines}: {}", everything(&error));
    }
}

#[test]
fn two_repos_of_one_name_are_an_error() {
    let lines = "[package.metadata.dbsetup.repos.core-data]\n[package.metadata.dbsetup.repos.core_data]\n";
    assert!(
        Fixture::single(lines)
            .error()
            .message()
            .contains("`-`, `_` and the case of letters make no difference")
    );
    let lines = "[package.metadata.dbsetup.repos.Core]\n[package.metadata.dbsetup.repos.core]\n";
    assert!(Fixture::single(lines).error().message().contains("two repos are called"));
    let fixture = Fixture::workspace(&[("a", CORE), ("b", CORE)], "");
    let error = fixture.error();
    assert_eq!(error.message(), "two repos are called `core`");
    assert_eq!(error.site().map(|site| site.path.display().to_string()).as_deref(), Some("b/Cargo.toml"));
    assert!(error.to_string().contains("in `a/Cargo.toml`"), "{error}");
}

#[test]
fn aliases_and_environments_are_the_workspaces() {
    let workspace = r#"
        [workspace.metadata.dbsetup]
        disposable-environments = ["dev", "ci"]
        [workspace.metadata.dbsetup.aliases]
        setup = ["create", "  migrate --lane all "]
        test = { env = "test", steps = ["setup --quiet", "$ cargo test"] }
    "#;
    let fixture = Fixture::workspace(&[("a", CORE)], workspace);
    let found = fixture.discover().expect("it is right");
    assert_eq!(found.config.disposable_environments, ["dev", "ci"]);
    let [setup, test] = &found.config.aliases[..] else { panic!("two aliases are expected") };
    assert_eq!(
        (setup.name.as_str(), &setup.environment, setup.steps[1].as_str()),
        ("setup", &None, "migrate --lane all")
    );
    assert_eq!((test.environment.as_deref(), test.steps[1].as_str()), (Some("test"), "$ cargo test"));
    let error = test.step_error(1, "it is wrong");
    let site = error.site().expect("it is in the file");
    assert!(site.excerpt.ends_with("\"$ cargo test\" ..."), "{}", site.excerpt);
    assert!(fixture.repo_in("ci").files().disposable && !fixture.repo_in("test").files().disposable);
    let member = format!("{CORE}[package.metadata.dbsetup.aliases]\nx = ['create']\n");
    let error = Fixture::workspace(&[("a", &member)], "").error();
    assert!(error.help_text().is_some_and(|help| help.contains("workspace.metadata.dbsetup")), "{error}");
    let single = Fixture::single(&member).discover().expect("a single package is its workspace");
    assert_eq!(single.config.aliases[0].key(), "package.metadata.dbsetup.aliases.x");
    assert_eq!(single.config.disposable_origin, Origin::Default);
}

#[test]
fn wrong_aliases_are_errors() {
    for (line, message) in [
        ("x = 'create'", "must be a list of command lines"),
        ("x = { env = 'test' }", "must be a list of command lines"),
        ("x = { steps = [], envs = 'test' }", "unknown key `envs`"),
        ("x = ['create', '']", "step 2 of the alias `x` is no command line"),
        ("x = ['$ ']", "step 1"),
        ("'-x' = []", "no name for an alias"),
    ] {
        let error = Fixture::single(&format!("{CORE}[package.metadata.dbsetup.aliases]\n{line}\n")).error();
        assert!(error.message().contains(message), "{line}: {error}");
        assert!(error.site().is_some(), "{line}");
    }
}

#[test]
fn a_selection_is_by_repo_package_or_directory() {
    let repo = |name: &str| format!("[package.metadata.dbsetup.repos.{name}]\n");
    let (a, b) = (repo("users") + &repo("audit-log"), repo("orders"));
    let members = [("a", a.as_str()), ("b", b.as_str()), ("web", "")];
    let root =
        "[workspace.metadata.dbsetup.repos.reports]\n[workspace.metadata.dbsetup.repos.users]\nrole = 'x'\n";
    let fixture = || Fixture::workspace(&members, root).dir("a/src/deep").dir("docs");
    assert_eq!(fixture().names(), "audit-log users orders reports");
    assert_eq!(fixture().at("docs").names(), "audit-log users orders reports");
    assert_eq!(fixture().at("a/src/deep").names(), "audit-log users");
    let with = |change: fn(&mut crate::workspace::Request)| {
        let mut fixture = fixture().at("a");
        change(&mut fixture.request);
        fixture.names()
    };
    assert_eq!(with(|request| request.workspace = true), "audit-log users orders reports");
    assert_eq!(with(|request| request.repos = vec!["audit_log".into(), "orders".into()]), "audit-log orders");
    assert_eq!(with(|request| request.packages = vec!["b".into()]), "orders");
    assert_eq!(
        with(|request| (request.workspace, request.exclude) = (true, vec!["a".into()])),
        "orders reports"
    );
    assert_eq!(with(|request| request.manifest_path = Some("../b/Cargo.toml".into())), "orders");
    for (found, message) in [
        (with(|request| request.exclude = vec!["a".into()]), "only be used together with `--workspace`"),
        (
            with(|request| request.repos = vec!["user".into()]),
            "no repo is called `user`\nhelp: did you mean `users`?",
        ),
        (with(|request| request.packages = vec!["zzz".into()]), "the packages are `a`, `b`, `web`"),
        (with(|request| request.packages = vec!["web".into()]), "no repo belongs to `web`"),
        (fixture().at("web").names(), "the package `web` owns no repo"),
    ] {
        assert!(found.contains(message), "{found}");
    }
}

#[test]
fn a_repo_that_no_package_owns_lives_at_the_root() {
    let fixture = Fixture::workspace(&[("a", "")], "[workspace.metadata.dbsetup.repos.reports]\nurl = 'u'\n");
    let repo = fixture.repo();
    assert_eq!(
        (repo.package.as_deref(), fixture.shown(&repo.files().priv_dir)),
        (None, "priv/reports".into())
    );
}

#[test]
fn a_link_that_leaves_the_priv_directory_is_refused() {
    let fixture = Fixture::single(&format!("{CORE}url = 'u'"))
        .file("outside/1_x.sql", "")
        .file("priv/core/shared/2_y.sql", "")
        .dir("priv/core/migrations");
    let link = |from: &str, to: &str| {
        #[cfg(unix)]
        std::os::unix::fs::symlink(to, fixture.path(from)).expect("the directory is writable");
        #[cfg(windows)]
        std::os::windows::fs::symlink_file(to, fixture.path(from)).expect("the directory is writable");
    };
    link("priv/core/migrations/2_y.sql", "../shared/2_y.sql");
    assert_eq!(fixture.names(), "core");
    link("priv/core/migrations/1_x.sql", "../../../outside/1_x.sql");
    let error = fixture.error();
    assert!(error.message().contains("`priv/core/migrations/1_x.sql`"), "{error}");
    assert!(error.message().contains("leads to `../../../outside/1_x.sql`"), "{error}");
}

#[test]
fn the_environment_is_a_flag_a_variable_or_dev() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.request.environment().expect("it is right"), "dev");
    fixture = fixture.variable("DBSETUP_ENV", "test");
    assert_eq!(fixture.request.environment().expect("it is right"), "test");
    fixture.request.environment = Some("../x".into());
    assert!(fixture.request.environment().is_err());
}

#[test]
fn a_failure_of_cargo_is_known_and_shows_no_password() {
    let fixture = Fixture::new();
    assert!(is_cargo_failure(&fixture.error()));
    let fixture = Fixture::single(&format!("{CORE}url = \"postgres://app:s3cret@h/db\nx = 1\n"));
    let error = fixture.error();
    assert!(is_cargo_failure(&error));
    assert!(!everything(&error).contains("s3cret"), "{}", everything(&error));
    assert!(!is_cargo_failure(&Fixture::single("").error()));
}

#[test]
fn what_is_wrong_with_a_repo_is_nothing_to_another() {
    let repo = |name: &str, role: &str| {
        format!("[package.metadata.dbsetup.repos.{name}]\nurl = 'postgres://h/{name}'\nrole = '{role}'\n")
    };
    let mut fixture = Fixture::single(&(repo("a", "${UNSET}") + &repo("b", "owner")));
    assert!(fixture.names().contains("`role` of repo `a` needs the variable `UNSET`"), "{}", fixture.names());
    fixture.request.repos = vec!["b".into()];
    assert_eq!(fixture.names(), "b");
    let workspace = fixture.discover().expect("it is right");
    let variables = workspace.program_variables(&fixture.request, "dev").expect("`b` is right");
    assert_eq!(
        variables.iter().collect::<Vec<_>>(),
        [("DBSETUP_ENV", "dev"), ("B_DATABASE_URL", "postgres://h/b")]
    );
}
