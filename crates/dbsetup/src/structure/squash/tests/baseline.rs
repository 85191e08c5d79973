//! Squashes that leave a baseline in the lane.

use super::*;
use crate::ledger::LedgerKind;
use crate::migration::Status;

/// A project of sqlx's. The manual lane is not sqlx's business.
const SQLX: [(&str, &str); 5] = [
    ("migrations/0001_users.up.sql", "create table users (id integer primary key, name text not null);\n"),
    ("migrations/0001_users.down.sql", "drop table users;\n"),
    ("manual_migrations/2_names.sql", "create index users_name on users (name);\n"),
    ("migrations/3_admin.sql", "insert into users (name) values ('admin');\n"),
    ("migrations/4_view.sql", "create view names as select name from users;\n"),
];
const BASELINE: &str = "migrations/0001_baseline.sql";

fn project(files: &[(&str, &str)]) -> Project {
    let mut project = Project::new(files);
    project.repo.ledger.kind = Some(LedgerKind::Sqlx);
    project.repo.keep_data = vec![KeepData { table: "users".into(), except: Vec::new() }];
    project
}

impl Project {
    async fn as_migration(&self, to: Option<&str>) -> Result<Option<(Planned, Proved)>> {
        let mut session = Session::new(&self.repo, &Silent, "test").unwrap();
        let to = to.map(str::to_owned);
        let request = SquashRequest { to, as_migration: true, ..SquashRequest::default() };
        let Some(planned) = plan(&mut session, &request).await? else { return Ok(None) };
        let proved = proof::structure(&mut session, &planned).await?;
        Ok(Some((planned, proved)))
    }

    async fn squash(&self, to: Option<&str>) {
        let (planned, proved) = self.as_migration(to).await.unwrap().unwrap();
        assert!(self.commit(&planned, &proved, usize::MAX));
    }

    async fn migrate(&self, name: &str, request: &MigrateRequest) -> crate::migration::MigrateReport {
        let repo = self.with_database(name);
        let mut session = Session::new(&repo, &Silent, "test").unwrap();
        let report = migrate(&mut session, request).await;
        session.close().await;
        report.unwrap_or_else(|error| panic!("{name}: {error}\n{:#?}", self.tree()))
    }

    async fn status(&self, name: &str) -> Status {
        let repo = self.with_database(name);
        let mut session = Session::new(&repo, &Silent, "test").unwrap();
        let status = crate::migration::status(&mut session).await.unwrap();
        session.close().await;
        status
    }

    /// The rows that are really in the ledger.
    async fn rows(&self, name: &str) -> Vec<String> {
        let repo = self.with_database(name);
        let mut session = Session::new(&repo, &Silent, "test").unwrap();
        let inspection = session.inspect().await.unwrap();
        let driver = session.driver().await.unwrap();
        let state = driver.read_ledger(&inspection.choice.table, inspection.choice.present).await.unwrap();
        session.close().await;
        state.rows.into_iter().map(|row| row.version).collect()
    }
}

fn all() -> MigrateRequest {
    MigrateRequest { lanes: Lanes::All, ..MigrateRequest::default() }
}

#[tokio::test]
async fn wherever_a_squash_with_a_baseline_is_killed_an_empty_database_comes_out_the_same() {
    let model = project(&SQLX);
    let replayed = model.set_up("core").await;
    assert_eq!(replayed.1, ["1", "2", "3", "4"]);
    let (planned, proved) = model.as_migration(None).await.unwrap().unwrap();
    assert!(model.commit(&planned, &proved, usize::MAX));
    let wanted = model.tree();
    let text = &wanted[Path::new(BASELINE)];
    assert!(text.contains("admin") && !text.contains("_sqlx_migrations"), "{text}");
    assert!(!wanted.contains_key(Path::new("migrations/.gitkeep")), "{wanted:#?}");
    let after = model.set_up("after").await;
    assert_eq!(after, replayed);
    assert_eq!(model.rows("after").await, ["1"]);
    let mut states = 0;
    for last in 0.. {
        let project = project(&SQLX);
        project.set_up("core").await;
        let (planned, proved) = project.as_migration(None).await.unwrap().unwrap();
        let done = project.commit(&planned, &proved, last);
        let between = project.set_up("between").await;
        assert_eq!(between, replayed, "after {last} operations");
        // sqlx wants a file for every row: the rows stay until the baseline's is there.
        let rows = |project: &Project| if project.read(BASELINE).is_some() { 1 } else { 4 };
        project.migrate("core", &all()).await;
        assert_eq!(project.rows("core").await.len(), rows(&project), "after {last} operations");
        if done {
            break;
        }
        states += 1;
        if is_interrupted(&project.repo) {
            resume(&project.repo, &hold(&project.repo).unwrap()).unwrap();
            assert_eq!(project.tree(), wanted, "after {last} operations");
        }
        project.migrate("core", &all()).await;
        assert_eq!(project.rows("core").await.len(), rows(&project), "after {last} operations");
    }
    assert!(states > 30, "{states} states");
}

