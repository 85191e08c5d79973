//! `seed` and `run`: SQL files of the user's, under the lock, each in one transaction.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::driver::{DbErrorClass, Present};
use crate::error::{Error, Kind, Result};
use crate::event::{Teller, What};
use crate::files::Files;
use crate::ledger::{Change, LedgerTable, meta_key};
use crate::lock;
use crate::record;
use crate::repo::Repo;
use crate::session::{Inspection, Session};
use crate::sql::{self, Statement};
use crate::sql_file::{Content, SqlFile, Use};

/// The key, followed by the file, of a seed file that a run of `--if-new` has finished; all of them are removed when
/// the last one is.
const DONE_PREFIX: &str = "seed:";

/// A program that seeds, with what it finds in its environment. It gets no shell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeedCommand {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Variables that are set for it.
    pub variables: Vec<(String, String)>,
    /// Where it runs.
    pub directory: PathBuf,
}

/// What `seed` is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeedRequest {
    /// Only a database that was created or loaded and not seeded since.
    pub if_new: bool,
    /// Run after the SQL files.
    pub command: Option<SeedCommand>,
    /// Only plan.
    pub dry_run: bool,
}

/// What was run, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeedReport {
    /// Files in order.
    pub files: Vec<PathBuf>,
    /// Whether the command is run.
    pub command: bool,
    /// Why nothing was.
    pub skipped: Option<String>,
}

/// Returns the seed files in order: `seeds.sql`, then `seeds/*.sql`, then those of the environment, by name.
///
/// # Errors
/// [`Kind::Io`]; [`Kind::Configuration`] for a link that leaves the priv directory.
pub fn files(repo: &Repo) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let single = repo.priv_dir.join("seeds.sql");
    if repo.files.is_file(&single) {
        files.push(single);
    }
    let directory = repo.priv_dir.join("seeds");
    for directory in [directory.clone(), directory.join(&repo.environment)] {
        if !repo.files.is_dir(&directory) {
            continue;
        }
        if repo.files.is_symlink(&directory) {
            crate::migration::refuse_escape(repo, &repo.priv_dir, &directory)?;
        }
        let shown = repo.shown(&directory);
        let listing =
            repo.files.list(&directory).map_err(|error| Error::io("read the directory", &shown, error))?;
        let mut found = Vec::new();
        for entry in listing {
            let path = directory.join(&entry.name);
            let hidden = entry.name.to_string_lossy().starts_with('.');
            if path.extension().is_some_and(|end| end == "sql") && repo.files.is_file(&path) && !hidden {
                found.push(path);
            }
        }
        found.sort();
        files.extend(found);
    }
    for file in files.iter().filter(|file| repo.files.is_symlink(file)) {
        crate::migration::refuse_escape(repo, &repo.priv_dir, file)?;
    }
    Ok(files)
}

/// Runs the seeds.
///
/// # Errors
/// Those of the files and the database; what failed was rolled back, and no lock is left.
pub async fn seed(session: &mut Session<'_>, request: &SeedRequest) -> Result<SeedReport> {
    let result = seed_and_unlock(session, request).await;
    if result.is_err() {
        session.close().await;
    }
    result
}

async fn seed_and_unlock(session: &mut Session<'_>, request: &SeedRequest) -> Result<SeedReport> {
    let repo = session.repo();
    let files = files(repo)?;
    let report = SeedReport { files, command: request.command.is_some(), skipped: None };
    if report.files.is_empty() && !report.command {
        return Ok(skipped(
            session,
            format!("there is no {}", repo.shown(&repo.priv_dir.join("seeds.sql")).display()),
        ));
    }
    session.writes_data(true).await;
    let seen =
        if request.dry_run { session.inspect_if_exists().await? } else { Some(session.inspect().await?) };
    let Some(seen) = seen else { return Ok(report) };
    record::check_before_writing(session, &seen.state)?;
    if let Some(reason) = not_new(&seen).filter(|_| request.if_new) {
        return Ok(skipped(session, reason.to_owned()));
    }
    if request.dry_run {
        return Ok(report);
    }
    let ledger = seen.choice.table;
    let key = lock::main_key(&ledger);
    lock::acquire(session, &key).await?;
    let inspection = session.inspect().await?;
    if let Some(reason) = not_new(&inspection).filter(|_| request.if_new) {
        lock::release(session, &key).await?;
        return Ok(skipped(session, reason.to_owned()));
    }
    for file in &report.files {
        let mark = format!("{DONE_PREFIX}{}", repo.shown(file).display());
        // An earlier run of `--if-new` got so far, and failed later.
        if request.if_new && inspection.state.meta(&mark).is_some() {
            continue;
        }
        let start = Instant::now();
        let changes = if request.if_new {
            vec![Change::SetMeta { key: mark, value: "done".into() }]
        } else {
            Vec::new()
        };
        let shown = session.repo().shown(file);
        run_in_transaction(session, Content::File(repo.files, file), &shown, &ledger, &changes).await?;
        session.teller().tell(What::Seeded { path: repo.shown(file), took: start.elapsed() });
    }
    if let Some(command) = &request.command {
        run_command(session.repo(), session.teller(), command).await?;
    }
    finish(session, &ledger, &inspection, &report.files).await?;
    session.settle().await?;
    lock::release(session, &key).await?;
    Ok(report)
}

