//! Migrations that are code of the application, against real databases: the library is the application here, and the
//! plugin stands beside it without the code.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dbsetup::event::Silent;
use dbsetup::migration::{
    CodeMigration, Lanes, MigrateReport, MigrateRequest, RollbackRequest, State, Status, Target, migrate,
    rollback, status,
};
use dbsetup::repo::{DatabaseUrl, Repo};
use dbsetup::session::Session;
use dbsetup::{Error, Kind, Source};

use crate::support::{Backend, Database, Project, wait_until};

const USERS: &str = "create table users (id integer primary key, name text, slug text);\n\
                     insert into users (id, name) values (1, 'Ada Lovelace'), (2, 'It''s \\ me');\n";
const UNIQUE: &str = "create unique index users_slug on users (slug);\n";
/// What `check` has nothing to say of.
const EMPTY: &str = "create table users (id integer primary key, name text, slug text);\n";
const ALLOWED: &str =
    "-- dbsetup:allow blocking-index it is small\ncreate unique index users_slug on users (slug);\n";

/// The child that other tests start: its database, and what its code does once it has begun.
const CHILD_URL: &str = "DBSETUP_TEST_CODE_URL";
const CHILD_DIRECTORY: &str = "DBSETUP_TEST_CODE_DIRECTORY";
const CHILD_MARK: &str = "DBSETUP_TEST_CODE_MARK";

/// Fills a column by what SQL alone would not say.
fn backfill() -> CodeMigration {
    CodeMigration::new("20260102000000", "backfill_slugs", |db| {
        Box::pin(async move {
            let rows = db.fetch("select id, name from users where slug is null order by id", &[]).await?;
            for row in rows {
                let slug: String = row[1].as_deref().unwrap_or_default().to_lowercase().replace(' ', "-");
                let sql = "update users set slug = $1 where id = cast($2 as integer)";
                let changed = db.execute(sql, &[Some(&slug), row[0].as_deref()]).await?;
                assert_eq!(changed, 1);
            }
            Ok(())
        })
    })
    .down(|db| {
        Box::pin(async move {
            assert_eq!(db.execute("update users set slug = null where slug is not null", &[]).await?, 2);
            Ok(())
        })
    })
}

fn project(backend: Backend) -> Project {
    let project = Project::new()
        .repo("core", backend)
        .migration("core", "20260101000000_users", USERS)
        .migration("core", "20260103000000_unique", UNIQUE);
    project.run("create").success();
    project
}

fn url(project: &Project) -> String {
    url_of(&project.database("core"))
}

fn url_of(database: &Database) -> String {
    match database {
        Database::Sqlite(database) => format!("sqlite:{}", database.path().display()),
        Database::Postgres(database) => database.url(),
    }
}

/// The application: the project's files, and its code.
fn application(directory: PathBuf, url: &str, code: &[CodeMigration]) -> Repo {
    let source =
        code.iter().fold(Source::directory("core", directory), |source, code| source.code(code.clone()));
    source.repo(DatabaseUrl::new(url), "dev").expect("its files are there")
}

fn files(project: &Project) -> PathBuf {
    let directory = project.path(project.priv_dir("core"));
    directory.ancestors().nth(2).expect("it is priv/core of a crate").to_path_buf()
}

fn run<T>(repo: &Repo, work: impl AsyncFnOnce(&mut Session<'_>) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut session = Session::new(repo, &Silent, "migrate").expect("the URL is one");
        let result = work(&mut session).await;
        session.close().await;
        result
    })
}

struct App {
    repo: Repo,
}

impl App {
    fn of(project: &Project, code: &[CodeMigration]) -> Self {
        Self { repo: application(files(project), &url(project), code) }
    }

    fn migrate(&self) -> Result<MigrateReport, Error> {
        let request = MigrateRequest { lanes: Lanes::All, ..MigrateRequest::default() };
        run(&self.repo, async |session| migrate(session, &request).await)
    }

    fn rollback(&self) -> Result<usize, Error> {
        let request = RollbackRequest { lanes: Lanes::All, target: Target::Steps(1), ..Default::default() };
        run(&self.repo, async |session| rollback(session, &request).await).map(|report| report.done)
    }