#[tokio::test]
async fn a_deployed_database_is_rewritten_and_one_in_the_middle_runs_the_rest_first() {
    let project = project(&SQLX);
    let replayed = project.set_up("core").await;
    project.set_up("deployed").await;
    project.set_up("middle").await;
    let repo = project.with_database("middle");
    let mut session = Session::new(&repo, &Silent, "test").unwrap();
    let inspection = session.inspect().await.unwrap();
    let driver = session.driver().await.unwrap();
    driver.begin(false).await.unwrap();
    driver
        .execute("drop view names; delete from users; delete from _sqlx_migrations where version > 2")
        .await
        .unwrap();
    driver.commit(&[]).await.unwrap();
    session.close().await;
    drop(inspection);
    project.squash(None).await;
    let found = project.status("deployed").await;
    assert_eq!(found.rewrite, Some((4, "0001".to_owned())));
    assert!(!found.is_current(Lanes::All));
    let dry = MigrateRequest { dry_run: true, ..MigrateRequest::default() };
    assert_eq!(project.migrate("deployed", &dry).await.rewrite, Some((4, "0001".to_owned())));
    assert_eq!(project.rows("deployed").await.len(), 4);
    project.migrate("deployed", &MigrateRequest::default()).await;
    assert_eq!(project.rows("deployed").await, ["1"]);
    let found = project.status("deployed").await;
    assert!(found.is_current(Lanes::All) && found.rewrite.is_none() && found.rows.len() == 4, "{found:?}");
    assert_eq!(project.migrate("deployed", &MigrateRequest::default()).await.rewrite, None);

    let report = project.migrate("middle", &MigrateRequest { dry_run: true, ..all() }).await;
    assert_eq!((report.planned.len(), report.rewrite), (2, Some((4, "0001".to_owned()))));
    assert_eq!(project.migrate("middle", &all()).await.done, 2);
    assert_eq!(project.rows("middle").await, ["1"]);
    assert_eq!(project.set_up("middle").await.0, replayed.0);
}

#[tokio::test]
async fn the_next_squash_writes_the_baseline_anew_and_the_archive_still_replays() {
    let project = project(&SQLX);
    project.set_up("core").await;
    project.squash(Some("3")).await;
    project.migrate("core", &all()).await;
    assert_eq!(project.rows("core").await.len(), 2);
    project.write("migrations/5_more.sql", "create table more (a integer);\n");
    let replayed = project.set_up("core").await;
    let first = project.read(BASELINE).unwrap();
    // Whether or not it is asked for.
    let (planned, proved) = project.planned(None).await.unwrap().unwrap();
    assert!(project.commit(&planned, &proved, usize::MAX));
    let second = project.read(BASELINE).unwrap();
    assert!(second != first && second.contains("more"), "{second}");
    assert!(project.read("dumped_migrations/migrations/0001_baseline.sql").is_none());
    assert_eq!(project.set_up("fresh").await.0, replayed.0);
    assert_eq!(project.rows("fresh").await, ["1"]);
    project.migrate("core", &all()).await;
    assert_eq!(project.rows("core").await, ["1"]);
    // From nothing, by the archive alone.
    let repo = project.with_database("archive");
    let mut session = Session::new(&repo, &Silent, "test").unwrap();
    session.server().create(&CreateOptions::default()).await.unwrap();
    let report = migrate(&mut session, &MigrateRequest { no_load: true, ..all() }).await.unwrap();
    session.close().await;
    assert_eq!(report.done, 5);
    assert_eq!(project.set_up("archive").await.0, replayed.0);
    assert_eq!(project.rows("archive").await, ["1"]);
    assert!(project.as_migration(None).await.unwrap().is_none());
}

