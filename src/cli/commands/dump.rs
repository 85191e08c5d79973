//! `dump`

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{ArgAction, Args, ValueEnum};
use dbsetup::driver::Via;
use dbsetup::error::Site;
use dbsetup::event::What;
use dbsetup::session::Session;
use dbsetup::structure::{DumpOptions, Verdict};
use dbsetup::{Error, Kind, Result, structure};

use super::shared::Several;
use super::squash::Squash;
use crate::cli::context::{Output, Task};
use crate::ui::diff;

/// Write the structure of each selected repo's database to its structure file.
///
/// The same schema gives the same bytes on any machine; a file that would not change is not touched.
#[derive(Debug, Clone, Args)]
pub struct Dump {
    /// Write to this file instead; `-` is stdout.
    #[arg(short, long, value_name = "PATH")]
    dump_path: Option<PathBuf>,

    /// Who writes: we do over the connection, unless the file says that pg_dump does.
    #[arg(long, value_enum, value_name = "HOW")]
    via: Option<ViaFlag>,

    /// Write only this schema (`*` stands for any text, `?` for any character); may be given several times.
    ///
    /// What is left out is written into the head of the file, and the next dump leaves it out again unless it is given
    /// filters of its own. SQLite has no schemas.
    #[arg(long, value_name = "SCHEMA", action = ArgAction::Append)]
    schema: Vec<String>,

    /// Leave out this schema; may be given several times. Not with SQLite.
    #[arg(long, value_name = "SCHEMA", action = ArgAction::Append)]
    exclude_schema: Vec<String>,

    /// Leave out this table (`table` or `schema.table`); may be given several times.
    #[arg(long, value_name = "TABLE", action = ArgAction::Append)]
    exclude_table: Vec<String>,

    /// Leave out this extension; may be given several times. Not with SQLite.
    #[arg(long, value_name = "EXTENSION", action = ArgAction::Append)]
    exclude_extension: Vec<String>,

    /// Write who owns what, too. The roles must be there when the file is loaded. Not with SQLite.
    #[arg(long)]
    owners: bool,

    /// Write who may do what, too. The roles must be there when the file is loaded. Not with SQLite.
    #[arg(long)]
    privileges: bool,

    /// Take no filters over from the file: write everything, natively, without owners and privileges, unless other
    /// flags say otherwise.
    #[arg(long)]
    no_filters: bool,

    /// Record applied versions too whose files are nowhere in this checkout.
    #[arg(long)]
    allow_missing: bool,

    /// Prove the structure before it is written: load it into a scratch database and compare the catalogs.
    #[arg(long)]
    verify: bool,

    /// Write nothing; exit with 3 when the file is not what would be written, and show the difference.
    ///
    /// What another release of the server words differently is compared by catalogs, for which a scratch database is
    /// made of the file.
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    squash: Squash,

    #[command(flatten)]
    several: Several,
}

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ViaFlag {
    /// We do, from the catalogs.
    Native,
    /// The program pg_dump does (PostgreSQL).
    #[value(name = "pg_dump")]
    PgDump,
}