/// Why `--if-new` passes a database over.
fn not_new(inspection: &Inspection) -> Option<&'static str> {
    match (inspection.state.meta(meta_key::UNSEEDED), inspection.state.meta(meta_key::SEEDED)) {
        (Some(_), _) => None,
        (None, Some(_)) => Some("it was seeded before"),
        (None, None) => Some("it was not made by this tool just now"),
    }
}

fn skipped(session: &Session<'_>, reason: String) -> SeedReport {
    session.teller().tell(What::SeedSkipped { reason: reason.clone() });
    SeedReport { skipped: Some(reason), ..SeedReport::default() }
}

async fn finish(
    session: &mut Session<'_>,
    ledger: &LedgerTable,
    inspection: &Inspection,
    files: &[PathBuf],
) -> Result<()> {
    let repo = session.repo();
    let mut changes = record::first_changes(repo, &inspection.state);
    changes.extend(
        files
            .iter()
            .map(|file| Change::ClearMeta { key: format!("{DONE_PREFIX}{}", repo.shown(file).display()) }),
    );
    changes.push(Change::ClearMeta { key: meta_key::UNSEEDED.into() });
    changes.push(Change::SetMeta { key: meta_key::SEEDED.into(), value: repo.environment.clone() });
    record::write(session, ledger, &changes).await
}

/// Runs one file of the user's (`cargo dbsetup run`).
///
/// # Errors
/// Those of the file and the database; what failed was rolled back, and no lock is left.
pub async fn run_file(session: &mut Session<'_>, path: &Path) -> Result<u64> {
    let shown = session.repo().shown(path);
    run_file_as(session, path, &shown).await
}

/// Runs one file of the user's that is shown by another name than its own: `<stdin>`.
///
/// # Errors
/// Those of [`run_file`].
pub async fn run_file_as(session: &mut Session<'_>, path: &Path, shown: &Path) -> Result<u64> {
    let result = run_file_and_unlock(session, path, shown).await;
    if result.is_err() {
        session.close().await;
    }
    result
}

/// Runs the text of a file on a database that nobody else works in, in one transaction. The file's own `BEGIN` and
/// `COMMIT` are passed over.
///
/// # Errors
/// Those of the text, which point into it, and of the database; what failed was rolled back.
#[cfg(feature = "testing")]
pub(crate) async fn run_text(session: &mut Session<'_>, text: &str, shown: &Path) -> Result<u64> {
    let dialect = session.server().dialect();
    let content = Content::Text(text);
    check(content, shown, dialect)?;
    session.writes_data(true).await;
    let driver = session.driver().await?;
    let pass_control_over = |statement: &Statement| match sql::transaction_control(dialect, &statement.text) {
        None => Ok(Use::Run),
        Some("BEGIN" | "START TRANSACTION" | "COMMIT" | "END") => Ok(Use::Skip),
        Some(word) => {
            Err(Error::new(Kind::Grammar, format!("{word} in a file that runs in one transaction"))
                .at(crate::sql_file::site(content, shown, statement.start, word.len()))
                .help("remove it"))
        }
    };
    driver.begin(false).await?;
    let file = SqlFile { content, shown, dialect, joins_rows: false };
    let sent = file.send(driver, None, &pass_control_over, &|_| {}, u64::MAX).await;
    match sent {
        Ok(statements) => {
            driver.commit(&[]).await.map_err(|failure| Error::from(failure.error))?;
            Ok(statements)
        }
        Err(error) => {
            // The connection is closed, whatever comes of it.
            let _ = driver.rollback().await;
            Err(error)
        }
    }
}

async fn run_file_and_unlock(session: &mut Session<'_>, path: &Path, shown: &Path) -> Result<u64> {
    let start = Instant::now();
    if !path.exists() {
        return Err(Error::new(Kind::Missing, format!("there is no file `{}`", shown.display())));
    }
    // What a person names is on the disk, wherever the repo's own files are.
    let content = Content::File(Files::Disk, path);
    check(content, shown, session.server().dialect())?;
    let alone = opts_out_of_transaction(path)?;
    if alone {
        refuse_what_needs_a_transaction(content, shown, session.server().dialect())?;
    }
    session.writes_data(true).await;
    let inspection = session.inspect().await?;
    record::check_before_writing(session, &inspection.state)?;
    let ledger = inspection.choice.table;
    let key = lock::main_key(&ledger);
    lock::acquire(session, &key).await?;
    let statements = if alone {
        run_one_by_one(session, content, shown).await?
    } else {
        run_in_transaction(session, content, shown, &ledger, &[]).await?
    };
    lock::release(session, &key).await?;
    session.teller().tell(What::FileRun { path: shown.to_path_buf(), statements, took: start.elapsed() });
    Ok(statements)
}

