//! The squash floor: what a database must have applied before a squashed structure speaks for it. A text file beside
//! the structure, written by a squash and read wherever migrations run.
//!
//! ```text
//! dbsetup floor format 1
//! ledger sqlx
//!
//! squash
//! release v1.4.0
//! commit 8f2c...
//! base 77ab...
//! automatic 20260101000000 5d41... create_users
//! manual 20260102000000 7d79... index_big_table
//! baseline 20260101000000 9a0b...
//! ```
//!
//! A `baseline` is the migration that stands for this squash and all before it: its version and its checksum.
//!
//! `commit` is what was checked out. On a branch that is squashed or rebased when it is merged that commit is lost with the
//! branch; `base` is then the one of the default branch that it began from.
//!
//! A squash is a paragraph, oldest first: a database that lacks versions of one passes through the release that stood
//! before it, where their files still are.

mod merge;

use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result, Site};
use crate::ledger::LedgerKind;
use crate::repo::{Lane, Repo};

pub use merge::{Merged, is_floor, merge};

const FIRST_LINE: &str = "dbsetup floor format 1";
const FORMAT: &str = "dbsetup floor format ";
/// What stands for a checksum that is not known.
const NO_CHECKSUM: &str = "-";

/// Everything that was squashed, oldest squash first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Floor {
    /// Whose checksums they are.
    pub ledger: Option<LedgerKind>,
    /// Each squash.
    pub squashes: Vec<Squashed>,
}

/// What one squash took away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Squashed {
    /// The release that still has the files, as people name it: a tag.
    pub release: Option<String>,
    /// The commit that still has the files where they ran.
    pub commit: Option<String>,
    /// The commit of the default branch that it was made on top of, where that is another one.
    pub base: Option<String>,
    /// Its migrations, sorted by version.
    pub migrations: Vec<FloorEntry>,
    /// The migration that stands for it and for every squash before it, where one was left in the lane.
    pub baseline: Option<Baseline>,
}

/// A migration that makes what squashed ones have made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// Its version: that of the oldest automatic migration that it stands for.
    pub version: String,
    /// Its checksum as the ledger keeps it.
    pub checksum: String,
}

/// A squashed migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloorEntry {
    /// Its lane.
    pub lane: Lane,
    /// Its version as the ledger writes it. Without blanks.
    pub version: String,
    /// Its checksum as the ledger keeps it, or keeps beside it; `None` where nobody knows.
    pub checksum: Option<String>,
    /// What it is called.
    pub name: String,
}

impl Squashed {
    /// What to check out to get at the files: the release and the commit, as far as they are known.
    pub fn shown(&self) -> String {
        let short = |commit: &String| commit[..commit.len().min(12)].to_owned();
        // What `git describe` writes of a commit without a tag of its own names it.
        let is_named = |commit: &&String| {
            self.release.as_ref().is_none_or(|release| !release.contains(&commit[..commit.len().min(7)]))
        };
        let commit = self.commit.as_ref().filter(is_named).map(|commit| format!("commit {}", short(commit)));
        let base = self.base.as_ref().map(|base| format!("begun from {}", short(base)));
        let release = self.release.as_ref().map(|release| format!("release {release}"));
        let mut known = release.into_iter().chain(commit).chain(base);
        let Some(first) = known.next() else { return "the release before the squash".to_owned() };
        let rest: Vec<String> = known.collect();
        if rest.is_empty() { first } else { format!("{first} ({})", rest.join(", ")) }
    }
}

impl Floor {
    /// The file that belongs to a structure file.
    pub fn path(structure: &Path) -> PathBuf {
        structure.with_extension("floor")
    }

    /// Reads the floor of a repo; `None` where nothing was ever squashed.
    ///
    /// # Errors
    /// [`Kind::Io`]; [`Kind::Grammar`] with the place of a line that says nothing; [`Kind::Unsupported`] for a newer
    /// format.
    pub fn read(repo: &Repo) -> Result<Option<Self>> {
        let path = Self::path(&repo.structure);
        let shown = repo.shown(&path);
        let text = match repo.files.read(&path) {
            Ok(bytes) => std::str::from_utf8(&bytes).map(str::to_owned).map_err(std::io::Error::other),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(error),
        };
        Self::parse(&text.map_err(|error| Error::io("read", &shown, error))?, &shown).map(Some)
    }

