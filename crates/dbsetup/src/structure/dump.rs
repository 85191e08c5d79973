//! `dump`: the structure of a database as a file. Canonical, whole, replaced in one step.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

pub(super) use super::assemble::assemble;
use super::floor::Floor;
use super::held::{unnamed_rows, unnamed_rows_error};
use super::recorded::{recorded_by, recorded_versions};
use super::rows::{Kept, Wishes, audit, is_written};
use super::{forgets, format, header};
use crate::driver::{DumpRequest, FilledTable, TableName, Via};
use crate::error::{Error, Kind, Result};
use crate::event::What;
use crate::files::Files;
use crate::ledger::{LedgerTable, meta_key};
use crate::migration::FileSet;
use crate::migration::baseline::collapse;
use crate::pattern::matches;
use crate::record;
use crate::repo::Repo;
use crate::session::Session;
use crate::sql_file::line_ends;

/// How often a dump is begun again when migrations run meanwhile.
const TRIES: u32 = 3;

/// What `dump` is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DumpOptions {
    /// How; `None` is native where that is to be had.
    pub via: Option<Via>,
    /// Only these schemas.
    pub schemas: Vec<String>,
    /// Not these schemas.
    pub exclude_schemas: Vec<String>,
    /// Not these tables.
    pub exclude_tables: Vec<String>,
    /// Not these extensions.
    pub exclude_extensions: Vec<String>,
    /// Who owns what, too.
    pub owners: bool,
    /// Who may do what, too.
    pub privileges: bool,
    /// Do not take filters over from the file.
    pub no_filters: bool,
    /// Tables whose rows are left out on purpose, besides those that the file names already.
    pub drop_data: Vec<String>,
    /// Migrations that are run again for the rows that they insert may reach beyond the scratch database.
    pub trusted: bool,
    /// Record versions whose files are nowhere in this checkout.
    pub allow_missing: bool,
    /// Prove the structure: load it into a scratch database and compare ([`super::verify`]).
    pub verify: bool,
}

impl DumpOptions {
    /// Returns what is asked of the driver, but for the ledger, and which filters of it are the `present` file's: a
    /// file keeps them until others are named. Whoever dumps it the next time may not know them.
    ///
    /// Which rows are left out is no filter: it stays decided whatever filters are named.
    pub(super) fn request(&self, mut present: DumpRequest) -> (DumpRequest, Vec<String>) {
        let mut without_rows = std::mem::take(&mut present.without_rows);
        without_rows.extend(self.drop_data.iter().cloned());
        without_rows.sort();
        without_rows.dedup();
        let own = DumpRequest {
            via: self.via,
            schemas: self.schemas.clone(),
            exclude_schemas: self.exclude_schemas.clone(),
            exclude_tables: self.exclude_tables.clone(),
            exclude_extensions: self.exclude_extensions.clone(),
            owners: self.owners,
            privileges: self.privileges,
            ..DumpRequest::default()
        };
        let mut kept = if self.no_filters { DumpRequest::default() } else { present };
        if own.via.is_some() {
            kept.via = None;
        }
        let names_filters = own != DumpRequest { via: own.via, ..DumpRequest::default() };
        if names_filters {
            kept = DumpRequest { via: kept.via, ..DumpRequest::default() };
        }
        let lines = header::filters(&kept);
        let via = own.via.or(kept.via);
        (DumpRequest { via, without_rows, ..if names_filters { own } else { kept } }, lines)
    }
}

/// A structure, beside the file that it belongs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    /// The text.
    pub text: String,
    /// How many versions the database has recorded.
    pub recorded: usize,
    /// The file's present text; `None` where there is no file.
    pub present: Option<String>,
    /// The file, to open.
    pub path: PathBuf,
    /// The file, to show.
    pub shown: PathBuf,
    /// What the driver was asked for: flags, and filters of the file.
    pub request: DumpRequest,
}

impl Dump {
    /// Whether the file says the same.
    pub fn is_current(&self) -> bool {
        self.present.as_deref() == Some(&self.text)
    }
}

