use std::sync::Mutex;

use super::*;
use crate::event::{Event, Observer};
use crate::fake::{FakeDatabase, State as Fake};
use crate::ledger::LedgerKind;
use crate::migration::{MigrateRequest, Migration, RollbackRequest, Target, migrate, rollback, testing};
use crate::structure::{self, LoadRequest};

/// Hears of new names.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn on(&self, event: &Event) {
        if let What::RepoRecorded { before } = &event.what {
            self.0.lock().unwrap().push(before.clone());
        }
    }
}

struct Fixture {
    _directory: tempfile::TempDir,
    repo: Repo,
    database: FakeDatabase,
    heard: Heard,
}

impl Fixture {
    /// A repo with these migrations, whose database was migrated by it and then recorded for `billing`.
    async fn of_billing(versions: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut repo = testing::repo();
        repo.priv_dir = directory.path().join("priv/core");
        repo.structure = repo.priv_dir.join("structure.sql");
        repo.migrations = vec![repo.priv_dir.join("migrations")];
        repo.manual_migrations = Vec::new();
        repo.archive = Vec::new();
        std::fs::create_dir_all(&repo.migrations[0]).unwrap();
        for version in versions {
            let file = |side: &str| repo.migrations[0].join(format!("{version}_m.{side}.sql"));
            std::fs::write(file("up"), format!("create {version};")).unwrap();
            std::fs::write(file("down"), format!("drop {version};")).unwrap();
        }
        let fixture =
            Self { _directory: directory, repo, database: FakeDatabase::new(), heard: Heard::default() };
        fixture.migrate().await.unwrap();
        assert_eq!(fixture.name().as_deref(), Some("core"), "the first write records it");
        fixture.database.with(|state| set(state, "repo:schema_migrations", "billing"));
        fixture
    }

    fn session(&self) -> Session<'_> {
        Session::with_server(&self.repo, &self.heard, "test", Box::new(self.database.clone()))
    }

    async fn migrate(&self) -> Result<()> {
        migrate(&mut self.session(), &MigrateRequest::default()).await.map(drop)
    }

    /// What the database says whose it is.
    fn name(&self) -> Option<String> {
        self.database.with(|state| state.ledger.meta("repo:schema_migrations").map(str::to_owned))
    }

    /// Makes another repo's of what is applied.
    fn applied_by_billing(&self) {
        self.database.with(|state| {
            state.ledger.rows.iter_mut().for_each(|row| row.checksum = Some("sha256:00".into()));
        });
    }
}

fn set(state: &mut Fake, key: &str, value: &str) {
    state.ledger.meta.retain(|(name, _)| name != key);
    state.ledger.meta.push((key.into(), value.into()));
}

fn says(meta: &[(&str, &str)]) -> LedgerState {
    let meta = meta.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    LedgerState { meta, ..LedgerState::default() }
}

fn ours() -> LedgerTable {
    testing::ledger(LedgerKind::Dbsetup)
}

#[test]
fn a_name_is_the_same_with_dashes_and_underscores_and_silence_is_nobodys() {
    let mut repo = testing::repo();
    repo.name = RepoName::new("core-data");
    let is = |meta: &[(&str, &str)]| is_of_other(&repo, &ours(), &says(meta));
    assert!(!is(&[]) && !is(&[("repo:schema_migrations", "core_data")]));
    assert!(is(&[("repo:schema_migrations", "core")]));
}

#[test]
fn repos_with_ledger_tables_of_their_own_share_a_database_only_where_somebody_chose_the_table() {
    let mut repo = testing::repo();
    let state = says(&[("repo:_sqlx_migrations", "billing")]);
    assert_eq!(belongs(&repo, &ours(), &state).unwrap(), Belongs::Other("billing".into()));
    repo.ledger.table = Some("schema_migrations".into());
    assert_eq!(belongs(&repo, &ours(), &state).unwrap(), Belongs::Unrecorded);
    // Whichever of the two wrote first, and whatever ledger the other one has.
    repo.ledger.table = None;
    let chosen = says(&[("repo:billing_migrations", "billing")]);
    for kind in LedgerKind::ALL {
        let ledger = testing::ledger(kind);
        assert_eq!(belongs(&repo, &ledger, &chosen).unwrap(), Belongs::Unrecorded, "{kind:?}");
        let swapped = says(&[("repo:billing_migrations", "billing"), (&key(&ledger), "shop")]);
        assert_eq!(belongs(&repo, &ledger, &swapped).unwrap(), Belongs::Renamed("shop".into()), "{kind:?}");
    }
    let mut both = state.clone();
    both.meta.push(("repo:schema_migrations".into(), "core".into()));
    assert_eq!(belongs(&repo, &ours(), &both).unwrap(), Belongs::Ours);
}