    /// Reads a floor's text.
    ///
    /// # Errors
    /// Those of [`Floor::read`].
    pub fn parse(text: &str, shown: &Path) -> Result<Self> {
        let text = text.trim_start_matches('\u{feff}');
        let mut floor = Self::default();
        let mut at = 0;
        let mut is_first = true;
        for line in text.split_inclusive('\n') {
            let range = at..at + line.trim_end().len();
            at += line.len();
            let line = line.trim_end();
            if std::mem::take(&mut is_first) {
                refuse_other_format(line, shown)?;
            } else if !line.is_empty() && floor.take(line).is_none() {
                return Err(Error::new(Kind::Grammar, "a line of the squash floor that says nothing")
                    .at(Site::in_text(shown, text, range))
                    .help("restore the file from version control"));
            }
        }
        if is_first {
            refuse_other_format("", shown)?;
        }
        Ok(floor)
    }

    /// Takes a line; `None` where it is not understood.
    fn take(&mut self, line: &str) -> Option<()> {
        // It is shown on terminals.
        if line.contains(char::is_control) {
            return None;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "ledger" if self.squashes.is_empty() => self.ledger = Some(LedgerKind::from_name(rest)?),
            "squash" if rest.is_empty() => self.squashes.push(Squashed::default()),
            "release" if !rest.is_empty() => self.squashes.last_mut()?.release = Some(rest.to_owned()),
            // Shown and handed to git: nothing but the digits that it is.
            "commit" if !rest.is_empty() && rest.chars().all(|c| c.is_ascii_hexdigit()) => {
                self.squashes.last_mut()?.commit = Some(rest.to_owned());
            }
            "base" if !rest.is_empty() && rest.chars().all(|c| c.is_ascii_hexdigit()) => {
                self.squashes.last_mut()?.base = Some(rest.to_owned());
            }
            "automatic" | "manual" => {
                let lane = if word == "manual" { Lane::Manual } else { Lane::Automatic };
                let mut parts = rest.splitn(3, ' ');
                let version = parts.next().filter(|version| !version.is_empty())?.to_owned();
                let checksum = parts.next().filter(|sum| !sum.is_empty())?;
                let checksum = (checksum != NO_CHECKSUM).then(|| checksum.to_owned());
                let name = parts.next().unwrap_or_default().to_owned();
                self.squashes.last_mut()?.migrations.push(FloorEntry { lane, version, checksum, name });
            }
            "baseline" => {
                let (version, checksum) = rest.split_once(' ')?;
                if version.is_empty() || checksum.is_empty() || checksum.contains(' ') {
                    return None;
                }
                let baseline = Baseline { version: version.to_owned(), checksum: checksum.to_owned() };
                self.squashes.last_mut()?.baseline = Some(baseline);
            }
            _ => return None,
        }
        Some(())
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n");
        if let Some(ledger) = self.ledger {
            text += &format!("ledger {ledger}\n");
        }
        for squash in &self.squashes {
            let Squashed { release, commit, base, migrations, baseline } = squash;
            text += "\nsquash\n";
            for (word, value) in [("release", release), ("commit", commit), ("base", base)] {
                if let Some(value) = value {
                    text += &format!("{word} {value}\n");
                }
            }
            for entry in migrations {
                text += &line(entry);
                text.push('\n');
            }
            if let Some(Baseline { version, checksum }) = baseline {
                text += &format!("baseline {version} {checksum}\n");
            }
        }
        text
    }

    /// The baseline that counts: the last one.
    pub fn baseline(&self) -> Option<&Baseline> {
        self.squashes.iter().rev().find_map(|squash| squash.baseline.as_ref())
    }

    /// What a baseline stands for: everything that was squashed with it and before it.
    pub fn absorbed<'f>(&'f self, baseline: &Baseline) -> impl Iterator<Item = &'f FloorEntry> + use<'f> {
        let last = self.squashes.iter().rposition(|squash| squash.baseline.as_ref() == Some(baseline));
        let squashes = self.squashes.iter().take(last.map_or(0, |last| last + 1));
        squashes.flat_map(|squash| &squash.migrations)
    }

    /// Every squashed migration, oldest squash first.
    pub fn entries(&self) -> impl Iterator<Item = &FloorEntry> {
        self.squashes.iter().flat_map(|squash| &squash.migrations)
    }
}

/// The line of a migration.
fn line(entry: &FloorEntry) -> String {
    let FloorEntry { lane, version, checksum, name } = entry;
    let checksum = checksum.as_deref().unwrap_or(NO_CHECKSUM);
    format!("{lane} {version} {checksum} {name}").trim_end().to_owned()
}

/// Returns the command that checks out what stood before a migration was squashed, whatever became of the commit that the
/// floor names: it asks git which commit has put the migration's line into the floor.
pub fn before(repo: &Repo, entry: &FloorEntry) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let path = repo.shown(&Floor::path(&repo.structure)).display().to_string();
    let words = quoted(&format!("{} {} ", entry.lane, entry.version));
    format!("`git checkout $(git log -1 --format=%h -S {words} -- {})^`", quoted(&path))
}

