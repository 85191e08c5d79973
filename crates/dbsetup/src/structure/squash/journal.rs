//! The journal of a squash: what is about to be done to the files, written before the first of them changes, so that
//! whatever ends the run the next one can finish it.
//!
//! ```text
//! dbsetup squash journal format 1
//! newest 20260301000000
//! structure 5d41… 7d79…
//! floor - 9a0b…
//! baseline - 1c2d…
//! in priv/core/migrations/20260101000000_baseline.sql
//! move 03ac…
//! from priv/core/migrations/20260101000000_users.sql
//! to priv/core/dumped_migrations/migrations/20260101000000_users.sql
//! keeper priv/core/migrations/.gitkeep
//! former 1200 0 0
//! CREATE TABLE …
//! end
//! ```
//!
//! A `keeper` is a file that keeps an emptied lane and was not there before. The former text of structure, floor and
//! baseline, so many bytes of each, is there to give the squash up: no version control need have it.
//!
//! A file has the digest that it had before and the one that it gets, `-` where there was none. Paths start where those
//! in messages do. A journal is data of a checkout, so it may name nothing but the repo's own files.

use std::path::{Component, Path, PathBuf};

use super::disk::digest_of;
use super::layout::Move;
use crate::error::{Error, Kind, Result, Site};
use crate::repo::Repo;
use crate::session::Session;

const FIRST_LINE: &str = "dbsetup squash journal format 1";
const FORMAT: &str = "dbsetup squash journal format ";
/// The file that keeps an emptied lane.
pub(super) const KEEPER: &str = ".gitkeep";
/// What stands for the digest of a file that is not there.
const NO_FILE: &str = "-";

/// What a squash does to the files of a repo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Journal {
    /// The newest version that is squashed.
    pub newest: String,
    /// The structure file.
    pub structure: Replacement,
    /// The floor beside it.
    pub floor: Replacement,
    /// The baseline that is left in a lane, and where.
    pub baseline: Option<(PathBuf, Replacement)>,
    /// What goes to the archive, in order, each with the digest of its content.
    pub moves: Vec<(Move, String)>,
    /// Files that keep emptied lanes and were not there before.
    pub keepers: Vec<PathBuf>,
}

/// A file that is replaced: the digests of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replacement {
    /// `None` where there was no file.
    pub before: Option<String>,
    pub after: String,
    /// What it said before.
    pub former: Option<String>,
}

/// Returns where the journal of an interrupted squash is: beside the structure file.
pub fn journal_path(structure: &Path) -> PathBuf {
    let stem = structure.file_stem().unwrap_or_default().to_string_lossy();
    structure.with_file_name(format!(".{stem}.dbsetup-squash"))
}

/// Whether a squash of this repo was begun and not finished. Its files can be worked with all the same.
pub fn is_interrupted(repo: &Repo) -> bool {
    repo.files.is_file(&journal_path(&repo.structure))
}

/// Says that a squash was interrupted, to whoever works with the repo in between.
pub(crate) fn warn_of_interruption(session: &Session<'_>) {
    let repo = session.repo();
    if is_interrupted(repo) {
        let text = format!("a squash of `{}` was interrupted: its files are half moved", repo.name);
        session.teller().warn(text, Some(ways(repo)));
    }
}

/// How an interrupted squash comes to its end.
fn ways(repo: &Repo) -> String {
    format!("finish it: {}; or give it up: {}", repo.command("squash"), repo.command("squash --abort"))
}

/// Refuses to write a structure file that an interrupted squash is about to replace, or has replaced: neither it nor its
/// journal would be true any more.
///
/// # Errors
/// [`Kind::Undecided`] with the two ways out.
pub(crate) fn refuse_interrupted(repo: &Repo) -> Result<()> {
    if !is_interrupted(repo) {
        return Ok(());
    }
    let shown = repo.shown(&repo.structure);
    let message =
        format!("`{}` is not written: a squash of `{}` was interrupted", shown.display(), repo.name);
    Err(Error::new(Kind::Undecided, message).help(ways(repo)))
}

