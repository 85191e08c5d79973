//! `seed` and `run`: SQL files of the user's, under the lock, each in one transaction.

mod run_file;

use std::path::PathBuf;
use std::time::Instant;

use crate::error::{Error, Kind, Result};
use crate::event::{Teller, What};
use crate::ledger::{Change, LedgerTable, meta_key};
use crate::lock;
use crate::record;
use crate::repo::Repo;
use crate::session::{Inspection, Session};
use crate::sql_file::Content;

use run_file::run_in_transaction;
#[cfg(feature = "testing")]
pub(crate) use run_file::run_text;
pub use run_file::{run_file, run_file_as};

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
    record::check_before_writing(session, &seen)?;
    if let Some(reason) = not_new(&seen).filter(|_| request.if_new) {
        return Ok(skipped(session, reason.to_owned()));
    }
    if request.dry_run {
        return Ok(report);
    }
    record::take_over(session, &seen).await?;
    let ledger = seen.choice.table;
    let key = lock::main_key(&ledger);
    lock::acquire(session, &key).await?;
    let inspection = session.inspect().await?;
    record::refuse_other_repo(session, &inspection)?;
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
    let mut changes = record::first_changes(repo, ledger, &inspection.state);
    changes.extend(
        files
            .iter()
            .map(|file| Change::ClearMeta { key: format!("{DONE_PREFIX}{}", repo.shown(file).display()) }),
    );
    changes.push(Change::ClearMeta { key: meta_key::UNSEEDED.into() });
    changes.push(Change::SetMeta { key: meta_key::SEEDED.into(), value: repo.environment.clone() });
    record::write(session, ledger, &changes).await
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
