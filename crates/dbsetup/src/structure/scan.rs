//! Reads a structure file once before anything runs: whether it can be loaded, and what it takes.

use std::path::Path;

use super::format::Author;
use super::grantor::{Grantor, Trust};
use super::own_tables;
use super::shadows::Shadows;
use crate::error::{Error, Kind, Result, Site};
use crate::files::Files;
use crate::sql::{self, Dialect, Item, Statement};
use crate::sql_file::{Content, Use, open, site, unsplittable};

/// Settings that a dump's preamble makes for its own client. They do nothing for the structure, and an older server
/// does not know the newer ones.
const CLIENT_SETTINGS: [&str; 5] = [
    "STATEMENT_TIMEOUT",
    "LOCK_TIMEOUT",
    "IDLE_IN_TRANSACTION_SESSION_TIMEOUT",
    "TRANSACTION_TIMEOUT",
    "CLIENT_MIN_MESSAGES",
];

/// Settings that files of other programs make, and that not every supported server knows. No other is ever passed over.
/// <https://www.postgresql.org/docs/release/>
const NEWER_SETTINGS: [&str; 4] = [
    // Since 14.
    "DEFAULT_TOAST_COMPRESSION",
    "IDLE_SESSION_TIMEOUT",
    // Since 17.
    "EVENT_TRIGGERS",
    // Since 17, and late minor releases of older ones.
    "RESTRICT_NONSYSTEM_RELATION_KIND",
];

/// A setting that an older server may not know.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NewerSetting {
    /// In lower case.
    pub name: String,
    /// The line of its statement.
    pub line: u64,
    /// The statement, counted as [`Scan::skipped`] does.
    number: u64,
}

/// What there is to do about a statement that reaches beyond the database.
const TRUST_IT: &str = "remove it; or, if you trust whoever wrote the file, load it: `load --trust-file`";

/// How much text is kept in memory from the first look to the load.
const KEPT: usize = 1024 * 1024;

/// What a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Statements that will run.
    pub statements: u64,
    /// Relations that it creates: each takes an entry of the server's lock table until the commit.
    pub relations: u64,
    /// All of them, the ones that are passed over too, where the file is small and holds nothing else: they are not read
    /// again.
    pub all: Option<Vec<Statement>>,
    /// Statements that are passed over, counted from 0 over all of the file, in order.
    skipped: Vec<u64>,
    /// Settings that the server must be asked about before the file is sent.
    pub newer_settings: Vec<NewerSetting>,
}

impl Scan {
    /// What is done with the statement of that number: decided once, when the file was scanned.
    pub fn verdict(&self, number: u64) -> Use {
        if self.skipped.binary_search(&number).is_ok() { Use::Skip } else { Use::Run }
    }

    /// Passes over the settings that the server does not know, and returns them.
    pub fn pass_over(&mut self, unknown: &[String]) -> Vec<NewerSetting> {
        let (passed, known): (Vec<_>, Vec<_>) =
            self.newer_settings.drain(..).partition(|setting| unknown.contains(&setting.name));
        self.newer_settings = known;
        self.skipped.extend(passed.iter().map(|setting| setting.number));
        self.skipped.sort_unstable();
        self.statements -= passed.len() as u64;
        passed
    }
}

/// Returns what changes when somebody writes to a file.
pub(super) fn stamp(files: Files, path: &Path, shown: &Path) -> Result<(u64, Option<std::time::SystemTime>)> {
    files.stamp(path).map_err(|error| Error::io("read", shown, error))
}

/// Reads the whole file and refuses what must not run.
///
/// # Errors
/// [`Kind::Grammar`] with the place: text that does not split, a client's command, a statement that has no business
/// in a structure file.
pub(super) fn scan(
    content: Content<'_>,
    shown: &Path,
    dialect: Dialect,
    author: Author,
    trust: Trust,
) -> Result<Scan> {
    let mut splitter = open(content, shown, dialect)?;
    let mut found = Scan { all: Some(Vec::new()), ..Scan::default() };
    let (mut number, mut kept) = (0, 0);
    let mut shadows = Shadows::default();
    let mut grantor = Grantor::new(trust);
    while let Some(item) = splitter.next().map_err(|error| unsplittable(content, shown, &error))? {
        match item {
            Item::Statement(statement) => {
                let made_already = dialect == Dialect::Sqlite && shadows.has(&statement.text);
                let site = || site(content, shown, statement.start, width(&statement));
                let by_other = grantor.next(dialect, &statement.text, site).map_err(not_for_a_grant)?;
                let verdict = if by_other {
                    Use::Run
                } else {
                    classify(content, shown, dialect, (author, trust), &statement)?
                };
                match verdict {
                    _ if made_already => found.skipped.push(number),
                    Use::Run | Use::RunOnce => {
                        found.statements += 1;
                        found.relations += u64::from(creates_relation(dialect, &statement.text));
                        if author == Author::Foreign
                            && let Some(name) = newer_setting(dialect, &statement.text)
                        {
                            let line = statement.start.line;
                            found.newer_settings.push(NewerSetting { name, line, number });
                        }
                    }
                    Use::Skip => found.skipped.push(number),
                }
                number += 1;
                kept += statement.text.len();
                if kept > KEPT {
                    found.all = None;
                }
                if let Some(all) = &mut found.all {
                    all.push(statement);
                }
            }
            Item::Copy(statement) => {
                grantor.end().map_err(not_for_a_grant)?;
                found.all = None;
                if author == Author::Foreign && own_tables::is_about_them(dialect, &statement.text) {
                    found.skipped.push(number);
                } else {
                    found.statements += 1;
                }
                number += 1;
            }
            Item::Meta(_) => {}
        }
    }
    grantor.end().map_err(not_for_a_grant)?;
    if author == Author::Foreign && number == 0 && found.statements == 0 {
        return Err(Error::new(Kind::Grammar, format!("`{}` holds no statement", shown.display()))
            .help("restore it from version control, or write it again: `cargo dbsetup dump`"));
    }
    Ok(found)
}