fn refuse_other_format(line: &str, shown: &Path) -> Result<()> {
    if line == FIRST_LINE {
        return Ok(());
    }
    let shown = shown.display();
    Err(match line.strip_prefix(FORMAT) {
        Some(format) => Error::new(
            Kind::Unsupported,
            format!("`{shown}` was written by a newer release (format {format})"),
        )
        .help("update cargo-dbsetup and the dbsetup library"),
        None => Error::new(Kind::Grammar, format!("`{shown}` is no squash floor"))
            .note(format!("its first line is not `{FIRST_LINE}`"))
            .help("restore the file from version control"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor() -> Floor {
        let entry = |lane, version: &str, checksum: Option<&str>, name: &str| FloorEntry {
            lane,
            version: version.into(),
            checksum: checksum.map(str::to_owned),
            name: name.into(),
        };
        Floor {
            ledger: Some(LedgerKind::Sqlx),
            squashes: vec![
                Squashed {
                    release: Some("v1 of spring".into()),
                    commit: Some("0123456789abcdef".into()),
                    base: Some("fedcba9876543210".into()),
                    migrations: vec![
                        entry(Lane::Automatic, "1", Some("ab"), "users and roles"),
                        entry(Lane::Manual, "2026-01-01-000000", None, ""),
                    ],
                    baseline: Some(Baseline { version: "1".into(), checksum: "ef".into() }),
                },
                Squashed {
                    migrations: vec![entry(Lane::Automatic, "3", Some("cd"), "x")],
                    ..Squashed::default()
                },
            ],
        }
    }

    #[test]
    fn a_floor_is_read_back_as_it_was_written() {
        let text = floor().text();
        for text in [text.clone(), text.replace('\n', "\r\n"), format!("\u{feff}{text}")] {
            assert_eq!(Floor::parse(&text, Path::new("s.floor")).unwrap(), floor(), "{text}");
        }
        assert_eq!(floor().entries().count(), 3);
    }

    #[test]
    fn a_baseline_stands_for_its_squash_and_those_before_it() {
        let mut floor = floor();
        let stands_for = |floor: &Floor| {
            let baseline = floor.baseline().expect("there is one");
            floor.absorbed(baseline).map(|entry| entry.version.clone()).collect::<Vec<_>>()
        };
        assert_eq!(stands_for(&floor), ["1", "2026-01-01-000000"]);
        floor.squashes[1].baseline = Some(Baseline { version: "1".into(), checksum: "aa".into() });
        assert_eq!(stands_for(&floor), ["1", "2026-01-01-000000", "3"]);
        floor.squashes.iter_mut().for_each(|squash| squash.baseline = None);
        assert_eq!(floor.baseline(), None);
    }

    #[test]
    fn a_line_that_says_nothing_is_pointed_at() {
        for line in [
            "nonsense",
            "automatic 1",
            "squash now",
            "commit v1",
            "base main",
            "<<<<<<< ours",
            "release",
            "baseline 1",
            "baseline 1 a b",
            "release v1\u{1b}[2J",
            "automatic 9 ab a\u{7}name",
        ] {
            let text = format!("{}{line}\n", floor().text());
            let error = Floor::parse(&text, Path::new("s.floor")).unwrap_err();
            assert_eq!(error.kind(), Kind::Grammar, "{line}");
            assert_eq!(error.site().map(|site| site.excerpt.as_str()), Some(line));
        }
    }

    #[test]
    fn what_is_no_floor_or_a_newer_one_is_refused() {
        let kind = |text: &str| Floor::parse(text, Path::new("s.floor")).unwrap_err().kind();
        assert_eq!(kind(""), Kind::Grammar);
        assert_eq!(kind("CREATE TABLE a (i int);\n"), Kind::Grammar);
        assert_eq!(kind("dbsetup floor format 2\n"), Kind::Unsupported);
    }

    #[test]
    fn a_squash_is_named_by_what_can_be_checked_out() {
        let [first, second] = &floor().squashes[..] else { panic!("there are two") };
        assert_eq!(first.shown(), "release v1 of spring (commit 0123456789ab, begun from fedcba987654)");
        let named = |release: &str| Squashed { release: Some(release.into()), base: None, ..first.clone() };
        assert_eq!(named("v1-3-g0123456").shown(), "release v1-3-g0123456");
        assert_eq!(
            Squashed { release: None, ..first.clone() }.shown(),
            "commit 0123456789ab (begun from fedcba987654)"
        );
        assert_eq!(second.shown(), "the release before the squash");
    }
}