/// Reads the structure of the database, and proves it where that is asked for. Writes nothing.
///
/// # Errors
/// Those of the driver and of [`super::verify`]; [`Kind::Missing`] when the ledger has versions that this checkout does not
/// have.
pub async fn dump(session: &mut Session<'_>, options: &DumpOptions, path: Option<&Path>) -> Result<Dump> {
    let mut result = read(session, options, path).await;
    if let (Ok(dump), true) = (&result, options.verify)
        && let Err(error) = super::verify::verify(session, dump).await
    {
        result = Err(error);
    }
    if result.is_err() {
        session.close().await;
    }
    result
}

async fn read(session: &mut Session<'_>, options: &DumpOptions, path: Option<&Path>) -> Result<Dump> {
    let repo = session.repo();
    repo.refuse_embedded("dump")?;
    let path = path.unwrap_or(&repo.structure).to_path_buf();
    let shown = repo.shown(&path);
    let dialect = session.server().dialect();
    let present = present(repo.files, &path, &shown)?.map(|text| with_own_line_ends(session, &shown, text));
    format::refuse_newer(present.as_deref().unwrap_or_default(), &shown)?;
    let named = present.as_deref().filter(|_| !options.no_filters).unwrap_or_default();
    let mut in_file = header::read(named, &shown)?;
    if options.no_filters {
        in_file.without_rows = header::without_rows(present.as_deref().unwrap_or_default());
    }
    let (request, kept) = options.request(in_file);
    header::check(&request)?;
    if !kept.is_empty() {
        session.teller().tell(What::FiltersKept { path: shown.clone(), filters: kept });
    }
    let mut before = session.inspect().await?;
    for attempt in 1.. {
        record::refuse_newer_format(repo, &before.state)?;
        record::refuse_other_repo(session, &before)?;
        if before.state.meta(meta_key::LOADING).is_some() {
            record::check_before_writing(session, &before)?;
        }
        if let Some(running) = before.state.progress.first() {
            return Err(Error::new(
                Kind::Undecided,
                format!("migration {} of `{}` is half done", running.version, repo.name),
            )
            .help(format!("finish it: {}", repo.command("migrate --lane all"))));
        }
        let ledger = before.choice.table.clone();
        let request =
            DumpRequest { ledger: before.choice.present.ledger.then(|| ledger.clone()), ..request.clone() };
        if let Some(ledger) = &request.ledger {
            refuse_to_lose(ledger, &request)?;
        }
        let structure = session.driver().await?.dump(&request).await?;
        // The rows must be those of the same moment: when a migration ran or began meanwhile, both are read again.
        let after = session.inspect().await?;
        if after.choice.table == ledger
            && after.state.rows == before.state.rows
            && after.state.progress.is_empty()
            && after.state.meta(meta_key::LOADING).is_none()
        {
            if !options.allow_missing {
                refuse_unknown_versions(session, &after.state.rows, &path)?;
            }
            let recorded = collapse(Floor::read(repo)?.as_ref(), ledger.kind, &after.state);
            let rows = format::ledger_rows(dialect, &ledger, &recorded)?;
            for note in &structure.notes {
                session.teller().warn(note.clone(), None);
            }
            let mut request = request;
            let named = present.as_deref().unwrap_or_default();
            decide_rows(session, options, &mut request, &ledger, named).await?;
            let mut kept = Kept::default();
            if !repo.keep_data.is_empty() {
                let applied = &after.state.rows;
                let (audit, rows) =
                    super::kept::kept_rows(session, &request, applied, present.as_deref(), options.trusted)
                        .await?;
                request.without_rows = audit.without_rows;
                kept = rows;
            }
            let text = assemble(dialect, &request, &structure, &kept.text, &rows.join("\n"));
            let recorded = after.state.rows.len();
            return Ok(Dump { text, recorded, present, path, shown, request });
        }
        if attempt >= TRIES {
            break;
        }
        session.teller().tell(What::Retry {
            why: "migrations ran while the structure was read".to_owned(),
            attempt: attempt + 1,
        });
        before = after;
    }
    Err(Error::new(
        Kind::Locked,
        format!("migrations of `{}` keep running while its structure is read", repo.name),
    )
    .help("wait for them to end, then dump again"))
}

