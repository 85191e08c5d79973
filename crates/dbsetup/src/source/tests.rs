use super::*;
use crate::error::Kind;
use crate::files::Files;
use crate::migration::FileSet;

const fn file(path: &'static str, text: &'static str) -> EmbeddedFile {
    EmbeddedFile { path, bytes: text.as_bytes() }
}

const SETTINGS: EmbeddedSettings = EmbeddedSettings {
    priv_dir: "priv/core",
    structure: "priv/core/structure.sql",
    migrations: &["priv/core/migrations"],
    manual_migrations: &["priv/core/manual_migrations"],
    archive: &["priv/core/dumped_migrations"],
    ..EmbeddedSettings::DEFAULT
};

static CORE: Embedded = Embedded {
    name: "core",
    digest: "ab",
    marker: "dbsetup-embedded:core:ab;",
    disposable: DISPOSABLE,
    settings: SETTINGS,
    environments: &[(
        "prod",
        EmbeddedSettings { role: Some("core_{env}"), schemas: &["${DBSETUP_TEST_NOT_SET:-app}"], ..SETTINGS },
    )],
    files: &[
        file("priv/core/manual_migrations/2_b.sql", "create table b (i int);"),
        file("priv/core/migrations/1_a.sql", "create table a (i int);"),
        file("priv/core/seeds.sql", "insert into a values (1);"),
    ],
    debug_assertions: true,
};

fn url() -> DatabaseUrl {
    DatabaseUrl::new("sqlite::memory:")
}

#[test]
fn files_in_the_binary_are_read_as_those_of_a_disk() {
    let repo = Source::from(&CORE).repo(url(), "dev").unwrap();
    let files = FileSet::read(&repo, &[]).unwrap();
    let shown: Vec<_> = files.migrations.iter().map(|migration| migration.up.path.clone()).collect();
    assert_eq!(
        shown,
        [Path::new("priv/core/migrations/1_a.sql"), Path::new("priv/core/manual_migrations/2_b.sql")]
    );
    assert_eq!(crate::seed::files(&repo).unwrap(), [Path::new("priv/core/seeds.sql")]);
    assert_eq!(repo.refuse_embedded("dump").unwrap_err().kind(), Kind::Unsupported);
}

#[test]
fn an_environment_has_its_own_settings_and_only_some_may_be_dropped() {
    let source = Source::embedded(&CORE);
    let (dev, prod) = (source.repo(url(), "dev").unwrap(), source.repo(url(), "prod").unwrap());
    assert_eq!((dev.disposable, prod.disposable), (true, false));
    assert_eq!((dev.role, prod.role.as_deref()), (None, Some("core_prod")));
    assert_eq!(prod.schemas, ["app"]);
    assert!(source.debug_assertions());
    assert_eq!(source.content_digest().unwrap(), "ab");
}

#[test]
fn what_a_variable_must_say_is_asked_for_when_the_binary_runs() {
    const CORE_BASE: Embedded = Embedded {
        name: "core",
        digest: "",
        marker: "",
        disposable: DISPOSABLE,
        settings: SETTINGS,
        environments: &[("dev", SETTINGS)],
        files: &[],
        debug_assertions: false,
    };
    static NEEDY: Embedded = Embedded {
        settings: EmbeddedSettings { role: Some("${DBSETUP_TEST_NOT_SET}"), ..SETTINGS },
        ..CORE_BASE
    };
    let error = Source::from(&NEEDY).repo(url(), "prod").unwrap_err();
    assert!(error.message().contains("`role` of repo `core` needs the variable"), "{error}");
    static PARTED: Embedded =
        Embedded { settings: EmbeddedSettings { by_environment: true, ..SETTINGS }, ..CORE_BASE };
    let error = Source::from(&PARTED).repo(url(), "ci").unwrap_err();
    assert_eq!(error.kind(), Kind::Configuration);
    assert!(error.notes()[0].ends_with("built for `dev`"), "{error:?}");
    assert!(Source::from(&PARTED).repo(url(), "dev").is_ok());
}

#[test]
fn a_directory_is_the_crates_or_the_one_with_the_files() {
    let root = tempfile::tempdir().unwrap();
    let migrations = root.path().join("priv/core/migrations");
    std::fs::create_dir_all(&migrations).unwrap();
    std::fs::write(migrations.join("V1__a.sql"), "select 1;").unwrap();
    let of_crate = Source::directory("core", root.path());
    let inside = Source::directory("core", root.path().join("priv/core"));
    for source in [&of_crate, &inside] {
        let repo = source.repo(url(), "test").unwrap();
        assert_eq!(repo.files, Files::Disk);
        assert_eq!(repo.migrations, [migrations.as_path()]);
        assert_eq!(repo.layout_ledger, Some(LedgerKind::Refinery));
        assert_eq!(FileSet::read(&repo, &[]).unwrap().migrations.len(), 1);
    }
    let digest = of_crate.content_digest().unwrap();
    assert_eq!(digest, inside.content_digest().unwrap());
    std::fs::write(migrations.join("V1__a.sql"), "select 2;").unwrap();
    assert_ne!(digest, of_crate.content_digest().unwrap());

    let changed = of_crate.ledger(LedgerKind::Sqlx).with(|repo| repo.role = Some("app".into()));
    let repo = changed.repo(url(), "prod").unwrap();
    assert_eq!((repo.layout_ledger, repo.role.as_deref()), (Some(LedgerKind::Sqlx), Some("app")));
    let missing = Source::directory("core", root.path().join("none")).repo(url(), "prod").unwrap_err();
    assert_eq!(missing.kind(), Kind::Missing);
}
