//! What a replay begins with, as a table; and replays of small projects in SQLite.

use super::*;
use crate::migration::testing::{files, migration, repo};
use crate::repo::Lane;
use crate::structure::floor::{FloorEntry, Squashed};

fn floor(versions: &[&str]) -> Floor {
    let entry = |version: &&str| FloorEntry {
        lane: Lane::Automatic,
        version: (*version).to_owned(),
        checksum: None,
        name: String::new(),
    };
    let migrations = versions.iter().map(entry).collect();
    Floor {
        squashes: vec![Squashed { commit: Some("c0ffee".into()), migrations, ..Squashed::default() }],
        ..Floor::default()
    }
}

/// Lanes and an archive with these versions.
fn set(live: &[&str], archived: &[&str]) -> FileSet {
    let all = |versions: &[&str]| versions.iter().map(|v| migration(v, "select 1;")).collect::<Vec<_>>();
    let mut set = files(&all(live));
    set.archived = all(archived).into_iter().map(|one| (one.version.clone(), one)).collect();
    set
}

fn texts(versions: &[&str]) -> Vec<String> {
    versions.iter().map(|version| (*version).to_owned()).collect()
}

/// Recorded, floor, lanes, archive.
type Case<'a> = (Option<&'a [&'a str]>, &'a [&'a str], &'a [&'a str], &'a [&'a str]);

fn planned((recorded, squashed, live, archived): Case<'_>) -> Result<(Base, Vec<String>)> {
    let recorded = recorded.map(texts);
    let floor = (!squashed.is_empty()).then(|| floor(squashed));
    let plan = Plan::new(&repo(), recorded.as_deref(), floor.as_ref(), set(live, archived))?;
    let versions = plan.files.migrations.iter().map(|one| one.version.to_string()).collect();
    Ok((plan.base, versions))
}

#[test]
fn a_replay_begins_where_no_row_of_a_migration_is_hidden() {
    let cases: [(Case<'_>, Base, &[&str]); 10] = [
        // Nothing was ever dumped; an archive of old files is nobody's.
        ((None, &[], &["1", "2"], &[]), Base::Nothing, &["1", "2"]),
        ((None, &[], &["1"], &["0"]), Base::Nothing, &["1"]),
        // The structure was lost, and the floor tells which files came before.
        ((None, &["1"], &["2"], &["0", "1"]), Base::Nothing, &["1", "2"]),
        // What no version is recorded in, is where the lanes begin.
        ((Some(&[]), &[], &["1"], &[]), Base::Structure, &["1"]),
        // The usual state after a squash, with its archive or without.
        ((Some(&["1"]), &["1"], &["2"], &["1"]), Base::Structure, &["2"]),
        ((Some(&["1"]), &["1"], &["2"], &[]), Base::Structure, &["2"]),
        ((Some(&["1"]), &["1"], &[], &[]), Base::Structure, &[]),
        // A plain dump.
        ((Some(&["1", "2"]), &[], &["1", "2", "3"], &[]), Base::Nothing, &["1", "2", "3"]),
        // A plain dump after a squash; zeros are no other version.
        ((Some(&["0001", "2"]), &["1"], &["2", "3"], &["1", "0"]), Base::Nothing, &["1", "2", "3"]),
        ((Some(&["2"]), &["1"], &["2"], &["1"]), Base::Nothing, &["1", "2"]),
    ];
    for (case, base, versions) in cases {
        assert_eq!(planned(case).unwrap(), (base, texts(versions)), "{case:?}");
    }
}

#[test]
fn a_replay_without_its_files_names_them_and_the_commit_that_has_the_structure() {
    let error = planned((Some(&["1", "2", "3"]), &["1", "2"], &["3"], &["1"])).unwrap_err();
    assert_eq!(error.kind(), Kind::Missing);
    assert!(error.message().contains("migration 2 "), "{error}");
    let help = error.help_text().unwrap();
    assert!(help.contains("`git checkout c0ffee -- priv/core/structure.sql`"), "{help}");
    assert!(help.contains("`priv/core/dumped_migrations`"), "{help}");
    let error = planned((None, &["1"], &["2"], &[])).unwrap_err();
    assert!(error.to_string().contains("there is no `priv/core/structure.sql`"), "{error}");
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::*;
    use crate::driver::{DumpRequest, Fingerprint};
    use crate::event::Silent;
    use crate::ledger::LedgerKind;
    use crate::migration::migrate;
    use crate::repo::{CreateOptions, DatabaseUrl};
    use crate::structure::{DumpOptions, compare, in_scratch, loaded, outcome};

    struct Project {
        directory: tempfile::TempDir,
        repo: Repo,
    }

    impl Project {
        async fn new(files: &[(&str, &str)]) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let root = directory.path().to_path_buf();
            let mut repo = repo();
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
            std::fs::create_dir_all(&repo.migrations[0]).unwrap();
            let project = Self { directory, repo };
            files.iter().for_each(|(path, text)| project.write(path, text));
            project.session().server().create(&CreateOptions::default()).await.unwrap();
            project
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.repo.priv_dir.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        fn session(&self) -> Session<'_> {
            Session::new(&self.repo, &Silent, "test").unwrap()
        }

        async fn migrated(&self) -> Session<'_> {
            let mut session = self.session();
            let request = MigrateRequest { lanes: Lanes::All, ..MigrateRequest::default() };
            migrate(&mut session, &request).await.unwrap();
            session
        }

        fn names(&self) -> Vec<String> {
            let entries = std::fs::read_dir(self.directory.path()).unwrap();
            let mut names: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        }
    }

    const ANY: [(&str, &str); 4] = [
        (
            "migrations/1_a.sql",
            "create table a (i integer primary key, t text);\ninsert into a values (1, 'x');",
        ),
        ("migrations/2_b.sql", "-- requires: 3\ncreate index a_t on a (t);"),
        (
            "manual_migrations/3_c.sql",
            "-- no-transaction\ncreate table c (i integer);\nvacuum;\ninsert into c values (1);",
        ),
        ("migrations/4_d.sql", "alter table a add column n int;\nupdate a set n = (select count(*) from c);"),
    ];

    async fn fingerprint(session: &mut Session<'_>) -> Fingerprint {
        outcome(session, &DumpRequest::default()).await.unwrap().fingerprint
    }

    #[tokio::test]
    async fn a_replay_of_both_lanes_is_the_database_itself_whatever_its_ledger() {
        for kind in [None, Some(LedgerKind::Sqlx), Some(LedgerKind::Diesel), Some(LedgerKind::Dbmate)] {
            let mut project = Project::new(&ANY).await;
            project.repo.layout_ledger = kind;
            let mut session = project.migrated().await;
            let live = outcome(&mut session, &DumpRequest::default()).await.unwrap();
            // The layout speaks for another ledger by now: the database's own is what counts.
            session.close().await;
            project.repo.layout_ledger = Some(LedgerKind::Refinery);
            let plan = Plan::read(&project.repo).unwrap();
            let mut session = project.session();
            let copy = in_scratch(&mut session, async |scratch| {
                replay(scratch, &plan).await?;
                outcome(scratch, &DumpRequest::default()).await
            })
            .await
            .unwrap();
            assert_eq!(compare(&live.fingerprint, &copy.fingerprint).unwrap(), []);
            assert_eq!(live.structure, copy.structure);
            assert_eq!(live.inspection.choice, copy.inspection.choice);
            let rows = |outcome: &crate::structure::Outcome| {
                let rows = outcome.inspection.state.rows.iter();
                rows.map(|row| (row.version.clone(), row.checksum.clone())).collect::<Vec<_>>()
            };
            let mut live = rows(&live);
            live.sort();
            let mut copy = rows(&copy);
            copy.sort();
            assert_eq!(live, copy);
            assert!(session.discard_scratch().await.is_ok());
        }
    }

    #[tokio::test]
    async fn a_replay_stops_at_a_version_and_goes_on() {
        let project = Project::new(&[ANY[0], ANY[2], ANY[3]]).await;
        let mut session = project.session();
        let mut plan = Plan::read(&project.repo).unwrap();
        plan.to = plan.files.parse_version("3");
        let versions = async |scratch: &mut Session<'_>| -> Result<Vec<String>> {
            Ok(scratch.inspect().await?.state.rows.into_iter().map(|row| row.version).collect())
        };
        in_scratch(&mut session, async |scratch| {
            replay(scratch, &plan).await?;
            assert_eq!(versions(scratch).await?, ["1", "3"]);
            plan.to = plan.files.parse_version("0");
            replay(scratch, &plan).await?;
            assert_eq!(versions(scratch).await?, ["1", "3"]);
            plan.to = None;
            replay(scratch, &plan).await?;
            assert_eq!(versions(scratch).await?, ["1", "3", "4"]);
            Ok(())
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn what_waits_for_a_later_version_is_not_silently_left_out() {
        let project = Project::new(&ANY).await;
        let mut plan = Plan::read(&project.repo).unwrap();
        plan.to = plan.files.parse_version("2");
        let error = in_scratch(&mut project.session(), async |scratch| replay(scratch, &plan).await)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(error.message().contains("migration 2 of `core` waits for 3"), "{error}");
    }

    #[tokio::test]
    async fn a_structure_that_took_the_place_of_migrations_is_loaded_and_the_rest_is_run() {
        let project = Project::new(&ANY).await;
        let mut session = project.migrated().await;
        let live = fingerprint(&mut session).await;
        let text = crate::structure::dump(&mut session, &DumpOptions::default(), None).await.unwrap().text;
        let dumped = text.lines().filter(|line| !line.contains("VALUES ('4'")).collect::<Vec<_>>().join("\n");
        // Rows are no part of the structure yet: the last migration finds none, and its column is made all the same.
        let dumped = dumped.replace(", n int", "");
        project.write("structure.sql", &format!("{dumped}\n"));
        for (path, _) in &ANY[..3] {
            std::fs::remove_file(project.repo.priv_dir.join(path)).unwrap();
        }
        let plan = Plan::read(&project.repo).unwrap();
        assert_eq!(plan.base, Base::Structure);
        let copy = in_scratch(&mut session, async |scratch| {
            replay(scratch, &plan).await?;
            assert_eq!(scratch.inspect().await?.state.rows.len(), 4);
            Ok(fingerprint(scratch).await)
        })
        .await
        .unwrap();
        assert_eq!(compare(&live, &copy).unwrap(), []);
        let copy = in_scratch(&mut session, async |scratch| {
            loaded(scratch, &text, std::path::Path::new("new.sql"), true).await?;
            replay(scratch, &plan).await?;
            Ok(fingerprint(scratch).await)
        })
        .await
        .unwrap();
        assert_eq!(compare(&live, &copy).unwrap(), []);
    }

    #[tokio::test]
    async fn an_archive_that_has_rotted_is_named_and_nothing_is_left() {
        let files =
            [("dumped_migrations/1_a.sql", "create table a (i integer);\ninsert into b values (1);"), ANY[2]];
        let project = Project::new(&files).await;
        let rows = ["1", "3"]
            .map(|version| format!("INSERT INTO schema_migrations (version, name, source, checksum) VALUES ('{version}', '', '', NULL);\n"));
        project.write("structure.sql", &rows.concat());
        let plan = Plan::read(&project.repo).unwrap();
        assert_eq!(plan.base, Base::Nothing);
        let before = project.names();
        let mut session = project.session();
        let error = in_scratch(&mut session, async |scratch| replay(scratch, &plan).await).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Statement);
        let site = error.site().unwrap();
        assert!(site.path.ends_with("dumped_migrations/1_a.sql") && site.at.line == 2, "{error}");
        let text = error.to_string();
        assert!(
            text.contains("the archive has rotted") && text.contains("an empty scratch database"),
            "{text}"
        );
        assert!(!text.contains("cargo dbsetup migrate"), "{text}");
        assert_eq!(project.names(), before);
        assert!(session.inspect().await.unwrap().state.rows.is_empty());
    }

    #[tokio::test]
    async fn interrupted_work_leaves_its_scratch_database_to_the_session() {
        let project = Project::new(&ANY).await;
        let mut session = project.session();
        let plan = Plan::read(&project.repo).unwrap();
        let work = in_scratch(&mut session, async |scratch| {
            replay(scratch, &plan).await?;
            std::future::pending::<Result<()>>().await
        });
        assert!(tokio::time::timeout(std::time::Duration::from_millis(300), work).await.is_err());
        assert_eq!(session.scratches(), 1);
        session.discard_scratch().await.unwrap();
        assert_eq!(session.scratches(), 0);
    }
}