impl Journal {
    /// Reads the journal of a repo; `None` where no squash was interrupted.
    ///
    /// # Errors
    /// [`Kind::Io`]; [`Kind::Grammar`] with the place of a line that says nothing, or names a file that is not the
    /// repo's; [`Kind::Unsupported`] for a newer format.
    pub fn read(repo: &Repo) -> Result<Option<Self>> {
        let path = journal_path(&repo.structure);
        let shown = repo.shown(&path);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, repo, &shown).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &shown, error)),
        }
    }

    /// The text of the file.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] for a path that cannot stand in a line.
    pub fn text(&self, repo: &Repo) -> Result<String> {
        let mut text = format!("{FIRST_LINE}\nnewest {}\n", self.newest);
        for (word, file) in [("structure", &self.structure), ("floor", &self.floor)] {
            text += &format!("{word} {} {}\n", file.before.as_deref().unwrap_or(NO_FILE), file.after);
        }
        if let Some((path, file)) = &self.baseline {
            let before = file.before.as_deref().unwrap_or(NO_FILE);
            text += &format!("baseline {before} {}\nin {}\n", file.after, written(repo, path)?);
        }
        for (moved, digest) in &self.moves {
            text += &format!(
                "move {digest}\nfrom {}\nto {}\n",
                written(repo, &moved.from)?,
                written(repo, &moved.to)?
            );
        }
        for keeper in &self.keepers {
            text += &format!("keeper {}\n", written(repo, keeper)?);
        }
        let files = [&self.structure, &self.floor].into_iter();
        let former: Vec<&str> = files
            .chain(self.baseline.as_ref().map(|(_, file)| file))
            .map(|file| file.former.as_deref().unwrap_or_default())
            .collect();
        let lengths: Vec<String> = former.iter().map(|text| text.len().to_string()).collect();
        text += &format!("former {}\n{}\nend\n", lengths.join(" "), former.concat());
        Ok(text)
    }

    fn parse(text: &str, repo: &Repo, shown: &Path) -> Result<Self> {
        let mut lines = Lines { text, at: 0, shown };
        let first = lines.next_line().unwrap_or_default();
        if first != FIRST_LINE {
            return Err(match first.strip_prefix(FORMAT) {
                Some(format) => Error::new(
                    Kind::Unsupported,
                    format!("`{}` was written by a newer release (format {format})", shown.display()),
                )
                .help("update cargo-dbsetup"),
                None => lines.error("not the journal of a squash"),
            });
        }
        let newest = lines.word("newest")?.to_owned();
        let mut structure = lines.replacement("structure")?;
        let mut floor = lines.replacement("floor")?;
        let mut baseline = match lines.is_next("baseline") {
            true => {
                let file = lines.replacement("baseline")?;
                Some((lines.path(repo, "in", repo.migrations.iter())?, file))
            }
            false => None,
        };
        let (mut moves, mut keepers) = (Vec::new(), Vec::new());
        loop {
            let line = lines.next_line().unwrap_or_default();
            let lanes = || repo.migrations.iter().chain(&repo.manual_migrations);
            if let Some(lengths) = line.strip_prefix("former ") {
                let lengths: Vec<usize> = lengths.split(' ').flat_map(str::parse).collect();
                let files = [&mut structure, &mut floor];
                let files: Vec<&mut Replacement> =
                    files.into_iter().chain(baseline.as_mut().map(|(_, file)| file)).collect();
                if lengths.len() != files.len() {
                    return Err(lines.error("a line of the journal without a length for each file"));
                }
                for (file, length) in files.into_iter().zip(lengths) {
                    lines.former(file, length)?;
                }
                if lines.next_line() != Some("") || lines.next_line() != Some("end") {
                    return Err(lines.error("it does not end where it should"));
                }
                return Ok(Self { newest, structure, floor, baseline, moves, keepers });
            }
            if line.starts_with("keeper ") {
                let path = lines.own(repo, line, "keeper", lanes())?;
                if path.file_name().is_none_or(|name| name != KEEPER) {
                    return Err(lines.error("a file that keeps no lane"));
                }
                keepers.push(path);
                continue;
            }
            let digest = line.strip_prefix("move ").filter(|digest| !digest.is_empty());
            let digest = digest.ok_or_else(|| lines.error("a line of the journal that says nothing"))?;
            let from = lines.path(repo, "from", lanes())?;
            let to = lines.path(repo, "to", repo.archive.iter())?;
            moves.push((Move { from, to }, digest.to_owned()));
        }
    }
}