impl Dump {
    pub fn speaks_of_one(&self) -> Option<&'static str> {
        let path = self.dump_path.as_ref().filter(|path| !is_stdout(path)).map(|_| "--dump-path");
        self.several.unless_all(path.or(self.squash.speaks_of_one()))
    }

    /// What of it is a squash.
    pub fn squash(&self) -> Option<&Squash> {
        Some(&self.squash).filter(|squash| squash.move_migrations)
    }

    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        let options = DumpOptions {
            via: self.via.map(|flag| match flag {
                ViaFlag::Native => Via::Native,
                ViaFlag::PgDump => Via::PgDump,
            }),
            schemas: self.schema.clone(),
            exclude_schemas: self.exclude_schema.clone(),
            exclude_tables: self.exclude_table.clone(),
            exclude_extensions: self.exclude_extension.clone(),
            owners: self.owners,
            privileges: self.privileges,
            no_filters: self.no_filters,
            drop_data: self.squash.drop_data.clone(),
            trusted: self.squash.trust_file,
            allow_missing: self.allow_missing,
            // A rehearsal makes no databases.
            verify: self.verify && !task.options.dry_run,
        };
        if let Some(squash) = self.squash() {
            return squash.run(options, task).await;
        }
        let file = self.dump_path.as_ref().filter(|path| !is_stdout(path));
        let file = file.map(std::path::absolute).transpose();
        let file =
            file.map_err(|error| Error::new(Kind::Io, "cannot tell the current directory").because(error))?;
        let stdout = self.dump_path.as_ref().is_some_and(is_stdout);
        if !(stdout || self.check || task.options.dry_run) {
            to_file(task.session, &options, file.as_deref()).await?;
            return Ok(Output::Done);
        }
        let start = Instant::now();
        let dump = structure::dump(task.session, &options, file.as_deref()).await?;
        if self.check {
            return Ok(match structure::check(task.session, &dump).await? {
                Verdict::Current => {
                    let (path, took) = (dump.shown.clone(), start.elapsed());
                    task.session.teller().tell(What::Dumped { path, changed: false, took });
                    Output::Done
                }
                Verdict::Stale(notes) => stale(&dump, task.repo.name.as_str(), notes),
            });
        }
        if task.options.dry_run {
            let line = if stdout {
                Some("write the structure to stdout".to_owned())
            } else {
                (!dump.is_current()).then(|| format!("write {}", dump.shown.display()))
            };
            return Ok(Output::Plan(line.into_iter().collect()));
        }
        Ok(Output::Data { event: "structure", text: dump.text })
    }
}

/// Dumps and writes the file.
pub async fn to_file(session: &mut Session<'_>, options: &DumpOptions, file: Option<&Path>) -> Result<()> {
    let start = Instant::now();
    let dump = structure::dump(session, options, file).await?;
    structure::write(session, &dump, start)?;
    Ok(())
}

/// Returns what a check says of a file that is not what would be written.
fn stale(dump: &structure::Dump, repo: &str, notes: Vec<String>) -> Output {
    let path = dump.shown.clone();
    let diff = dump.present.as_deref().map(|present| {
        diff::unified(
            (&path.display().to_string(), present),
            (&format!("the database of {repo}"), &dump.text),
        )
    });
    let error = notes.into_iter().fold(first_difference(dump, repo), Error::note);
    Output::Stale { path, diff: diff.unwrap_or_default(), error }
}

/// Returns the error of a file that is not what would be written, pointing at the first line that differs.
fn first_difference(dump: &structure::Dump, repo: &str) -> Error {
    let shown = dump.shown.display();
    let help = format!("run `cargo dbsetup dump --repo {repo}` and commit the file");
    let Some(present) = &dump.present else {
        return Error::new(Kind::Check, format!("there is no structure file `{shown}`")).help(help);
    };
    let same: usize = present
        .split_inclusive('\n')
        .zip(dump.text.split_inclusive('\n'))
        .take_while(|(present, new)| present == new)
        .map(|(line, _)| line.len())
        .sum();
    let line_of = |text: &str| text[same..].lines().next().map(str::to_owned);
    let range = same..same + line_of(present).map_or(0, |line| line.len());
    let error = Error::new(Kind::Check, format!("the structure file `{shown}` is stale")).at(Site::in_text(
        &dump.shown,
        present,
        range,
    ));
    let error = match line_of(&dump.text) {
        Some(line) => error.note(format!("the database says: {line}")),
        None => error.note("the database has nothing more"),
    };
    error.help(help)
}

fn is_stdout(path: impl AsRef<Path>) -> bool {
    path.as_ref() == Path::new("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_file_is_shown_at_the_first_line_that_differs() {
        let dump = |present: Option<&str>| structure::Dump {
            recorded: 1,
            text: "a;\nb;\nc;\n".into(),
            present: present.map(str::to_owned),
            path: "/x/s.sql".into(),
            shown: "s.sql".into(),
            request: dbsetup::driver::DumpRequest::default(),
        };
        let stale = first_difference;
        let error = stale(&dump(Some("a;\nB;\nc;\n")), "core");
        assert_eq!(error.site().map(|site| (site.at.line, site.excerpt.as_str())), Some((2, "B;")));
        assert_eq!(error.notes(), ["the database says: b;"]);
        let error = stale(&dump(Some("a;\nb;\nc;\nd;\n")), "core");
        assert_eq!(error.notes(), ["the database has nothing more"]);
        assert!(stale(&dump(None), "core").message().contains("no structure file"));
    }
}