    fn status(&self) -> Status {
        run(&self.repo, async |session| status(session).await).expect("it can be looked at")
    }
}

fn slugs(project: &Project) -> Vec<String> {
    project.database("core").column("select coalesce(slug, 'none') from users order by id")
}

fn versions(project: &Project) -> Vec<String> {
    project.database("core").column("select version from schema_migrations order by seq")
}

/// One code migration alone, after the first file.
fn failing(project: &Project, code: CodeMigration) -> Error {
    let error = App::of(project, &[code]).migrate().expect_err("it fails");
    assert_eq!(versions(project), ["20260101000000"], "{error}");
    assert_eq!(slugs(project), ["none", "none"], "{error}");
    // Nothing holds a lock, and nothing was left open.
    App::of(project, &[]).migrate().expect("the files run");
    project.database("core").execute("drop index users_slug");
    project.database("core").execute("delete from schema_migrations where version = '20260103000000'");
    error
}

on_each_database! {
    fn code_runs_in_its_place_and_is_undone(backend) {
        let project = project(backend);
        let app = App::of(&project, &[backfill()]);
        let pending = app.status();
        assert_eq!(pending.rows[1].state, State::Pending);
        assert!(pending.rows[1].is_code && pending.rows[1].path.is_none());
        assert_eq!(app.migrate().expect("it runs").done, 3);
        assert_eq!(slugs(&project), ["ada-lovelace", "it's-\\-me"]);
        assert_eq!(versions(&project), ["20260101000000", "20260102000000", "20260103000000"]);
        let row = project.database("core").query(
            "select name, source, coalesce(checksum, 'none') from schema_migrations where version = '20260102000000'",
        );
        assert_eq!(row, [["backfill_slugs", "code", "none"]]);
        assert_eq!(app.migrate().expect("nothing is left").done, 0);
        // The file above it has no down side.
        assert_eq!(app.rollback().expect_err("it stays").kind(), Kind::Missing);
        project.database("core").execute("drop index users_slug");
        project.database("core").execute("delete from schema_migrations where version = '20260103000000'");
        assert_eq!(app.rollback().expect("it is undone"), 1);
        assert_eq!(slugs(&project), ["none", "none"]);
        assert_eq!(app.migrate().expect("it runs again").done, 2);
    }

    fn the_plugin_knows_code_by_its_row(backend) {
        let project = Project::new()
            .repo("core", backend)
            .migration("core", "20260101000000_users", EMPTY)
            .migration("core", "20260103000000_unique", ALLOWED);
        project.run("create").success();
        App::of(&project, &[backfill()]).migrate().expect("it runs");
        project.run("status --check").success().stdout_contains("applied (code)");
        project.run("migrate").success();
        project.run("dump").success();
        let structure = project.path(project.priv_dir("core")).join("structure.sql");
        let text = std::fs::read_to_string(&structure).expect("it was written");
        assert!(text.contains("('20260102000000', 'backfill_slugs', 'code', NULL)"), "{text}");
        project.run("check").success();
        project.run("rollback --to 20260102000000").code(1).stderr_contains("20260103000000");
        // A database of the structure has it; there was nothing to fill in.
        project.run("reset --yes").success();
        project.run("status --check").success().stdout_contains("applied (code)");
        assert_eq!(App::of(&project, &[backfill()]).migrate().expect("nothing is left").done, 0);
    }

    fn a_file_waits_for_code_in_the_plugin(backend) {
        let text = format!("-- requires: code:20260102000000\n{ALLOWED}");
        let project = Project::new()
            .repo("core", backend)
            .migration("core", "20260101000000_users", EMPTY)
            .migration("core", "20260103000000_unique", &text);
        project.run("create").success();
        project
            .run("migrate")
            .success()
            .stderr_contains("20260103000000 waits for 20260102000000, which is code of the application");
        assert_eq!(versions(&project), ["20260101000000"]);
        project.run("status --check").code(3).stdout_contains("blocked by 20260102000000 (code)");
        project.run("check").success();
        assert_eq!(App::of(&project, &[backfill()]).migrate().expect("it runs").done, 2);
        project.run("migrate").success();
        project.run("dump").success();
        project.run("check").success();
    }

    fn code_has_its_place_among_what_was_squashed(backend) {
        let text = format!("-- requires: code:20260102000000\n{ALLOWED}");
        let project = Project::new()
            .repo("core", backend)
            .migration("core", "20260101000000_users", EMPTY)
            .migration("core", "20260103000000_unique", &text);
        for environment in ["dev", "staging"] {
            project.run(&format!("create --env {environment}")).success();
            project.run(&format!("migrate --to 20260101000000 --env {environment}")).success();
        }
        App::of(&project, &[backfill()]).migrate().expect("it runs");
        project.run("squash --yes --allow-no-vcs").success();
        let structure = project.path(project.priv_dir("core")).join("structure.sql");
        let text = std::fs::read_to_string(&structure).expect("it was written");
        assert!(text.contains("'backfill_slugs', 'code', NULL)"), "{text}");
        project.run("check").success();
        // Who stopped in the middle gets the rest in its order.
        let staging = project.database_in("core", "staging");
        staging.execute("insert into users (id, name) values (1, 'Ada Lovelace')");
        project
            .run("migrate --env staging")
            .code(4)
            .stderr_contains("20260103000000 waits for 20260102000000, which is code of the application");
        let app = App { repo: application(files(&project), &url_of(&staging), &[backfill()]) };
        assert_eq!(app.migrate().expect("it runs").done, 2);
        let versions = staging.column("select version from schema_migrations order by seq");
        assert_eq!(versions, ["20260101000000", "20260102000000", "20260103000000"]);
        assert_eq!(staging.column("select slug from users"), ["ada-lovelace"]);
        // Who begins has all of it.
        project.run("reset --yes").success();
        assert_eq!(App::of(&project, &[backfill()]).migrate().expect("nothing is left").done, 0);
    }

    fn whatever_ends_code_early_leaves_nothing(backend) {
        let project = project(backend);
        let code = |version: &str, work: fn() -> Result<(), String>| {
            CodeMigration::new(version, "half", move |db| {
                Box::pin(async move {
                    db.execute("update users set slug = 'half' where id = 1", &[]).await?;
                    work()?;
                    Ok(())
                })
            })
        };
        let error = failing(&project, code("20260102000000", || Err("it cannot be".into())));
        assert!(error.message().ends_with("half failed: it cannot be"), "{error}");
        let error = failing(&project, code("20260102000000", || panic!("oh no")));
        assert!(error.message().ends_with("half panicked: oh no"), "{error}");
        assert!(error.notes().contains(&"the whole migration was rolled back".to_owned()), "{error}");
    }

    fn a_failing_statement_is_shown_with_its_place(backend) {
        let project = project(backend);
        let error = failing(&project, CodeMigration::new("20260102000000", "wrong", |db| {
            Box::pin(async move {
                db.execute("update users set slug = $1 where id = 1", &[Some("half")]).await?;
                db.execute("update users\nset slugg = $1", &[Some("secret")]).await?;
                Ok(())
            })
        }));
        let site = error.site().expect("it has a place");
        assert!(site.path.ends_with("20260102000000_wrong (code)"), "{error}");
        assert_eq!(site.excerpt, "set slugg = $1", "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    fn code_that_passes_over_a_failure_fails(backend) {
        let project = project(backend);
        let error = failing(&project, CodeMigration::new("20260102000000", "careless", |db| {
            Box::pin(async move {
                db.execute("update users set slug = 'half' where id = 1", &[]).await?;
                _ = db.execute("select * from nowhere", &[]).await;
                Ok(())
            })
        }));
        assert!(error.message().contains("nowhere"), "{error}");
    }

    fn values_and_rows_come_and_go_as_text(backend) {
        let project = project(backend);
        let app = App::of(&project, &[CodeMigration::new("20260102000000", "values", |db| {
            Box::pin(async move {
                db.batch("create table t (id integer, note text); insert into t values (1, null);").await?;
                let odd = "a 'quoted' \\ \"text\" -- $1 /* ; \n ünï";
                let insert = "insert into t (id, note) values ($1, $2), (3, $3)";
                assert_eq!(db.execute(insert, &[Some("2"), Some(odd), None]).await?, 2);
                let rows = db.fetch("select id, note from t order by id", &[]).await?;
                assert_eq!(rows[1], [Some("2".to_owned()), Some(odd.to_owned())]);
                assert_eq!((rows.len(), &rows[0][1], &rows[2][1]), (3, &None, &None));
                assert_eq!(db.execute("update t set note = 'x' where id > 5", &[]).await?, 0);
                let sum = db.fetch("select sum(id) from t where id in ($1, $2)", &[Some("1"), Some("2")]).await?;
                assert_eq!(sum[0][0].as_deref(), Some("3"));
                assert!(db.fetch("select id from t where id = 7", &[]).await?.is_empty());
                Ok(())
            })
        })]);
        app.migrate().expect("it runs");
    }

    fn a_run_that_nobody_waits_for_any_more_leaves_nothing(backend) {
        let project = project(backend);
        let app = App::of(&project, &[CodeMigration::new("20260102000000", "endless", |db| {
            Box::pin(async move {
                db.execute("update users set slug = 'half' where id = 1", &[]).await?;
                std::future::pending().await
            })
        })]);
        run(&app.repo, async |session| {
            let request = MigrateRequest::default();
            let left = tokio::time::timeout(Duration::from_secs(2), migrate(session, &request)).await;
            assert!(left.is_err());
            // The same session goes on, on another connection.
            session.inspect().await.expect("it can look");
        });
        assert_eq!(slugs(&project), ["none", "none"]);
        assert_eq!(versions(&project), ["20260101000000"]);
        App::of(&project, &[backfill()]).migrate().expect("the lock is free");
    }

    fn a_process_that_is_killed_in_the_middle_leaves_nothing(backend) {
        let project = project(backend);
        let mark = project.path("begun");
        let mut child = child(&project, Some(&mark));
        wait_until("the code has begun", Duration::from_secs(60), || mark.exists());
        child.kill().expect("it runs");
        child.wait().expect("it ended");
        App::of(&project, &[backfill()]).migrate().expect("it runs");
        assert_eq!(slugs(&project), ["ada-lovelace", "it's-\\-me"]);
        assert_eq!(versions(&project).len(), 3);
    }

    fn processes_that_start_at_once_run_it_once(backend) {
        let project = project(backend).migration(
            "core",
            "20260101000001_trace",
            "create table trace (pid text);",
        );
        let children: Vec<_> = (0..6).map(|_| child(&project, None)).collect();
        for mut child in children {
            assert!(child.wait().expect("it ended").success());
        }
        assert_eq!(project.database("core").value("select count(*) from trace"), "1");
        assert_eq!(versions(&project).len(), 4);
    }

    fn ledgers_of_other_tools_refuse_code(backend) {
        let project = project(backend);
        for ledger in ["sqlx", "diesel", "refinery", "dbmate"] {
            let mut app = App::of(&project, &[backfill()]);
            app.repo.ledger.kind = dbsetup::ledger::LedgerKind::from_name(ledger);
            let error = app.migrate().expect_err("it has no place for code");
            assert_eq!(error.kind(), Kind::Unsupported);
            assert!(error.message().contains("20260102000000 backfill_slugs"), "{error}");
            assert!(project.database("core").user_tables().is_empty());
        }
    }
}

/// Starts this very program as the child.
fn child(project: &Project, mark: Option<&PathBuf>) -> std::process::Child {
    let program = std::env::current_exe().expect("it runs");
    let mut command = Command::new(program);
    command.args(["--exact", "code::the_child_of_other_tests", "--ignored"]);
    command.env(CHILD_URL, url(project)).env(CHILD_DIRECTORY, files(project));
    match mark {
        Some(mark) => command.env(CHILD_MARK, mark),
        None => command.env_remove(CHILD_MARK),
    };
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it can be started")
}

#[test]
#[ignore = "other tests start it as a process of its own"]
fn the_child_of_other_tests() {
    let (Some(url), Some(directory)) = (std::env::var_os(CHILD_URL), std::env::var_os(CHILD_DIRECTORY))
    else {
        return;
    };
    let mark = std::env::var_os(CHILD_MARK).map(PathBuf::from);
    let code = CodeMigration::new("20260102000000", "child", move |db| {
        let mark = mark.clone();
        Box::pin(async move {
            match mark {
                Some(mark) => {
                    db.execute("update users set slug = 'half'", &[]).await?;
                    std::fs::write(mark, "")?;
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
                None => {
                    let pid = std::process::id().to_string();
                    db.execute("insert into trace values ($1)", &[Some(&pid)]).await?;
                }
            }
            Ok(())
        })
    });
    let repo = application(directory.into(), &url.to_string_lossy(), &[code]);
    let request = MigrateRequest { lanes: Lanes::All, ..MigrateRequest::default() };
    run(&repo, async |session| migrate(session, &request).await).expect("it runs");
}

#[test]
fn code_that_waits_for_a_locked_table_runs_again() {
    let Some(server) = crate::support::postgres::server() else { return };
    let project = Project::new().on(&server).repo("core", Backend::Postgres);
    let project = project.migration("core", "20260101000000_users", USERS);
    project.run("create").success();
    project.run("migrate").success();
    let mut other = server.database("core_dev").session();
    other.execute("begin");
    other.execute("lock table users in access exclusive mode");
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let code = CodeMigration::new("20260102000000", "waits", move |db| {
        counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            db.batch("create table made (id integer)").await?;
            db.execute("update users set slug = $1 where id = 1", &[Some("x")]).await?;
            Ok(())
        })
    });
    let mut app = App::of(&project, &[code]);
    app.repo.lock_timeout = Duration::from_millis(200);
    let started = Instant::now();
    let ended = std::thread::spawn(move || app.migrate());
    let runs_so_far = Arc::clone(&runs);
    let is_begun = move || runs_so_far.load(Ordering::SeqCst) >= 3;
    wait_until("the code has run three times", Duration::from_secs(60), is_begun);
    other.execute("rollback");
    ended.join().expect("it does not panic").expect("it runs");
    assert!(runs.load(Ordering::SeqCst) >= 3 && started.elapsed() < Duration::from_secs(60));
    assert_eq!(slugs(&project)[0], "x");
}