/// Decides which rows are left out, where anybody named any, and refuses to lose those that the file has now: after a squash
/// they are nowhere else.
async fn decide_rows(
    session: &mut Session<'_>,
    options: &DumpOptions,
    request: &mut DumpRequest,
    ledger: &LedgerTable,
    present: &str,
) -> Result<()> {
    let repo = session.repo();
    let dialect = session.server().dialect();
    let unnamed = unnamed_rows(repo, dialect, present);
    if options.drop_data.is_empty() && unnamed.is_empty() {
        return Ok(());
    }
    let driver = session.driver().await?;
    let wishes = Wishes { keep: &repo.keep_data, drop: &options.drop_data, request };
    let tables = driver.table_rows(ledger).await?;
    let audit = audit(&tables, driver.about().schema.as_deref(), &wishes)?;
    let mut lost: Vec<TableName> = tables.iter().map(FilledTable::table).collect();
    lost.retain(|table| {
        unnamed.contains(table)
            && is_written(table, request)
            && !audit.kept.iter().any(|kept| kept.table == *table)
            && !audit.without_rows.contains(&table.shown())
    });
    if !lost.is_empty() {
        return Err(unnamed_rows_error(repo, &lost));
    }
    request.without_rows = audit.without_rows;
    Ok(())
}

/// A file with the ledger's rows and without its table would not load.
fn refuse_to_lose(ledger: &LedgerTable, request: &DumpRequest) -> Result<()> {
    let any = |patterns: &[String], name: &str| patterns.iter().any(|pattern| matches(pattern, name));
    let schema = ledger.schema.as_deref();
    let is_table = |pattern: &String| match pattern.split_once('.') {
        Some((in_schema, table)) => {
            schema.is_some_and(|schema| matches(in_schema, schema)) && matches(table, &ledger.name)
        }
        None => matches(pattern, &ledger.name),
    };
    let help = match schema {
        _ if request.exclude_tables.iter().any(is_table) => "leave it out of `--exclude-table`".to_owned(),
        Some(schema) if any(&request.exclude_schemas, schema) => {
            format!("name tables of `{schema}` instead: `--exclude-table {schema}.NAME`")
        }
        Some(schema) if !request.schemas.is_empty() && !any(&request.schemas, schema) => {
            format!("name its schema, too: `--schema {schema}`")
        }
        _ => return Ok(()),
    };
    let what = format!(
        "the filters leave out the ledger `{}`, and its rows belong to the structure",
        ledger.shown()
    );
    Err(Error::new(Kind::Configuration, what).help(help))
}

/// Line ends that git changed are no difference, and nothing that a load takes over.
fn with_own_line_ends(session: &Session<'_>, shown: &Path, text: String) -> String {
    if !line_ends::is_converted(text.as_bytes()) {
        return text;
    }
    let warning = format!("`{}` has other line ends than were written, which do not count", shown.display());
    let advice = "keep git from changing them: `structure.sql -text` in .gitattributes";
    session.teller().warn(warning, Some(advice.to_owned()));
    line_ends::restored(&text).into_owned()
}

/// Returns the text of a file, if it is there.
pub(super) fn present(files: Files, path: &Path, shown: &Path) -> Result<Option<String>> {
    // What is no file may have no end, and must not be replaced by one.
    if files.exists(path) && !files.is_file(path) {
        return Err(Error::new(Kind::Configuration, format!("`{}` is not a file", shown.display()))
            .help("name a file, or write to stdout: `-d -`"));
    }
    match files.read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", shown, error)),
    }
}