#[test]
fn a_table_of_its_own_is_advice_for_a_repo_that_has_run_nothing_here() {
    let says_table = |state: &LedgerState| {
        refusal(&testing::repo(), "billing", None, state, &ours()).to_string().contains("ledger.table")
    };
    let state = says(&[("repo:_sqlx_migrations", "billing")]);
    assert!(says_table(&state));
    assert!(!says_table(&LedgerState { rows: testing::state(&["1"]).rows, ..state }));
}

#[test]
fn a_database_without_a_migration_is_a_renamed_repos_unless_a_structure_was_loaded() {
    let repo = testing::repo();
    let created = says(&[("repo:schema_migrations", "shop")]);
    assert_eq!(belongs(&repo, &ours(), &created).unwrap(), Belongs::Renamed("shop".into()));
    let loaded = says(&[("repo:schema_migrations", "shop"), ("loaded", "sha256:00")]);
    assert_eq!(belongs(&repo, &ours(), &loaded).unwrap(), Belongs::Other("shop".into()));
}

#[tokio::test]
async fn a_renamed_repo_is_known_by_its_migrations_and_recorded_anew() {
    let fixture = Fixture::of_billing(&["1", "2"]).await;
    fixture.migrate().await.unwrap();
    assert_eq!(fixture.name().as_deref(), Some("core"));
    assert_eq!(*fixture.heard.0.lock().unwrap(), ["billing"]);
    fixture.migrate().await.unwrap();
    assert_eq!(fixture.heard.0.lock().unwrap().len(), 1, "said once");
    assert_eq!(fixture.database.locks(), 0);
}

#[tokio::test]
async fn beside_another_repo_a_name_is_recorded_once_and_nobody_hears_of_it() {
    let fixture = Fixture::of_billing(&["1"]).await;
    fixture.database.with(|state| {
        state.ledger.meta.retain(|(key, _)| key != "repo:schema_migrations");
        set(state, "repo:_sqlx_migrations", "billing");
    });
    fixture.migrate().await.unwrap();
    assert_eq!(fixture.name().as_deref(), Some("core"));
    assert!(fixture.heard.0.lock().unwrap().is_empty());
    assert_eq!(fixture.database.locks(), 0);
}

#[tokio::test]
async fn repos_of_one_template_are_told_apart_by_what_they_wrote_after_it() {
    let fixture = Fixture::of_billing(&["1", "2", "3"]).await;
    fixture.database.with(|state| state.ledger.rows[2].checksum = Some("sha256:00".into()));
    let before = fixture.database.effects();
    let back = RollbackRequest { target: Target::Steps(1), ..RollbackRequest::default() };
    let wrong = [
        fixture.migrate().await.unwrap_err(),
        rollback(&mut fixture.session(), &back).await.map(drop).unwrap_err(),
    ];
    for error in wrong {
        assert_eq!(error.kind(), Kind::WrongDatabase, "{error}");
        let text = error.to_string();
        assert!(text.contains("migration 3 that is applied to it is none of `core`, though"), "{text}");
    }
    assert_eq!((fixture.name().as_deref(), fixture.database.effects()), (Some("billing"), before));
}

#[tokio::test]
async fn a_dry_run_and_a_look_record_nothing() {
    let fixture = Fixture::of_billing(&["1"]).await;
    let request = MigrateRequest { dry_run: true, ..MigrateRequest::default() };
    migrate(&mut fixture.session(), &request).await.unwrap();
    let status = crate::migration::status(&mut fixture.session()).await.unwrap();
    assert_eq!(status.belongs, Belongs::Renamed("billing".into()));
    assert_eq!(fixture.name().as_deref(), Some("billing"));
}