#[test]
fn a_session_that_the_server_ends_runs_the_code_again() {
    let Some(server) = crate::support::postgres::server() else { return };
    let project = Project::new().on(&server).repo("core", Backend::Postgres);
    let project = project.migration("core", "20260101000000_users", USERS);
    project.run("create").success();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let admin = server.clone();
    let code = CodeMigration::new("20260102000000", "ended", move |db| {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        let admin = admin.clone();
        Box::pin(async move {
            db.execute("insert into users (id, name) values (9, 'once')", &[]).await?;
            if first {
                let pid = db.fetch("select pg_backend_pid()", &[]).await?.swap_remove(0).swap_remove(0);
                let pid = pid.expect("it has one");
                std::thread::spawn(move || {
                    admin.query(&format!("select pg_terminate_backend({pid})"));
                })
                .join()
                .expect("it is ended");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            db.execute("update users set slug = 'x' where id = 9", &[]).await?;
            Ok(())
        })
    });
    App::of(&project, &[code]).migrate().expect("it runs again");
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert_eq!(project.database("core").value("select count(*) from users where slug = 'x'"), "1");
}

#[test]
fn a_row_that_loses_its_parent_is_found_before_the_commit() {
    let project = Project::new().repo("core", Backend::Sqlite).migration(
        "core",
        "20260101000000_users",
        "create table users (id integer primary key, name text, slug text);\n\
         create table orders (id integer primary key, user_id integer references users (id));\n\
         insert into users (id) values (1), (2);\ninsert into orders values (1, 1), (2, 7);\n",
    );
    project.run("create").success();
    // One row is broken by the file already, which the file is told of, and another one by the code.
    project.database("core").execute("pragma foreign_keys = off; select 1;");
    let app = App::of(
        &project,
        &[CodeMigration::new("20260102000000", "careless", |db| {
            Box::pin(async move {
                db.execute("delete from users where id = 1", &[]).await?;
                Ok(())
            })
        })],
    );
    let error = app.migrate().expect_err("an order has lost its user");
    assert!(error.to_string().contains("refers to a row"), "{error}");
}