/// Versions whose files nobody has would be recorded as applied wherever the file is loaded, and never run.
fn refuse_unknown_versions(
    session: &Session<'_>,
    rows: &[crate::ledger::AppliedRow],
    path: &Path,
) -> Result<()> {
    let repo = session.repo();
    let files = match FileSet::read(repo, &[]) {
        Ok(files) => files,
        Err(error) if error.kind() == Kind::Missing => FileSet { numeric: true, ..FileSet::default() },
        Err(error) => return Err(error),
    };
    // Versions that were squashed away stand in the structure file, wherever this dump goes.
    let mut known: HashSet<String> = recorded_by(repo)?.into_iter().collect();
    if path != repo.structure {
        known.extend(recorded_versions(repo.files, path, repo.ledger.table.as_deref())?);
    }
    let unknown: Vec<&str> = rows
        .iter()
        // Code has no file anywhere.
        .filter(|row| !row.is_code())
        .map(|row| row.version.as_str())
        .filter(|version| !known.contains(*version))
        .filter(|version| {
            files.parse_version(version).is_none_or(|version| {
                files.find(&version).is_none() && !files.archived.contains_key(&version)
            })
        })
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Missing,
        format!("`{}` has applied {} whose file is nowhere in this checkout", repo.name, unknown.join(", ")),
    )
    .note("a structure that records it would keep the migration from ever running elsewhere")
    .help("check out its branch or roll it back there; or record it all the same: `--allow-missing`"))
}

/// A database that was only just made has nothing to say about a file that others have filled.
fn refuse_to_empty(repo: &Repo, dump: &Dump) -> Result<()> {
    if dump.recorded > 0 || dump.present.is_none() {
        return Ok(());
    }
    let versions = recorded_versions(repo.files, &dump.path, repo.ledger.table.as_deref())?;
    if versions.is_empty() {
        return Ok(());
    }
    let what = format!(
        "the database of `{}` has no migration applied, and `{}` records {}",
        repo.name,
        dump.shown.display(),
        versions.len()
    );
    Err(Error::new(Kind::Missing, what).help(format!("fill the database first: {}", repo.command("setup"))))
}

/// Writes a dump to its file: into a temporary file beside it, to the disk, then in its place. A file that says the
/// same is not touched.
///
/// # Errors
/// [`Kind::Io`]; the old file is whole then.
pub fn write(session: &Session<'_>, dump: &Dump, start: Instant) -> Result<bool> {
    let changed = !dump.is_current();
    if changed {
        refuse_interrupted(session.repo(), &dump.path)?;
        refuse_to_empty(session.repo(), dump)?;
        forgets::refuse_to_forget(session.repo(), dump)?;
        replace(&dump.path, &dump.shown, dump.text.as_bytes())?;
    }
    session.teller().tell(What::Dumped { path: dump.shown.clone(), changed, took: start.elapsed() });
    Ok(changed)
}

/// A structure file that a squash is half done with is the squash's.
fn refuse_interrupted(repo: &Repo, path: &Path) -> Result<()> {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    if real(path) == real(&repo.structure) { super::squash::refuse_interrupted(repo) } else { Ok(()) }
}

