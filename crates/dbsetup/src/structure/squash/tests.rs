//! A squash that dies before any of its file operations, on a real SQLite project; and the states that a person leaves
//! behind in between.

#![cfg(feature = "sqlite")]

mod abort;
mod baseline;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::proof::Proved;
use super::*;
use crate::driver::Fingerprint;
use crate::event::Silent;
use crate::migration::{Lanes, MigrateRequest, migrate};
use crate::repo::{CreateOptions, DatabaseUrl, KeepData};
use crate::structure::outcome;
use crate::structure::rows::{Kept, Wishes, audit_of};

/// Lanes with down sides, a manual migration, and files that are nobody's migration.
const PROJECT: [(&str, &str); 9] = [
    (
        "migrations/5_countries.sql",
        "create table countries (code text primary key, name text);\ninsert into countries values ('ie', 'Éire');\n",
    ),
    ("migrations/1_users.up.sql", "create table users (id integer primary key, name text not null);\n"),
    ("migrations/1_users.down.sql", "drop table users;\n"),
    ("manual_migrations/2_names.sql", "-- no-transaction\ncreate index users_name on users (name);\n"),
    (
        "migrations/3_orders.up.sql",
        "create table orders (id integer primary key, by int references users);\n",
    ),
    ("migrations/3_orders.down.sql", "drop table orders;\n"),
    ("migrations/4_view.sql", "create view names as select name from users;\n"),
    ("migrations/README.md", "how we migrate\n"),
    ("seeds.sql", "insert into users (name) values ('a');\n"),
];

struct Project {
    directory: tempfile::TempDir,
    repo: Repo,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().to_path_buf();
        let mut repo = crate::migration::testing::repo();
        for path in [&mut repo.priv_dir, &mut repo.structure]
            .into_iter()
            .chain(&mut repo.migrations)
            .chain(&mut repo.manual_migrations)
            .chain(&mut repo.archive)
        {
            *path = root.join(path.strip_prefix("/shop").unwrap());
        }
        repo.url = DatabaseUrl::new("sqlite:core.db");
        (repo.root, repo.display_root) = (root.clone(), root);
        repo.keep_data = vec![KeepData { table: "countries".into(), except: Vec::new() }];
        let project = Self { directory, repo };
        files.iter().for_each(|(path, text)| project.write(path, text));
        project
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.repo.priv_dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.repo.priv_dir.join(path)).ok()
    }

    /// The repo with another database.
    fn with_database(&self, name: &str) -> Repo {
        Repo { url: DatabaseUrl::new(format!("sqlite:{name}.db")), ..self.repo.clone() }
    }

    /// What `setup` makes of nothing: what the catalogs say, the versions, the rows.
    async fn set_up(&self, name: &str) -> (Fingerprint, Vec<String>, String) {
        let repo = self.with_database(name);
        let mut session = Session::new(&repo, &Silent, "test").unwrap();
        session.server().create(&CreateOptions::default()).await.unwrap();
        let request = MigrateRequest { lanes: Lanes::All, ..MigrateRequest::default() };
        if let Err(error) = migrate(&mut session, &request).await {
            panic!("{name}: {error}\n{:#?}", self.tree());
        }
        let made = outcome(&mut session, &DumpRequest::default()).await.unwrap();
        let request = DumpRequest::default();
        let wishes = Wishes { keep: &self.repo.keep_data, drop: &[], request: &request };
        let driver = session.driver().await.unwrap();
        let audit = audit_of(driver, &made.inspection.choice.table, &wishes).await.unwrap();
        let rows = Kept::read(driver, &audit).await.unwrap().text;
        session.close().await;
        let mut versions: Vec<String> =
            made.inspection.state.rows.into_iter().map(|row| row.version).collect();
        versions.sort();
        (made.fingerprint, versions, rows)
    }

    /// Every file below priv with its content.
    fn tree(&self) -> BTreeMap<PathBuf, String> {
        fn walk(root: &Path, directory: &Path, tree: &mut BTreeMap<PathBuf, String>) {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(root, &path, tree);
                } else {
                    let text = std::fs::read_to_string(&path).unwrap();
                    tree.insert(path.strip_prefix(root).unwrap().to_path_buf(), text);
                }
            }
        }
        let mut tree = BTreeMap::new();
        walk(&self.repo.priv_dir, &self.repo.priv_dir, &mut tree);
        tree
    }

    /// Plans a squash without its proof.
    async fn plan(&self, to: Option<&str>) -> Result<Option<Planned>> {
        let mut session = Session::new(&self.repo, &Silent, "test").unwrap();
        let request = SquashRequest { to: to.map(str::to_owned), ..SquashRequest::default() };
        let planned = plan(&mut session, &request).await;
        session.close().await;
        planned
    }

    /// Plans a squash, and makes the new structure.
    async fn planned(&self, to: Option<&str>) -> Result<Option<(Planned, Proved)>> {
        let Some(planned) = self.plan(to).await? else { return Ok(None) };
        let mut session = Session::new(&self.repo, &Silent, "test").unwrap();
        let proved = proof::structure(&mut session, &planned).await?;
        Ok(Some((planned, proved)))
    }

    /// Writes a squash until the operation `last`, and returns whether it came to its end.
    fn commit(&self, planned: &Planned, proved: &Proved, last: usize) -> bool {
        let measured = apply::measure(&self.repo, &planned.plan.moves, planned.baseline()).unwrap();
        let mut killed = killed_at(last);
        let (newest, floor) = (planned.plan.newest.as_str(), proved.floor(&planned.plan.floor).text());
        apply::commit(&self.repo, newest, proved.texts(&floor), &measured, &mut Disk::new(&mut killed))
            .is_ok()
    }
}

