//! What a structure file is, before anybody loads it: ours and whole, or not. Pure but for reading the file.

use std::ops::Range;

use super::format::{self, Author};
use crate::error::{Error, Kind, Site};
use crate::repo::Repo;
use crate::sql::{self, Dialect, TokenKind};

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
    let lexed = dialect.or_else(|| dialect_of(&text)).unwrap_or(Dialect::Postgres);
    if let Some(range) = conflict(lexed, &text) {
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

/// Returns the first mark of a merge that was not finished in SQL: where three of them stand in their order, or where one
/// stands alone outside of strings and comments, in which it would be no SQL.
/// <https://git-scm.com/docs/git-merge#_how_conflicts_are_presented>
pub fn conflict(dialect: Dialect, text: &str) -> Option<Range<usize>> {
    let found: Vec<Range<usize>> = marks(text).collect();
    in_order(text, &found).or_else(|| {
        let mut code = sql::tokens(dialect, text)
            .filter(|token| token.kind == TokenKind::Punctuation)
            .map(|token| token.start)
            .peekable();
        found.into_iter().find(|mark| {
            while code.next_if(|at| *at < mark.start).is_some() {}
            code.peek() == Some(&mark.start)
        })
    })
}

/// Returns the lines that git begins, divides and ends a conflict with, whatever they stand in.
pub fn marks(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let start = at;
        at += line.len();
        let whole = line.trim_end();
        // A byte order mark may stand before the first line.
        let line = whole.trim_start_matches('\u{feff}');
        let start = start + whole.len() - line.len();
        let is_mark = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"]
            .iter()
            .any(|mark| line.strip_prefix(mark).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')));
        is_mark.then(|| start..start + line.len())
    })
}

/// Returns the mark that begins a conflict which is divided and ended, too.
fn in_order(text: &str, marks: &[Range<usize>]) -> Option<Range<usize>> {
    let mut begins = marks.iter().skip_while(|mark| !text[mark.start..].starts_with('<'));
    let first = begins.next()?.clone();
    let mut divides = begins.skip_while(|mark| text[(*mark).clone()] != *"=======");
    divides.next()?;
    divides.any(|mark| text[mark.start..].starts_with('>')).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_merge_is_found_and_a_line_of_signs_is_none() {
        let text = "a;\n<<<<<<< HEAD\nb;\n=======\nc;\n>>>>>>> other\n";
        let conflict = |text| conflict(Dialect::Postgres, text);
        assert_eq!(conflict(text), Some(3..15));
        assert_eq!(conflict("/* title\n=======\n>>>>>>> x\n*/"), None);
        assert_eq!(conflict("<<<<<<< HEAD\nb;\n"), Some(0..12));
        assert_eq!(conflict("a;\n>>>>>>> it's\n"), Some(3..15));
        assert_eq!(conflict("a;\n=======\nb;\n"), Some(3..10));
        assert_eq!(conflict("a;\n||||||| base\nb;\n"), Some(3..15));
        assert_eq!(conflict("select '\n<<<<<<< HEAD\n';\n-- x\n========\n"), None);
        assert_eq!(conflict("do $$\n<<<<<<< HEAD\n$$;\n<<<<<<<<\n"), None);
        // In a string, too, all three are no coincidence.
        assert_eq!(conflict("select '\n<<<<<<< a\n=======\n>>>>>>> b\n';"), Some(9..18));
    }

    #[test]
    fn the_first_line_tells_the_database() {
        assert_eq!(dialect_of(&format!("{}\nx", format::header(Dialect::Sqlite))), Some(Dialect::Sqlite));
        assert_eq!(dialect_of("create table a (i int);"), None);
    }
}