/// Reads a file once before anything of it runs.
fn check(content: Content<'_>, shown: &Path, dialect: sql::Dialect) -> Result<()> {
    let mut splitter = crate::sql_file::open(content, shown, dialect)?;
    while splitter.next().map_err(|error| crate::sql_file::unsplittable(content, shown, &error))?.is_some() {}
    Ok(())
}

/// COPY data need a transaction of several messages, and a `BEGIN` one that lasts for several statements: a file whose
/// statements are sent one by one would lose the first and break the second.
fn refuse_what_needs_a_transaction(content: Content<'_>, shown: &Path, dialect: sql::Dialect) -> Result<()> {
    let mut splitter = crate::sql_file::open(content, shown, dialect)?;
    while let Some(item) =
        splitter.next().map_err(|error| crate::sql_file::unsplittable(content, shown, &error))?
    {
        let (what, statement) = match &item {
            sql::Item::Copy(statement) => ("COPY data", statement),
            sql::Item::Statement(statement) => match sql::transaction_control(dialect, &statement.text) {
                Some(word) => (word, statement),
                None => continue,
            },
            sql::Item::Meta(_) => continue,
        };
        let width = what.split(' ').next().unwrap_or_default().len();
        return Err(Error::new(Kind::Grammar, format!("{what} in a file that runs without a transaction"))
            .at(crate::sql_file::site(content, shown, statement.start, width))
            .note("nothing was run")
            .help("move what belongs together to a file with a transaction"));
    }
    Ok(())
}

/// Whether the file opts out of the transaction, in the way that a migration does.
fn opts_out_of_transaction(path: &Path) -> Result<bool> {
    use std::io::Read;
    let mut start = [0; 64];
    let mut file = std::fs::File::open(path).map_err(|error| Error::io("read", path, error))?;
    let length = file.read(&mut start).map_err(|error| Error::io("read", path, error))?;
    let text = String::from_utf8_lossy(&start[..length]);
    Ok(text.trim_start_matches('\u{feff}').starts_with("-- no-transaction"))
}

async fn run_in_transaction(
    session: &mut Session<'_>,
    content: Content<'_>,
    shown: &Path,
    ledger: &LedgerTable,
    changes: &[Change],
) -> Result<u64> {
    let dialect = session.server().dialect();
    check(content, shown, dialect)?;
    let driver = session.driver().await?;
    driver.use_ledger(ledger);
    if !changes.is_empty() {
        driver.prepare(ledger, Present { ledger: false, meta: true, progress: false }).await?;
    }
    let refuse_control = |statement: &Statement| match sql::transaction_control(dialect, &statement.text) {
        None => Ok(Use::Run),
        Some(word) => {
            Err(Error::new(Kind::Grammar, format!("{word} in a file that runs in one transaction"))
                .at(crate::sql_file::site(content, shown, statement.start, word.len()))
                .help("remove it, or write `-- no-transaction` as the first line of the file"))
        }
    };
    driver.begin(false).await?;
    let sent = SqlFile { content, shown, dialect, joins_rows: false }
        .send(driver, None, &refuse_control, &|_| {}, u64::MAX)
        .await;
    match sent {
        Ok(statements) => {
            driver.commit(changes).await.map_err(|failure| {
                let error = Error::from(failure.error);
                // A connection that is lost in a commit takes the answer along.
                if failure.rolled_back {
                    return error.note("the whole file was rolled back");
                }
                error
                    .note("whether it was committed is not known")
                    .help("look at the database before you run it again")
            })?;
            session.tell_notices();
            Ok(statements)
        }
        Err(error) => {
            let undone = driver.rollback().await.is_ok();
            Err(if undone { error.note("the whole file was rolled back") } else { error })
        }
    }
}

async fn run_one_by_one(session: &mut Session<'_>, content: Content<'_>, shown: &Path) -> Result<u64> {
    let dialect = session.server().dialect();
    let mut splitter = crate::sql_file::open(content, shown, dialect)?;
    let mut done = 0;
    while let Some(item) =
        splitter.next().map_err(|error| crate::sql_file::unsplittable(content, shown, &error))?
    {
        let sql::Item::Statement(statement) = item else { continue };
        session.driver().await?.run_alone(&statement.text, &[]).await.map_err(|failure| {
            let width = statement.text.lines().next().unwrap_or_default().chars().count();
            let lost = failure.error.class == DbErrorClass::ConnectionLost;
            let error = Error::from(failure.error);
            let error = if lost { error.help("look at the database before you run the rest") } else { error };
            error
                .at(crate::sql_file::site(content, shown, statement.start, width))
                .note(format!("{done} statements before it were run and are kept"))
        })?;
        done += 1;
    }
    Ok(done)
}

