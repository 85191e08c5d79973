//! `dump`: the structure of a database as a file. Canonical, whole, replaced in one step.

mod file;
mod options;
mod rows;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

pub(super) use super::assemble::assemble;
pub(super) use file::present;
pub use file::write;
pub use options::DumpOptions;

use self::rows::decide_rows;
use super::floor::Floor;
use super::recorded::{recorded_by, recorded_versions};
use super::rows::Kept;
use super::{format, header};
use crate::driver::DumpRequest;
use crate::error::{Error, Kind, Result};
use crate::event::What;
use crate::ledger::{LedgerTable, meta_key};
use crate::migration::FileSet;
use crate::migration::baseline::collapse;
use crate::pattern::matches;
use crate::record;
use crate::session::Session;
use crate::sql_file::line_ends;

/// How often a dump is begun again when migrations run meanwhile.
const TRIES: u32 = 3;

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
}