/// A structure that need not be loaded.
fn any() -> Proved {
    Proved { structure: "new".into(), baseline: None }
}

/// Lets `last` operations pass, and ends the run.
fn killed_at(last: usize) -> impl FnMut(&str) -> io::Result<()> {
    let mut count = 0;
    move |_| {
        count += 1;
        if count > last { Err(io::Error::other("killed")) } else { Ok(()) }
    }
}

#[tokio::test]
async fn wherever_a_squash_is_killed_an_empty_database_comes_out_the_same_and_the_next_run_finishes() {
    let model = Project::new(&PROJECT);
    let replayed = model.set_up("core").await;
    assert_eq!(replayed.1, ["1", "2", "3", "4", "5"]);
    assert!(replayed.2.contains("Éire"), "{}", replayed.2);
    let (planned, text) = model.planned(None).await.unwrap().unwrap();
    assert!(model.commit(&planned, &text, usize::MAX));
    let wanted = model.tree();
    for file in ["dumped_migrations/migrations/1_users.down.sql", "structure.floor", "migrations/README.md"] {
        assert!(wanted.contains_key(Path::new(file)), "{wanted:#?}");
    }
    assert_eq!(wanted[Path::new("manual_migrations/.gitkeep")], "");
    assert!(!wanted.contains_key(Path::new("migrations/.gitkeep")));
    assert_eq!(wanted.keys().filter(|path| is_own_file(path)).count(), 0, "{wanted:#?}");
    assert_eq!(model.set_up("after").await, replayed);

    let mut states = 0;
    for last in 0.. {
        let project = Project::new(&PROJECT);
        // The plan names the files of another directory.
        assert_eq!(project.set_up("core").await, replayed);
        let planned = project.plan(None).await.unwrap().unwrap();
        let done = project.commit(&planned, &text, last);
        assert_eq!(project.set_up("between").await, replayed, "after {last} operations");
        if done {
            assert_eq!(project.tree(), wanted);
            break;
        }
        states += 1;
        // The next run dies as well, and the one after it, each a little later.
        if is_interrupted(&project.repo) {
            let died = (1..200).find(|&last| {
                let journal = journal::Journal::read(&project.repo).unwrap();
                let mut killed = killed_at(last);
                journal.is_none_or(|journal| {
                    apply::finish(&project.repo, &journal, &mut Disk::new(&mut killed)).is_ok()
                })
            });
            let state = resume(&project.repo, &hold(&project.repo).unwrap());
            assert!(died.is_some(), "after {last} operations: {state:?} {:#?}", project.tree());
        } else {
            // Nothing is left to be squashed when the journal's own end was all that was missing.
            let planned = project.plan(None).await.unwrap();
            assert!(planned.is_none_or(|planned| project.commit(&planned, &text, usize::MAX)));
        }
        assert_eq!(project.tree(), wanted, "after {last} operations");
        assert!(!is_interrupted(&project.repo));
    }
    assert!(states > 30, "{states} states");
}

#[tokio::test]
async fn a_second_squash_stands_on_the_first_and_one_up_to_a_version_leaves_the_rest() {
    let project = Project::new(&PROJECT);
    let replayed = project.set_up("core").await;
    let (planned, text) = project.planned(Some("2")).await.unwrap().unwrap();
    assert!(planned.plan.partial && !text.structure.contains("orders"), "{text:?}");
    assert!(!text.structure.contains("'3'"), "{text:?}");
    assert!(project.commit(&planned, &text, usize::MAX));
    assert_eq!(project.set_up("first").await, replayed);
    let (planned, text) = project.planned(None).await.unwrap().unwrap();
    assert_eq!(planned.plan.floor.squashes.len(), 2);
    assert!(project.commit(&planned, &text, usize::MAX));
    assert_eq!(project.set_up("second").await, replayed);
    let floor = project.read("structure.floor").unwrap();
    assert_eq!(floor.matches("squash\n").count(), 2, "{floor}");
    assert!(project.planned(None).await.unwrap().is_none());
}