fn replace(path: &Path, shown: &Path, bytes: &[u8]) -> Result<()> {
    let io = |error| Error::io("write", shown, error);
    // A link stays one: the file that it leads to is replaced.
    let behind = std::fs::canonicalize(path);
    let path = behind.as_deref().unwrap_or(path);
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(io)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A fixed name: what a killed run left behind is replaced by the next one.
    let temporary = directory.join(format!(".{name}.dbsetup-tmp"));
    let written = (|| {
        // Made anew, it is no link that somebody put there to have us write elsewhere.
        match std::fs::remove_file(&temporary) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = std::fs::File::options().write(true).create_new(true).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        // The rename itself is to survive a power cut; not every platform lets a directory be opened.
        if let Ok(directory) = std::fs::File::open(directory) {
            let _ = directory.sync_all();
        }
        Ok(())
    })();
    written.map_err(|error| {
        let _ = std::fs::remove_file(&temporary);
        io(error).note("the old file is untouched")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_cannot_be_left_out() {
        let ledger = LedgerTable {
            kind: crate::ledger::LedgerKind::Dbsetup,
            schema: Some("public".into()),
            name: "schema_migrations".into(),
            wide: true,
        };
        let texts = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let said = |schemas: &str, exclude_schemas: &str, exclude_tables: &str| {
            let request = DumpRequest {
                schemas: texts(schemas),
                exclude_schemas: texts(exclude_schemas),
                exclude_tables: texts(exclude_tables),
                ..DumpRequest::default()
            };
            refuse_to_lose(&ledger, &request).err().and_then(|error| error.help_text().map(str::to_owned))
        };
        assert_eq!(said("", "", ""), None);
        assert_eq!(said("app public", "other", "users other.schema_migrations"), None);
        assert_eq!(said("app", "", "").as_deref(), Some("name its schema, too: `--schema public`"));
        assert!(said("", "pub*", "").is_some());
        assert!(said("", "", "schema_*").is_some() && said("", "", "public.*").is_some());
    }

    #[test]
    fn a_file_keeps_its_filters_until_others_are_named() {
        let present = || DumpRequest {
            via: Some(Via::PgDump),
            exclude_tables: vec!["a".into()],
            owners: true,
            ..DumpRequest::default()
        };
        let options = DumpOptions::default();
        let (request, kept) = options.request(present());
        assert_eq!(request, present());
        assert_eq!(kept, ["excluded: table a", "with: owners", "via: pg_dump"]);

        let options = DumpOptions { schemas: vec!["app".into()], ..DumpOptions::default() };
        let (request, kept) = options.request(present());
        assert_eq!((&request.schemas[..], request.owners), (&["app".to_owned()][..], false));
        assert!(request.exclude_tables.is_empty());
        assert_eq!(kept, ["via: pg_dump"]);

        let options = DumpOptions { via: Some(Via::Native), ..DumpOptions::default() };
        let (request, kept) = options.request(present());
        assert_eq!(request, DumpRequest { via: Some(Via::Native), ..present() });
        assert_eq!(kept, ["excluded: table a", "with: owners"]);

        let options = DumpOptions { no_filters: true, ..DumpOptions::default() };
        assert_eq!(options.request(present()), (DumpRequest::default(), Vec::new()));
    }

    #[test]
    fn what_was_decided_about_rows_stays_decided() {
        let present = || DumpRequest {
            exclude_tables: vec!["a".into()],
            without_rows: vec!["public.log".into()],
            ..DumpRequest::default()
        };
        let said = |options: DumpOptions| options.request(present()).0.without_rows;
        assert_eq!(said(DumpOptions::default()), ["public.log"]);
        assert_eq!(said(DumpOptions { no_filters: true, ..DumpOptions::default() }), ["public.log"]);
        let named = DumpOptions { schemas: vec!["app".into()], ..DumpOptions::default() };
        assert_eq!(said(named), ["public.log"]);
        let drop_data = vec!["audit".into(), "public.log".into()];
        let dropping = DumpOptions { drop_data, ..DumpOptions::default() };
        let (request, kept) = dropping.request(present());
        assert_eq!(request.without_rows, ["audit", "public.log"]);
        // Naming a table's rows is no other filter.
        assert_eq!(
            (&request.exclude_tables[..], &kept[..]),
            (&["a".to_owned()][..], &["excluded: table a".to_owned()][..])
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_write_follows_no_link_of_its_temporary_file() {
        let directory = tempfile::tempdir().unwrap();
        let (path, victim) = (directory.path().join("structure.sql"), directory.path().join("victim"));
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, directory.path().join(".structure.sql.dbsetup-tmp")).unwrap();
        replace(&path, &path, b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert!(!path.is_symlink());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file.sql"), directory.path().join("link.sql"));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink("file.sql", &link).unwrap();
        replace(&link, &link, b"new").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
    }

    #[test]
    fn a_failed_write_keeps_the_old_file_and_leaves_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("structure.sql");
        std::fs::write(&path, "old").unwrap();
        // A directory in the temporary file's place cannot be opened for writing.
        std::fs::create_dir(directory.path().join(".structure.sql.dbsetup-tmp")).unwrap();
        assert!(replace(&path, &path, b"new").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        std::fs::remove_dir(directory.path().join(".structure.sql.dbsetup-tmp")).unwrap();
        replace(&path, &path, b"new").unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