#[cfg(not(feature = "programs"))]
async fn run_command(_: &Repo, _: Teller<'_>, command: &SeedCommand) -> Result<()> {
    let shown = command.argv.join(" ");
    Err(Error::new(Kind::Unsupported, format!("this program cannot run the seed command `{shown}`"))
        .note("the dbsetup library in it was built without the feature `programs`"))
}

#[cfg(feature = "programs")]
async fn run_command(repo: &Repo, teller: Teller<'_>, command: &SeedCommand) -> Result<()> {
    let start = Instant::now();
    let shown = command.argv.join(" ");
    let [program, arguments @ ..] = &command.argv[..] else { return Ok(()) };
    let status = tokio::process::Command::new(program)
        .args(arguments)
        .envs(command.variables.iter().map(|(key, value)| (key, value)))
        .current_dir(&command.directory)
        .stdin(std::process::Stdio::null())
        // What a command says is status; whoever runs us may be reading data from stdout.
        .stdout(std::io::stderr())
        .kill_on_drop(true)
        .status()
        .await
        .map_err(|error| {
            Error::new(Kind::Program, format!("cannot run `{shown}`: {error}")).because(error)
        })?;
    if !status.success() {
        return Err(Error::new(Kind::Program, format!("the seed command `{shown}` failed: {status}"))
            .help(format!("run it by itself, mend it, then {}", repo.command("seed"))));
    }
    teller.tell(What::SeedCommandDone { command: shown, took: start.elapsed() });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Silent;
    use crate::fake::{FakeDatabase, Fault};
    use crate::migration::testing::repo;

    struct Fixture {
        directory: tempfile::TempDir,
        repo: Repo,
        database: FakeDatabase,
    }

    impl Fixture {
        fn new(files: &[(&str, &str)]) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let mut repo = repo();
            repo.priv_dir = directory.path().join("priv");
            repo.display_root = directory.path().to_path_buf();
            for (path, text) in files {
                let path = repo.priv_dir.join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            Self { directory, repo, database: FakeDatabase::new() }
        }

        fn session(&self) -> Session<'_> {
            Session::with_server(&self.repo, &Silent, "test", Box::new(self.database.clone()))
        }

        async fn seed_if_new(&self) -> Result<SeedReport> {
            seed(&mut self.session(), &SeedRequest { if_new: true, ..SeedRequest::default() }).await
        }
    }

    #[tokio::test]
    async fn a_new_database_is_seeded_once_wherever_a_run_dies() {
        let files =
            [("seeds.sql", "insert 1;"), ("seeds/a.sql", "insert 2;"), ("seeds/dev/b.sql", "insert 3;")];
        for fault in [Fault::KilledBefore, Fault::KilledAfter] {
            for n in 1..100 {
                let fixture = Fixture::new(&files);
                record::note_creation(&mut fixture.session()).await.unwrap();
                fixture.database.fail_at(n, fault);
                let first = fixture.seed_if_new().await;
                fixture.database.revive();
                fixture.seed_if_new().await.unwrap();
                let effects: Vec<String> = fixture
                    .database
                    .effects()
                    .iter()
                    .map(|text| text.trim_end_matches(';').to_owned())
                    .collect();
                assert_eq!(effects, ["insert 1", "insert 2", "insert 3"], "{fault:?} at call {n}");
                assert_eq!(fixture.database.locks(), 0);
                if first.is_ok() && !fixture.database.fault_was_due() {
                    break;
                }
            }
        }
    }

    #[tokio::test]
    async fn copy_data_without_a_transaction_are_refused_and_not_passed_over() {
        let fixture =
            Fixture::new(&[("x.sql", "-- no-transaction\nselect 1;\ncopy a from stdin;\n1\n\\.\n")]);
        let error = run_file(&mut fixture.session(), &fixture.repo.priv_dir.join("x.sql")).await.unwrap_err();
        assert_eq!((error.kind(), error.site().unwrap().at.line), (Kind::Grammar, 3));
        assert!(fixture.database.effects().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_seeds_directory_that_is_a_link_out_of_the_priv_directory_is_refused() {
        let fixture = Fixture::new(&[("seeds.sql", "select 1;")]);
        let outside = fixture.directory.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, fixture.repo.priv_dir.join("seeds")).unwrap();
        assert_eq!(files(&fixture.repo).unwrap_err().kind(), Kind::Configuration);
    }
}
