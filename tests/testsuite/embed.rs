//! What is inside a binary: a real application, built by cargo, that sets up a database where no file of its repo is.

use crate::support::app::App;
use crate::support::{Project, Run, Sqlite};

/// Prints the files and the digest of its repo, or sets up the database of a URL.
const MAIN: &str = r#"
use dbsetup::event::Silent;
use dbsetup::migration::{FileSet, MigrateRequest, migrate};
use dbsetup::repo::DatabaseUrl;
use dbsetup::session::Session;
use dbsetup::{Source, storage};

static CORE: dbsetup::Embedded = dbsetup::embed!("core");
static ONLY: dbsetup::Embedded = dbsetup::embed!();

fn main() {
    let url = std::env::args().nth(1);
    let source = Source::from(&CORE);
    assert_eq!(ONLY.digest, CORE.digest);
    let repo = source.repo(DatabaseUrl::new(url.clone().unwrap_or_default()), "prod").expect("it is whole");
    if url.is_none() {
        let files = FileSet::read(&repo, &[]).expect("the files are right");
        let migrations: Vec<String> = files.migrations.iter().map(|file| file.up.path.display().to_string()).collect();
        println!("{} {:?} {}", migrations.join(" "), repo.role, source.content_digest().expect("it has one"));
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let report = runtime.block_on(async {
        let mut session = Session::new(&repo, &Silent, "start").expect("the URL parses");
        storage::create(&mut session).await.expect("it can be made");
        let report = migrate(&mut session, &MigrateRequest::default()).await.expect("it migrates");
        session.close().await;
        report
    });
    println!("loaded {:?}, ran {}", report.load, report.done);
}
"#;

const BUILD: &str = "fn main() {\n    dbsetup_build::embed(\"core\");\n}\n";
const MIGRATIONS: &str = "priv/core/migrations";

fn manifest(lines: &str) -> String {
    format!(
        "[dependencies]\n{}tokio = {{ version = \"1\", features = [\"rt\"] }}\n\n[build-dependencies]\n{}\n\
         [package.metadata.dbsetup.repos.core]\n{lines}",
        App::ours("dbsetup", &["sqlite"]),
        App::ours("dbsetup-build", &[])
    )
}

fn app(name: &'static str, lines: &str) -> App {
    App::new(name, &manifest(lines))
        .file("build.rs", BUILD)
        .file("src/main.rs", MAIN)
        .file(&format!("{MIGRATIONS}/1_users.sql"), "create table users (id integer primary key);")
}

#[test]
fn a_program_sets_up_a_database_from_what_is_inside_it() {
    // Migrated by the plugin, so that there is a structure to load.
    let project = Project::new().repo("core", Sqlite).migration(
        "core",
        "1_users",
        "create table users (id integer primary key, name text);",
    );
    project.run("setup").success();
    project.run("dump").success();
    let structure = std::fs::read_to_string(project.root().join("crates/core/priv/core/structure.sql"))
        .expect("it was dumped");

    let app = app("embed-sets-up", "")
        .file("priv/core/structure.sql", &structure)
        .file(&format!("{MIGRATIONS}/1_users.sql"), "create table users (id integer primary key, name text);")
        .file(&format!("{MIGRATIONS}/2_more.sql"), "create table more (id integer primary key);")
        .file("priv/core/manual_migrations/.gitkeep", "");
    app.build().success();

    let empty = tempfile::tempdir().expect("a temporary directory can be made");
    let run = app.run_in(empty.path(), &["sqlite:core.db"]);
    run.success().stdout_is("loaded Some(\"priv/core/structure.sql\"), ran 1\n");
    let run = app.run_in(empty.path(), &["sqlite:core.db"]);
    run.success().stdout_is("loaded None, ran 0\n");
    let entries = std::fs::read_dir(empty.path()).expect("it can be read");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("it can be read").file_name()).collect();
    names.retain(|name| !name.to_string_lossy().contains("-wal") && !name.to_string_lossy().contains("-shm"));
    assert_eq!(names, ["core.db"], "a release leaves nothing but its database");
}