/// How far the caret reaches: to the end of the statement's first line.
fn width(statement: &Statement) -> usize {
    statement.text.lines().next().unwrap_or_default().chars().count()
}

fn not_for_a_grant(site: Site) -> Error {
    let what = "SET ROLE in a structure file, and not for one GRANT alone";
    Error::new(Kind::Grammar, what).at(site).help(TRUST_IT)
}

/// Decides what is done with a statement.
fn classify(
    content: Content<'_>,
    shown: &Path,
    dialect: Dialect,
    (author, trust): (Author, Trust),
    statement: &Statement,
) -> Result<Use> {
    let refuse = |what: String, help: &str| {
        Err(Error::new(Kind::Grammar, what)
            .at(site(content, shown, statement.start, width(statement)))
            .help(help.to_owned()))
    };
    if let Some(word) = sql::transaction_control(dialect, &statement.text) {
        return match word {
            "BEGIN" | "START TRANSACTION" | "COMMIT" | "END" if author == Author::Foreign => Ok(Use::Skip),
            _ => refuse(format!("{word} in a structure file"), "remove it: a load is one transaction"),
        };
    }
    let danger = || sql::dangerous_in_structure(dialect, &statement.text);
    if trust != Trust::Everything
        && let Some(danger) = danger()
    {
        return refuse(
            format!("{danger} has no business in a structure file"),
            if danger == "PRAGMA writable_schema" {
                "the shell's `.dump` writes virtual tables like that; load what its `.schema` writes"
            } else {
                TRUST_IT
            },
        );
    }
    if author == Author::Foreign && own_tables::is_about_them(dialect, &statement.text) {
        return Ok(Use::Skip);
    }
    let words = sql::statement_words(dialect, &statement.text, 3);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match &words[..] {
        ["SET", name, ..] if CLIENT_SETTINGS.contains(name) => return Ok(Use::Skip),
        // The sqlite3 shell's own preamble; inside a transaction it does nothing.
        ["PRAGMA", "FOREIGN_KEYS", ..] => return Ok(Use::Skip),
        ["CREATE", "TABLE", name, ..] if dialect == Dialect::Sqlite && name.starts_with("SQLITE_") => {
            return Ok(Use::Skip);
        }
        ["PRAGMA", "USER_VERSION" | "APPLICATION_ID", ..] => return Ok(Use::Run),
        _ => {}
    }
    if sql::must_run_alone(dialect, &statement.text) {
        return refuse(
            format!("{} cannot run in the transaction of a load", words.join(" ")),
            "remove it from the structure file, and put it in a migration without a transaction",
        );
    }
    Ok(Use::Run)
}

/// Returns the setting that a statement makes, where an older server may not know it.
fn newer_setting(dialect: Dialect, statement: &str) -> Option<String> {
    let words = sql::statement_words(dialect, statement, 2);
    let [set, name] = &words[..] else { return None };
    let is_newer = dialect == Dialect::Postgres && set == "SET" && NEWER_SETTINGS.contains(&name.as_str());
    is_newer.then(|| name.to_lowercase())
}

fn creates_relation(dialect: Dialect, statement: &str) -> bool {
    let words = sql::statement_words(dialect, statement, 3);
    words.first().is_some_and(|word| word == "CREATE")
        && words[1..].iter().any(|word| {
            matches!(
                word.as_str(),
                "TABLE" | "INDEX" | "SEQUENCE" | "VIEW" | "UNLOGGED" | "UNIQUE" | "MATERIALIZED"
            )
        })
        || words.starts_with(&["ALTER".to_owned(), "TABLE".to_owned()])
            && sql::tokens(dialect, statement).any(|token| {
                token.text.eq_ignore_ascii_case("PRIMARY") || token.text.eq_ignore_ascii_case("UNIQUE")
            })
}