#[tokio::test]
async fn a_database_that_is_not_what_its_migrations_make_is_refused() {
    let project = Project::new(&PROJECT);
    project.set_up("core").await;
    let repo = project.repo.clone();
    let mut session = Session::new(&repo, &Silent, "test").unwrap();
    let driver = session.driver().await.unwrap();
    driver.begin(false).await.unwrap();
    driver.execute("create table by_hand (i integer); drop view names;").await.unwrap();
    driver.commit(&[]).await.unwrap();
    session.close().await;
    let before = project.tree();
    let error = project.planned(None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    let text = error.to_string();
    assert!(text.contains("by_hand: is in the database, and not in the replay"), "{text}");
    assert!(
        text.contains("names: is in the replay, and not in the database") && text.contains("reset"),
        "{text}"
    );
    assert_eq!(project.tree(), before);
}

#[tokio::test]
async fn an_interrupted_squash_is_never_finished_over_what_somebody_changed_since() {
    let model = Project::new(&PROJECT);
    model.set_up("core").await;
    // Right behind the journal, and in the middle of the moves.
    let count = {
        let (planned, text) = (model.plan(None).await.unwrap().unwrap(), any());
        let mut last = 0;
        while !is_interrupted(&model.repo) {
            assert!(last < 100);
            last += 1;
            model.commit(&planned, &text, last);
        }
        last
    };
    let changes: [(usize, &str, Option<&str>); 6] = [
        (0, "structure.sql", Some("select 1;")),
        (0, "structure.floor", Some("x")),
        (0, "migrations/4_view.sql", Some("select 4;")),
        (0, "migrations/4_view.sql", None),
        (0, "dumped_migrations/migrations/4_view.sql", Some("select 4;")),
        (0, ".structure.sql.dbsetup-new", None),
    ];
    for (more, path, text) in changes {
        let project = Project::new(&PROJECT);
        project.set_up("core").await;
        let planned = project.plan(None).await.unwrap().unwrap();
        assert!(!project.commit(&planned, &any(), count + more));
        assert!(is_interrupted(&project.repo));
        match text {
            Some(text) => project.write(path, text),
            None => std::fs::remove_file(project.repo.priv_dir.join(path)).unwrap(),
        }
        let before = project.tree();
        let error = resume(&project.repo, &hold(&project.repo).unwrap()).unwrap_err();
        assert_eq!(error.kind(), Kind::Undecided, "{path}: {error}");
        assert_eq!(project.tree(), before, "{path}");
    }
}

#[tokio::test]
async fn a_file_that_is_in_both_places_and_the_same_is_one_and_another_is_not_replaced() {
    let project = Project::new(&PROJECT);
    project.set_up("core").await;
    let (path, text) = PROJECT[2];
    project.write(&format!("dumped_migrations/{path}"), "drop table other;\n");
    let error = plan(&mut Session::new(&project.repo, &Silent, "test").unwrap(), &SquashRequest::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.message().contains("is there already, and differs"), "{error}");
    project.write(&format!("dumped_migrations/{path}"), text);
    let (planned, structure) = project.planned(None).await.unwrap().unwrap();
    assert!(project.commit(&planned, &structure, usize::MAX));
    assert_eq!(project.read(path), None);
    assert_eq!(project.read(&format!("dumped_migrations/{path}")).as_deref(), Some(text));
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_squashed_stops_it_before_anything_is_written() {
    for (path, text) in [PROJECT[1], ("structure.sql", "select 1;")] {
        let project = Project::new(&PROJECT);
        project.set_up("core").await;
        let (planned, structure) = project.planned(None).await.unwrap().unwrap();
        let measured = planned.measured.clone();
        project.write(path, &format!("{text}-- more"));
        let before = project.tree();
        let mut all = |_: &str| Ok(());
        let error =
            apply::commit(&project.repo, "4", structure.texts("f"), &measured, &mut Disk::new(&mut all))
                .unwrap_err();
        assert_eq!(error.kind(), Kind::Refused);
        assert!(error.message().contains("was changed while"), "{error}");
        assert_eq!(project.tree(), before);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn an_archive_that_cannot_be_written_is_found_before_anything_is() {
    use std::os::unix::fs::symlink;
    let project = Project::new(&PROJECT);
    project.set_up("core").await;
    let (planned, structure) = project.planned(None).await.unwrap().unwrap();
    // No directory can be made where a file is.
    project.write("dumped_migrations", "");
    let before = project.tree();
    let mut all = |_: &str| Ok(());
    let measured = planned.measured.clone();
    let error = apply::commit(&project.repo, "4", structure.texts("f"), &measured, &mut Disk::new(&mut all))
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Io);
    assert_eq!(project.tree(), before);
    std::fs::remove_file(project.repo.priv_dir.join("dumped_migrations")).unwrap();
    let link = project.repo.priv_dir.join("migrations/4_view.sql");
    std::fs::rename(&link, project.directory.path().join("4.sql")).unwrap();
    symlink(project.directory.path().join("4.sql"), &link).unwrap();
    assert!(
        apply::measure(&project.repo, &planned.plan.moves, None).unwrap_err().message().contains("is a link")
    );
}