#[test]
fn a_changed_added_or_removed_file_builds_anew_and_nothing_else_does() {
    let app = app("embed-rebuilds", "");
    let built = |app: &App| {
        let run = app.build();
        run.success();
        let shown = app.run_in(app.dir(), &[]);
        shown.success();
        (run.stderr.contains("Compiling embed-rebuilds"), shown.stdout)
    };
    let (_, first) = built(&app);
    assert!(first.starts_with("priv/core/migrations/1_users.sql None "), "{first}");
    assert_eq!(built(&app), (false, first.clone()), "nothing was touched");

    app.write(&format!("{MIGRATIONS}/1_users.sql"), "create table users (id integer);");
    let (anew, changed) = built(&app);
    assert!(anew && changed != first, "{changed}");

    app.write(&format!("{MIGRATIONS}/2_more.sql"), "create table more (id integer);");
    let (anew, added) = built(&app);
    assert!(anew && added.contains("2_more.sql"), "{added}");

    std::fs::remove_file(app.dir().join(MIGRATIONS).join("2_more.sql")).expect("it is there");
    assert_eq!(built(&app), (true, changed.clone()));

    // A structure where none was before, and a setting.
    app.write("priv/core/structure.sql", "-- nothing\n");
    let (anew, with_structure) = built(&app);
    assert!(anew && with_structure != changed);
    let text = std::fs::read_to_string(app.dir().join("Cargo.toml")).expect("it is there");
    app.write("Cargo.toml", &format!("{text}env.prod.role = \"app_{{env}}\"\n"));
    let (anew, with_role) = built(&app);
    assert!(anew && with_role.contains("Some(\"app_prod\")"), "{with_role}");
    assert!(!built(&app).0, "nothing was touched");

    // A file of another tool, where none was and nothing else has changed.
    if cfg!(unix) {
        app.write("sqlx.toml", "[common]\ndatabase-url-var = \"APP_URL\"\n");
        let (anew, with_tool) = built(&app);
        assert!(anew && with_tool != with_role, "{with_tool}");
        assert!(!built(&app).0, "nothing was touched");
    }
}

#[test]
fn check_tells_a_binary_of_other_files() {
    let app = app("embed-checked", "url = \"sqlite:core.db\"\n");
    app.build().success();
    let project = Project::single("plugin");
    let check = |binary: &str| {
        let line = format!("check --offline --manifest-path {}/Cargo.toml", app.dir().display());
        project.command(&line).arg("--binary").arg(binary).run()
    };
    let program = app.program().display().to_string();
    let line = format!("check --offline --manifest-path {}/Cargo.toml", app.dir().display());
    let passed = |run: &Run| {
        let before = run.success().stderr.split(" checks passed").next().unwrap_or_default();
        let number = before.rsplit(' ').next().unwrap_or_default().to_owned();
        number.parse::<usize>().unwrap_or_else(|_| panic!("the checks are not counted:\n{run}"))
    };
    let of_files = passed(&project.run(&line));
    let run = check(&program);
    assert_eq!(passed(&run), of_files + 1);
    run.stderr_contains("holds what the tree has: ")
        .stderr_contains(": 1 file, digest ")
        .stderr_lacks("binary-differs");
    project.run(&format!("{line} --quiet --binary {program}")).success().stderr_lacks("holds what");
    app.write(&format!("{MIGRATIONS}/2_more.sql"), "create table more (id integer);");
    let run = check(&program);
    run.code(3).stderr_contains("error[binary-differs]").stderr_contains("of `core` than the tree");
    let nothing = env!("CARGO_BIN_EXE_cargo-dbsetup");
    check(nothing)
        .code(2)
        .stderr_contains("holds no files of any repo")
        .stderr_contains("--binary target/release");
    check("no/such/file").stderr_contains("no/such/file");
}

#[test]
fn a_repo_that_cannot_be_embedded_fails_the_build_in_words() {
    let app = app("embed-refused", "");
    app.write(&format!("{MIGRATIONS}/2_more.sql"), "select 1;");
    std::fs::write(app.dir().join(MIGRATIONS).join("2_more.sql"), b"select '\xff';")
        .expect("it can be written");
    let run = app.build();
    run.code(101)
        .stderr_contains("2_more.sql` is not UTF-8: byte 0xff at offset 8 (line 1)")
        .stderr_contains("help: save the file as UTF-8")
        .stderr_lacks("panicked");
}