#[tokio::test]
async fn nothing_is_done_to_the_database_of_another_repo() {
    let fixture = Fixture::of_billing(&["1", "2"]).await;
    fixture.applied_by_billing();
    std::fs::write(fixture.repo.migrations[0].join("3_m.up.sql"), "create 3;").unwrap();
    std::fs::write(&fixture.repo.structure, "create table a ();").unwrap();
    let before = fixture.database.effects();
    let back = RollbackRequest { target: Target::Steps(1), ..RollbackRequest::default() };
    let force = LoadRequest { force: true, ..LoadRequest::default() };
    let wrong = [
        fixture.migrate().await.unwrap_err(),
        rollback(&mut fixture.session(), &back).await.map(drop).unwrap_err(),
        structure::load(&mut fixture.session(), &force).await.map(drop).unwrap_err(),
    ];
    for error in wrong {
        assert_eq!(error.kind(), Kind::WrongDatabase, "{error}");
        let text = error.to_string();
        for part in
            ["`core`", "`billing`", "none of the 2 migrations", "resolve --environment dev --repo core"]
        {
            assert!(text.contains(part), "{text}");
        }
    }
    assert_eq!(fixture.database.effects(), before);
    assert_eq!((fixture.name().as_deref(), fixture.database.locks()), (Some("billing"), 0));
    let status = crate::migration::status(&mut fixture.session()).await.unwrap();
    assert_eq!(status.belongs, Belongs::Other("billing".into()));
    // The way out that the message names.
    super::super::set_environment(&mut fixture.session(), "dev").await.unwrap();
    assert_eq!(fixture.name().as_deref(), Some("core"));
    assert_eq!(*fixture.heard.0.lock().unwrap(), ["billing"]);
}

/// Whether these files would pass for those of a database that is recorded for another name.
fn passes(kind: LedgerKind, files: &[Migration], state: &LedgerState) -> bool {
    let (repo, ledger, files) = (testing::repo(), testing::ledger(kind), testing::files(files));
    let found = assess(&files, &ledger, &repo.ledger, state);
    found.entries.iter().any(|entry| is_proof(entry, &ledger, state)) && doubt(&repo, &found).is_none()
}

/// What these migrations leave, applied in this order.
fn after(kind: LedgerKind, applied: &[Migration]) -> LedgerState {
    let versions: Vec<&str> = applied.iter().map(|migration| migration.version.as_str()).collect();
    let mut state = testing::state(&versions);
    for (row, migration) in state.rows.iter_mut().zip(applied) {
        let sum = migration.checksum(kind, false, &testing::repo().ledger);
        if kind.keeps_checksums() {
            row.checksum = Some(sum);
        } else {
            state.meta.push((format!("{}{}", meta_key::CHECKSUM_PREFIX, row.version), sum));
        }
    }
    state
}

#[test]
fn a_version_that_every_repo_has_proves_nothing() {
    let one = |version: &str| [testing::migration(version, "select 1;")];
    let rows = |version: &str| testing::state(&[version]);
    assert!(passes(LedgerKind::Diesel, &one("20260102030405"), &rows("20260102030405")));
    for version in ["1", "00000000000000"] {
        assert!(!passes(LedgerKind::Diesel, &one(version), &rows(version)), "{version}");
    }
    // Diesel writes the very same file into each of its repos, and a checksum of it says no more.
    for kind in [LedgerKind::Diesel, LedgerKind::Dbmate, LedgerKind::Dbsetup] {
        let shared = testing::migration("00000000000000", "create function diesel_manage_updated_at();");
        let of_billing = [shared.clone(), testing::migration("20260102030405", "create invoices;")];
        let of_core = [shared.clone(), testing::migration("20260203040506", "create users;")];
        assert!(!passes(kind, &of_core, &after(kind, &of_billing)), "{kind:?}");
        assert!(!passes(kind, &of_core, &after(kind, &[shared])), "{kind:?}");
        assert!(passes(kind, &of_billing, &after(kind, &of_billing)), "{kind:?}");
    }
}

#[test]
fn a_database_that_is_ahead_is_a_renamed_repos_and_one_that_went_another_way_is_not() {
    let one = |version: &str, sql: &str| testing::migration(version, sql);
    let shared = [one("1", "create extension a;"), one("2", "create users;")];
    let with = |more: &[Migration]| [&shared[..], more].concat();
    let kind = LedgerKind::Dbsetup;
    let applied = after(kind, &with(&[one("3", "create invoices;"), one("4", "create items;")]));
    assert!(passes(kind, &shared, &applied), "an older release of it");
    assert!(passes(kind, &with(&[one("3", "create invoices;")]), &applied));
    assert!(!passes(kind, &with(&[one("3", "create orders;")]), &applied), "another third one");
    assert!(!passes(kind, &with(&[one("5", "create orders;")]), &applied), "unknown ones below its newest");
    // Its own, between those of the template and those that it does not know, was never applied.
    let later = after(kind, &with(&[one("9", "create invoices;")]));
    assert!(!passes(kind, &with(&[one("3", "create orders;")]), &later));
    let behind = after(kind, &shared);
    assert!(passes(kind, &with(&[one("3", "create orders;")]), &behind), "a newer release of it");
}