/// Returns a path as the journal writes it.
fn written(repo: &Repo, path: &Path) -> Result<String> {
    let refuse = || {
        Error::new(Kind::Unsupported, format!("the path `{}` cannot be written down", path.display()))
            .help("give it a name without control characters, in UTF-8")
    };
    let text = match path.strip_prefix(&repo.display_root) {
        Ok(below) => {
            let parts: Option<Vec<&str>> = below.components().map(|part| part.as_os_str().to_str()).collect();
            parts.ok_or_else(refuse)?.join("/")
        }
        Err(_) => path.to_str().ok_or_else(refuse)?.to_owned(),
    };
    if text.is_empty() || text.trim() != text || text.contains(char::is_control) {
        return Err(refuse());
    }
    Ok(text)
}

/// The lines of a journal, one after the other.
struct Lines<'a> {
    text: &'a str,
    /// Where the next line begins.
    at: usize,
    shown: &'a Path,
}

impl<'a> Lines<'a> {
    fn next_line(&mut self) -> Option<&'a str> {
        let rest = &self.text[self.at..];
        let line = rest.split_inclusive('\n').next()?;
        self.at += line.len();
        Some(line.trim_end_matches(['\r', '\n']))
    }

    /// Whether the next line begins with a word.
    fn is_next(&self, word: &str) -> bool {
        self.text[self.at..].strip_prefix(word).is_some_and(|rest| rest.starts_with(' '))
    }

    fn word(&mut self, word: &str) -> Result<&'a str> {
        let line = self.next_line().unwrap_or_default();
        self.rest(line, word)
    }

    fn rest<'l>(&self, line: &'l str, word: &str) -> Result<&'l str> {
        let rest = line.strip_prefix(word).and_then(|rest| rest.strip_prefix(' '));
        rest.filter(|rest| !rest.is_empty())
            .ok_or_else(|| self.error(&format!("a line of the journal that does not begin with `{word}`")))
    }

    fn replacement(&mut self, word: &str) -> Result<Replacement> {
        let line = self.word(word)?;
        let (before, after) =
            line.split_once(' ').ok_or_else(|| self.error("a line of the journal without two digests"))?;
        Ok(Replacement {
            before: (before != NO_FILE).then(|| before.to_owned()),
            after: after.to_owned(),
            former: None,
        })
    }

    /// Takes what a file has said, so many bytes.
    fn former(&mut self, file: &mut Replacement, length: usize) -> Result<()> {
        let end = self.at.saturating_add(length);
        let text = self.text.get(self.at..end).ok_or_else(|| self.error("its end is missing"))?;
        let Some(before) = &file.before else { return Ok(()) };
        if digest_of(text.as_bytes()) != *before {
            return Err(self.error("a former text that is another one"));
        }
        self.at = end;
        file.former = Some(text.to_owned());
        Ok(())
    }

    /// Reads a path that must lie below one of the directories.
    fn path<'d>(
        &mut self,
        repo: &Repo,
        word: &str,
        directories: impl Iterator<Item = &'d PathBuf>,
    ) -> Result<PathBuf> {
        let line = self.next_line().unwrap_or_default();
        self.own(repo, line, word, directories)
    }

    fn own<'d>(
        &self,
        repo: &Repo,
        line: &str,
        word: &str,
        mut directories: impl Iterator<Item = &'d PathBuf>,
    ) -> Result<PathBuf> {
        let path = repo.display_root.join(self.rest(line, word)?);
        let lies_below = |directory: &PathBuf| {
            path.strip_prefix(directory).is_ok_and(|below| {
                let mut parts = below.components().peekable();
                parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
            })
        };
        if directories.any(lies_below) {
            Ok(path)
        } else {
            Err(self.error("a path that is in no directory of the repo's"))
        }
    }

    /// The error of the line that was read last.
    fn error(&self, what: &str) -> Error {
        let end = self.text[..self.at].trim_end_matches(['\r', '\n']).len();
        let start = self.text[..end].rfind('\n').map_or(0, |at| at + 1);
        let message = format!("the journal of an interrupted squash cannot be read: {what}");
        Error::new(Kind::Grammar, message).at(Site::in_text(self.shown, self.text, start..end)).help(format!(
            "move each file that it names in a `to` back to its `from`, restore structure and floor from version control, \
             remove `{}`, and squash again",
            self.shown.display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::testing::repo;

    fn journal() -> Journal {
        let moved = |file: &str| Move {
            from: Path::new("/shop/priv/core/migrations").join(file),
            to: Path::new("/shop/priv/core/dumped_migrations/migrations").join(file),
        };
        Journal {
            newest: "20260301".into(),
            structure: Replacement {
                before: Some(digest_of(b"old")),
                after: "bb".into(),
                former: Some("old".into()),
            },
            floor: Replacement { before: None, after: "cc".into(), former: None },
            baseline: Some((
                "/shop/priv/core/migrations/1_baseline.sql".into(),
                Replacement {
                    before: Some(digest_of(b"before")),
                    after: "dd".into(),
                    former: Some("before".into()),
                },
            )),
            moves: vec![
                (moved("1_a b.sql"), "d1".into()),
                (Move { from: "/shop/priv/core/manual_migrations/2/x".into(), ..moved("2/x") }, "d2".into()),
            ],
            keepers: vec!["/shop/priv/core/migrations/.gitkeep".into()],
        }
    }

    fn parse(text: &str) -> Result<Journal> {
        Journal::parse(text, &repo(), Path::new("j"))
    }

    #[test]
    fn a_journal_is_read_back_as_it_was_written() {
        let text = journal().text(&repo()).unwrap();
        assert!(text.contains("\nfrom priv/core/migrations/1_a b.sql\n"), "{text}");
        assert_eq!(parse(&text).unwrap(), journal());
        assert_eq!(parse(&text.replace('\n', "\r\n")).unwrap(), journal());
        let without = Journal { baseline: None, ..journal() };
        assert_eq!(parse(&without.text(&repo()).unwrap()).unwrap(), without);
    }

    #[test]
    fn a_journal_may_name_nothing_but_the_repos_own_files() {
        let text = journal().text(&repo()).unwrap();
        for (own, other) in [
            ("from priv/core/migrations/1_a b.sql", "from /etc/passwd"),
            ("from priv/core/migrations/1_a b.sql", "from priv/core/migrations/../seeds.sql"),
            ("from priv/core/migrations/1_a b.sql", "from priv/core/migrations"),
            ("to priv/core/dumped_migrations/migrations/1_a b.sql", "to priv/core/migrations/x"),
            ("to priv/core/dumped_migrations/migrations/1_a b.sql", "to /tmp/x"),
            ("in priv/core/migrations/1_baseline.sql", "in priv/core/dumped_migrations/x"),
            ("keeper priv/core/migrations/.gitkeep", "keeper priv/core/migrations/1_a.sql"),
            ("keeper priv/core/migrations/.gitkeep", "keeper priv/core/.gitkeep"),
        ] {
            assert!(text.contains(own), "{own}");
            let error = parse(&text.replace(own, other)).unwrap_err();
            assert_eq!(error.kind(), Kind::Grammar, "{other}");
            assert_eq!(error.site().map(|site| site.excerpt.as_str()), Some(other));
        }
    }

    #[test]
    fn a_journal_that_is_cut_off_or_newer_is_refused() {
        let text = journal().text(&repo()).unwrap();
        for end in 0..text.len() - 1 {
            assert!(parse(&text[..end]).is_err(), "{}", &text[..end]);
        }
        assert_eq!(parse(&text.replace("format 1", "format 2")).unwrap_err().kind(), Kind::Unsupported);
    }

    #[test]
    fn a_path_that_is_no_line_is_refused() {
        for name in ["a\nb.sql", "a\u{7}.sql", " "] {
            let mut journal = journal();
            journal.moves[0].0.from = Path::new("/shop").join(name);
            assert_eq!(journal.text(&repo()).unwrap_err().kind(), Kind::Unsupported, "{name:?}");
        }
    }

    #[test]
    fn two_structures_in_one_directory_have_two_journals() {
        assert_eq!(journal_path(Path::new("db/a.sql")), Path::new("db/.a.dbsetup-squash"));
        assert_ne!(journal_path(Path::new("db/a.sql")), journal_path(Path::new("db/b.sql")));
    }
}
