//! What a structure file is, before anybody loads it: ours and whole, or not. Pure but for reading the file.

use super::format::{self, Author};
use crate::error::{Error, Kind, Site};
use crate::repo::Repo;
use crate::sql::Dialect;

/// What was found where a structure file belongs.
#[derive(Debug)]
pub enum Condition {
    /// No file.
    Missing,
    /// A whole file that we wrote.
    Ours(String),
    /// A file of another program or of a person.
    Foreign(String),
    /// A file with the marks of a merge that was not finished; the first of them.
    Conflict(Error),
    /// A file that does not load: cut off, of another database, of a newer release, unreadable.
    Broken(Error),
}

impl Condition {
    /// The text, where it can be worked with.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Ours(text) | Self::Foreign(text) => Some(text),
            Self::Missing | Self::Conflict(_) | Self::Broken(_) => None,
        }
    }
}

/// Looks at the structure file of a repo. `dialect` is that of its database; `None` takes the file's word for it.
pub fn examine(repo: &Repo, dialect: Option<Dialect>) -> Condition {
    let shown = repo.shown(&repo.structure);
    let text = match repo.files.read(&repo.structure) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Condition::Missing,
        Err(error) => return Condition::Broken(Error::io("read", &shown, error)),
    };
    if let Some(range) = conflict(&text) {
        let error = Error::new(Kind::Grammar, format!("`{}` holds an unfinished merge", shown.display()))
            .at(Site::in_text(shown, &text, range))
            .help(format!("take one side, and write the file again: {}", repo.command("dump")));
        return Condition::Conflict(error);
    }
    let Some(dialect) = dialect.or_else(|| dialect_of(&text)) else { return Condition::Foreign(text) };
    match format::author(repo.files, &repo.structure, &shown, dialect) {
        Ok(Author::Ours) => Condition::Ours(text),
        Ok(Author::Foreign) => Condition::Foreign(text),
        Err(error) => Condition::Broken(error),
    }
}

/// Returns the database that a file of ours was written for, by its first line.
pub fn dialect_of(text: &str) -> Option<Dialect> {
    let first = text.trim_start_matches('\u{feff}').lines().next()?.trim_end();
    [Dialect::Postgres, Dialect::Sqlite].into_iter().find(|dialect| first == format::header(*dialect))
}

/// Returns the first mark of a merge that was not finished. Three marks in their order are needed: a line of `=` alone
/// may stand in a comment.
/// <https://git-scm.com/docs/git-merge#_how_conflicts_are_presented>
pub fn conflict(text: &str) -> Option<std::ops::Range<usize>> {
    let mut at = 0;
    let (mut first, mut divided) = (None, false);
    for line in text.split_inclusive('\n') {
        let range = at..at + line.trim_end().len();
        at += line.len();
        let line = line.trim_end();
        if line.starts_with("<<<<<<< ") {
            first.get_or_insert(range);
        } else if first.is_some() && line == "=======" {
            divided = true;
        } else if divided && line.starts_with(">>>>>>> ") {
            return first;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_merge_is_found_and_a_line_of_signs_is_none() {
        let text = "a;\n<<<<<<< HEAD\nb;\n=======\nc;\n>>>>>>> other\n";
        assert_eq!(conflict(text), Some(3..15));
        assert_eq!(conflict("-- title\n=======\n>>>>>>> x\n"), None);
        assert_eq!(conflict("<<<<<<< HEAD\nb;\n"), None);
    }

    #[test]
    fn the_first_line_tells_the_database() {
        assert_eq!(dialect_of(&format!("{}\nx", format::header(Dialect::Sqlite))), Some(Dialect::Sqlite));
        assert_eq!(dialect_of("create table a (i int);"), None);
    }
}