#[tokio::test]
async fn a_branch_that_still_has_the_files_does_not_run_them_again() {
    let branch = project(&SQLX);
    let project = project(&SQLX);
    project.set_up("core").await;
    project.squash(None).await;
    project.migrate("core", &all()).await;
    // The same database, the old files.
    std::fs::copy(project.directory.path().join("core.db"), branch.directory.path().join("core.db")).unwrap();
    let report = branch.migrate("core", &all()).await;
    assert_eq!((report.done, report.planned.len()), (0, 0));
    let found = branch.status("core").await;
    assert!(found.is_current(Lanes::All), "{found:?}");
    // A database that knows of nothing but the baseline is refused before anything is run.
    let repo = branch.with_database("core");
    let mut session = Session::new(&repo, &Silent, "test").unwrap();
    session.inspect().await.unwrap();
    let driver = session.driver().await.unwrap();
    driver.begin(false).await.unwrap();
    driver.execute("delete from dbsetup_meta where key like 'squashed:%'").await.unwrap();
    driver.commit(&[]).await.unwrap();
    assert_eq!(migrate(&mut session, &all()).await.unwrap_err().kind(), Kind::Changed);
    session.close().await;
}

#[tokio::test]
async fn what_a_baseline_stands_for_is_not_undone_and_an_edited_one_is_noticed() {
    let project = project(&SQLX);
    project.set_up("core").await;
    project.squash(None).await;
    project.migrate("core", &all()).await;
    let mut session = Session::new(&project.repo, &Silent, "test").unwrap();
    let request = crate::migration::RollbackRequest::default();
    let error = crate::migration::rollback(&mut session, &request).await.unwrap_err();
    assert!(error.message().contains("part of the baseline"), "{error}");
    let text = project.read(BASELINE).unwrap();
    project.write(BASELINE, &format!("{text}create table by_hand (a integer);\n"));
    assert_eq!(migrate(&mut session, &all()).await.unwrap_err().kind(), Kind::Changed);
    // A file with other line ends is what sqlx takes for another migration: a database that it makes is left alone.
    project.write(BASELINE, &text.replace('\n', "\r\n"));
    assert!(migrate(&mut session, &all()).await.is_ok());
    let checksum = crate::migration::checksum::sqlx(&text.replace('\n', "\r\n"), &[]);
    session.inspect().await.unwrap();
    let driver = session.driver().await.unwrap();
    driver.begin(false).await.unwrap();
    driver.execute(&format!("update _sqlx_migrations set checksum = x'{checksum}'; delete from dbsetup_meta where key like 'sq%'")).await.unwrap();
    driver.commit(&[]).await.unwrap();
    let error = migrate(&mut session, &all()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Changed, "{error}");
    assert!(error.to_string().contains("line ends"), "{error}");
    session.close().await;
}

#[tokio::test]
async fn a_baseline_is_for_ledgers_of_sqlx() {
    let mut project = project(&SQLX);
    project.repo.ledger.kind = None;
    project.set_up("core").await;
    let error = project.as_migration(None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.message().contains("is not sqlx's"), "{error}");
}

#[tokio::test]
async fn a_squash_with_a_baseline_is_given_up_to_what_was_there() {
    // The first writes a baseline, the second replaces it.
    for first in [false, true] {
        let begun = || async {
            let project = project(&SQLX);
            project.set_up("core").await;
            if first {
                project.squash(Some("1")).await;
            }
            project
        };
        let model = begun().await;
        let former = model.tree();
        let (planned, proved) = model.as_migration(None).await.unwrap().unwrap();
        assert!(model.commit(&planned, &proved, usize::MAX));
        let wanted = model.tree();
        let mut given_up = 0;
        // A proof for every state would take minutes: one text does for all.
        for last in 0.. {
            let project = begun().await;
            let mut session = Session::new(&project.repo, &Silent, "test").unwrap();
            let request = SquashRequest { as_migration: true, ..SquashRequest::default() };
            let planned = plan(&mut session, &request).await.unwrap().unwrap();
            session.close().await;
            if project.commit(&planned, &proved, last) || project.tree() == wanted {
                break;
            }
            given_up += usize::from(is_interrupted(&project.repo));
            abort(&project.repo, &hold(&project.repo).unwrap()).unwrap();
            assert_eq!(project.tree(), former, "after {last} operations, first: {first}");
        }
        assert!(given_up > 10, "{given_up}");
    }
}
