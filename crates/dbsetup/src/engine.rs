//! Which engine a repo's files are for, as far as that is known before a database is looked at: a URL that was swapped
//! must not run one engine's files on another, and least of all on a new, empty file of SQLite's.
//!
//! Only what speaks for the files counts: the `url` that a manifest gives to this very environment, else how the
//! structure file begins. Where neither says anything, any engine may come.

use std::io::Read;

use crate::error::{Error, Kind, Result};
use crate::repo::Repo;
use crate::sql::Dialect;
use crate::structure;

/// As much of a structure file as says whose it is.
const START: u64 = 512;

/// What is known, and from where: "`priv/core/structure.sql` is one of PostgreSQL".
struct Known {
    dialect: Dialect,
    note: String,
}

/// The engine as people call it.
fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "PostgreSQL",
        Dialect::Sqlite => "SQLite",
    }
}

/// How a URL of it begins.
fn scheme(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "postgres://…",
        Dialect::Sqlite => "sqlite:…",
    }
}

fn known(repo: &Repo) -> Option<Known> {
    if let Some(dialect) = repo.engine {
        let environment = &repo.environment;
        let note = format!("`url` in Cargo.toml is one of {} for environment `{environment}`", name(dialect));
        return Some(Known { dialect, note });
    }
    // A file that cannot be read is for whoever needs it to say.
    let mut start = Vec::new();
    repo.files.open(&repo.structure).ok()?.take(START).read_to_end(&mut start).ok()?;
    let dialect = of_structure(&String::from_utf8_lossy(&start))?;
    let note = format!("`{}` is a structure of {}", repo.shown(&repo.structure).display(), name(dialect));
    Some(Known { dialect, note })
}

/// Returns the engine whose structure a file is, by how it begins: the first line of ours, or pg_dump's title.
fn of_structure(start: &str) -> Option<Dialect> {
    let is_comment = |line: &&str| line.starts_with("--") || line.trim().is_empty();
    let is_title = |line: &str| line.starts_with("-- PostgreSQL database dump");
    let of_pg_dump = || start.lines().take_while(is_comment).any(is_title).then_some(Dialect::Postgres);
    structure::dialect_of(start).or_else(of_pg_dump)
}

/// Refuses a database of another engine than the one that the repo's files are known to be for.
///
/// # Errors
/// [`Kind::WrongDatabase`].
pub(crate) fn refuse_other(repo: &Repo, target: Dialect) -> Result<()> {
    let Some(known) = known(repo).filter(|known| known.dialect != target) else { return Ok(()) };
    let url = match &repo.url_from {
        _ if repo.direct_url.is_some() => "its URL past the pooler".to_owned(),
        Some(from) => format!("the URL of {from}"),
        None => "its URL".to_owned(),
    };
    let message =
        format!("`{}` is for {}, and {url} is one of {}", repo.name, name(known.dialect), name(target));
    let (environment, target_name) = (&repo.environment, name(target));
    let in_manifest = format!("say so in Cargo.toml: `env.{environment}.url = \"{}\"`", scheme(target));
    let way = match (repo.files.is_embedded(), reads_manifest(repo)) {
        (true, _) => format!("{in_manifest}, and build the program again"),
        (false, true) => in_manifest,
        (false, false) => format!(
            "say so where the program makes the repo: \
             `Source::directory(..).with(|repo| repo.engine = Some(Dialect::{target:?}))`"
        ),
    };
    Err(Error::new(Kind::WrongDatabase, message)
        .note(known.note)
        .note("nothing was created, and no database was asked")
        .help(format!(
            "correct the URL; if environment `{environment}` is to have {target_name} all the same, {way}"
        )))
}

/// Whether the program settles repos by manifests: `cargo dbsetup` alone does.
fn reads_manifest(repo: &Repo) -> bool {
    !repo.program.from_application && repo.program.words.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{EmbeddedFile, Files};
    use crate::migration::testing;
    use crate::repo::Program;

    fn repo(structure: &'static [EmbeddedFile]) -> Repo {
        let mut repo = Repo { files: Files::Embedded(structure), ..testing::repo() };
        repo.structure = "priv/core/structure.sql".into();
        repo
    }

    const NOTHING: &[EmbeddedFile] = &[];
    const OF_POSTGRES: &[EmbeddedFile] = &[EmbeddedFile {
        path: "priv/core/structure.sql",
        bytes: b"-- dbsetup structure format 1 (postgresql)\n",
    }];

    #[test]
    fn a_structure_file_speaks_for_its_engine() {
        let mut repo = repo(OF_POSTGRES);
        repo.url_from = Some("the variable `CORE_DATABASE_URL`".into());
        assert!(refuse_other(&repo, Dialect::Postgres).is_ok());
        let error = refuse_other(&repo, Dialect::Sqlite).unwrap_err();
        assert_eq!(error.kind(), Kind::WrongDatabase);
        assert_eq!(
            error.message(),
            "`core` is for PostgreSQL, and the URL of the variable `CORE_DATABASE_URL` is one of SQLite"
        );
        assert!(error.notes()[0].contains("priv/core/structure.sql"), "{error}");
        assert!(error.help_text().unwrap().contains("env.dev.url = \"sqlite:…\""), "{error}");
    }

    #[test]
    fn the_advice_is_one_that_the_program_can_follow() {
        let help = |program: Program, files: Files| {
            let repo = Repo { engine: Some(Dialect::Postgres), program, files, ..repo(NOTHING) };
            refuse_other(&repo, Dialect::Sqlite).unwrap_err().help_text().expect("there is one").to_owned()
        };
        let in_code = "repo.engine = Some(Dialect::Sqlite)";
        for program in [Program::unknown(), Program::from("bin/db")] {
            let of_directory = help(program.clone(), Files::Disk);
            assert!(of_directory.contains(in_code) && !of_directory.contains("Cargo.toml"), "{of_directory}");
            let embedded = help(program, Files::Embedded(NOTHING));
            assert!(
                embedded.contains("Cargo.toml") && embedded.ends_with("build the program again"),
                "{embedded}"
            );
        }
        let of_checkout = help(Program::default(), Files::Disk);
        assert!(of_checkout.ends_with("`env.dev.url = \"sqlite:…\"`"), "{of_checkout}");
    }

    #[test]
    fn the_engine_of_a_file_is_known_by_how_it_begins() {
        assert_eq!(of_structure("-- dbsetup structure format 1 (sqlite)\r\n\r\n"), Some(Dialect::Sqlite));
        let pg_dump = "--\n-- PostgreSQL database dump\n--\n\n\\restrict x\n";
        assert_eq!(of_structure(pg_dump), Some(Dialect::Postgres));
        assert_eq!(of_structure("create table a (i int);\n-- PostgreSQL database dump\n"), None);
        assert_eq!(of_structure("-- dbsetup structure format 9 (oracle)\n"), None);
        assert_eq!(of_structure(""), None);
    }

    #[test]
    fn what_a_manifest_says_of_the_environment_outranks_the_structure_file() {
        let mut repo = repo(OF_POSTGRES);
        repo.engine = Some(Dialect::Sqlite);
        assert!(refuse_other(&repo, Dialect::Sqlite).is_ok());
        let error = refuse_other(&repo, Dialect::Postgres).unwrap_err();
        assert!(
            error.message().starts_with("`core` is for SQLite, and its URL is one of PostgreSQL"),
            "{error}"
        );
    }

    #[test]
    fn where_nothing_speaks_for_an_engine_any_may_come() {
        for dialect in [Dialect::Postgres, Dialect::Sqlite] {
            assert!(refuse_other(&repo(NOTHING), dialect).is_ok());
        }
    }
}
