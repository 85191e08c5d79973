//! Writes a squash: prepared files, the journal (from there on it is to be finished), the structure, the floor, the
//! moves, and the journal's end.
//!
//! A baseline comes last: the lane never holds it beside the migrations that it stands for. The floor goes before the
//! structure then, which records a row that only the floor explains.
//!
//! In every state between two operations an empty database comes out the same: until the structure is replaced it is
//! made of the old one and the migrations; from then on of the new one, which records their versions, wherever their
//! files are at the moment.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Disk, digest, digest_of};
use super::journal::{Journal, KEEPER, Replacement, journal_path};
use super::layout::Move;
use crate::error::{Error, Kind, Result};
use crate::repo::Repo;
use crate::structure::floor::Floor;

/// What the files were when the squash was planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measured {
    structure: Option<String>,
    floor: Option<String>,
    baseline: Option<(PathBuf, Option<String>)>,
    moves: Vec<(Move, String)>,
}

/// What is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Texts<'a> {
    pub structure: &'a str,
    pub floor: &'a str,
    /// Where the squash was measured with a baseline.
    pub baseline: Option<&'a str>,
}

/// Takes the digests of everything that a squash is going to change.
///
/// # Errors
/// [`Kind::Refused`] for a link in a file's place and for another file where one is to go; [`Kind::Io`].
pub(super) fn measure(repo: &Repo, moves: &[Move], baseline: Option<&Path>) -> Result<Measured> {
    let mut measured = Vec::with_capacity(moves.len());
    for moved in moves {
        let shown = repo.shown(&moved.from);
        if moved.from.is_symlink() {
            // Its way may be relative, and lead nowhere from the archive.
            return Err(Error::new(Kind::Refused, format!("`{}` is a link", shown.display()))
                .help("put the file that it leads to in its place"));
        }
        let now = read(&moved.from, repo)?
            .ok_or_else(|| Error::new(Kind::Missing, format!("`{}` is gone", shown.display())))?;
        if read(&moved.to, repo)?.is_some_and(|there| there != now) {
            return Err(occupied(repo, moved, Kind::Refused));
        }
        measured.push((moved.clone(), now));
    }
    Ok(Measured {
        structure: read(&target(&repo.structure), repo)?,
        floor: read(&Floor::path(&repo.structure), repo)?,
        baseline: match baseline {
            Some(path) => Some((path.to_path_buf(), read(path, repo)?)),
            None => None,
        },
        moves: measured,
    })
}

fn occupied(repo: &Repo, moved: &Move, kind: Kind) -> Error {
    let (from, to) = (repo.shown(&moved.from), repo.shown(&moved.to));
    Error::new(kind, format!("`{}` is there already, and differs from `{}`", to.display(), from.display()))
        .help("find out which of the two is right, and remove the other")
}

pub(super) fn read(path: &Path, repo: &Repo) -> Result<Option<String>> {
    digest(path).map_err(|error| Error::io("read", &repo.shown(path), error))
}

/// Returns the file that a structure file is: a link stays one, and what it leads to is replaced.
pub(super) fn target(structure: &Path) -> PathBuf {
    std::fs::canonicalize(structure).unwrap_or_else(|_| structure.to_path_buf())
}

/// Returns where a file waits until it replaces another.
pub(super) fn prepared(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.dbsetup-new"))
}

/// Returns every file of ours that a killed run may leave beside the structure, but for the journal.
pub(super) fn leftovers(repo: &Repo, baseline: Option<&Path>) -> Vec<PathBuf> {
    let journal = journal_path(&repo.structure);
    let own = [target(&repo.structure), Floor::path(&repo.structure), journal];
    own.iter().map(PathBuf::as_path).chain(baseline).map(prepared).collect()
}

/// Whether a file is one that a squash makes for itself.
pub fn is_own_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.')
        && [".dbsetup-new", ".dbsetup-squash", ".dbsetup-tmp", ".dbsetup-probe", ".dbsetup-lock"]
            .iter()
            .any(|end| name.ends_with(end))
}

pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a squash that was planned when the files were as `measured`. An error before the journal is written leaves
/// every file as it was; after that the next run finishes.
///
/// # Errors
/// [`Kind::Refused`] when a file was changed meanwhile; [`Kind::Io`].
pub(super) fn commit(
    repo: &Repo,
    newest: &str,
    texts: Texts<'_>,
    measured: &Measured,
    disk: &mut Disk<'_>,
) -> Result<()> {
    refuse_changed(repo, measured)?;
    let (structure_path, floor_path) = (target(&repo.structure), Floor::path(&repo.structure));
    let baseline = measured.baseline.as_ref().zip(texts.baseline);
    let journal = Journal {
        newest: newest.to_owned(),
        structure: replaced(repo, &structure_path, &measured.structure, texts.structure)?,
        floor: replaced(repo, &floor_path, &measured.floor, texts.floor)?,
        baseline: match baseline {
            Some(((path, before), text)) => Some((path.clone(), replaced(repo, path, before, text)?)),
            None => None,
        },
        moves: measured.moves.clone(),
        keepers: keepers(repo, measured),
    };
    let text = journal.text(repo)?;
    let io = |path: &Path| {
        let shown = repo.shown(path);
        move |error| Error::io("write", &shown, error)
    };
    probe(repo, measured, disk)?;
    let baseline = baseline.map(|((path, _), text)| (path, text));
    for (path, bytes) in
        [(&structure_path, texts.structure), (&floor_path, texts.floor)].into_iter().chain(baseline)
    {
        disk.make_directory(parent(path)).map_err(io(path))?;
        let prepared = prepared(path);
        disk.write(&prepared, bytes.as_bytes()).map_err(io(&prepared))?;
        disk.sync(parent(path)).map_err(io(path))?;
    }
    let journal_path = journal_path(&repo.structure);
    let prepared = prepared(&journal_path);
    disk.write(&prepared, text.as_bytes()).map_err(io(&prepared))?;
    disk.rename(&prepared, &journal_path).map_err(io(&journal_path))?;
    disk.sync(parent(&journal_path)).map_err(io(&journal_path))?;
    finish(repo, &journal, disk)
}

/// Returns how a file is replaced, with what it says now: going back is to be possible without version control, too.
fn replaced(repo: &Repo, path: &Path, before: &Option<String>, after: &str) -> Result<Replacement> {
    let shown = repo.shown(path);
    let former = match before {
        None => None,
        Some(digest) => {
            let bytes = std::fs::read(path).map_err(|error| Error::io("read", &shown, error))?;
            let text = String::from_utf8(bytes).ok().filter(|text| digest_of(text.as_bytes()) == *digest);
            Some(text.ok_or_else(|| {
                let message = format!("`{}` is no text, or was changed meanwhile", shown.display());
                Error::new(Kind::Refused, message).note("nothing has been done").help("squash again")
            })?)
        }
    };
    Ok(Replacement { before: before.clone(), after: digest_of(after.as_bytes()), former })
}

/// Returns the files that keep emptied lanes, as far as they are not there yet.
fn keepers(repo: &Repo, measured: &Measured) -> Vec<PathBuf> {
    let lanes = repo.migrations.iter().chain(&repo.manual_migrations);
    let emptied = lanes.filter(|lane| measured.moves.iter().any(|(moved, _)| moved.from.starts_with(lane)));
    emptied.map(|lane| lane.join(KEEPER)).filter(|keeper| !keeper.exists()).collect()
}

/// A file that was edited since it was read is not what was proved.
fn refuse_changed(repo: &Repo, measured: &Measured) -> Result<()> {
    let moves: Vec<Move> = measured.moves.iter().map(|(moved, _)| moved.clone()).collect();
    let now = measure(repo, &moves, measured.baseline.as_ref().map(|(path, _)| path.as_path()))?;
    if now == *measured {
        return Ok(());
    }
    let changed = now.moves.iter().zip(&measured.moves).find(|(now, before)| now != before);
    let path = match changed {
        Some(((moved, _), _)) => moved.from.clone(),
        None if now.structure != measured.structure => repo.structure.clone(),
        None if now.floor == measured.floor => {
            measured.baseline.as_ref().map(|(path, _)| path.clone()).unwrap_or_default()
        }
        None => Floor::path(&repo.structure),
    };
    let message = format!("`{}` was changed while `{}` was squashed", repo.shown(&path).display(), repo.name);
    Err(Error::new(Kind::Refused, message).note("nothing has been done").help("squash again"))
}

/// Finds out before anything is written whether files can be moved: a rename goes to no other file system.
fn probe(repo: &Repo, measured: &Measured, disk: &mut Disk<'_>) -> Result<()> {
    let ways: BTreeSet<(PathBuf, PathBuf)> = measured
        .moves
        .iter()
        .map(|(moved, _)| (parent(&moved.from).to_path_buf(), parent(&moved.to).to_path_buf()))
        .collect();
    for (from, to) in ways {
        let done = (|| {
            disk.make_directory(&to)?;
            let (one, other) = (from.join(".dbsetup-probe"), to.join(".dbsetup-probe"));
            disk.write(&one, b"")?;
            let moved = disk.rename(&one, &other);
            disk.remove_if_there(&one)?;
            disk.remove_if_there(&other)?;
            moved
        })();
        done.map_err(|error| {
            let (from, to) = (repo.shown(&from), repo.shown(&to));
            let what = format!("files cannot be moved from `{}` to `{}`", from.display(), to.display());
            Error::new(Kind::Io, format!("{what}: {error}"))
                .because(error)
                .note("nothing has been done")
                .help("both have to be writable and on one file system; the key `archive` names another directory")
        })?;
    }
    Ok(())
}

/// How a file stands that is to be replaced or moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Done,
    ToDo,
    /// It is in both places, and the same.
    Twin,
}

/// Finishes a squash from its journal, wherever it was interrupted. Looks at every file before it touches one.
///
/// # Errors
/// [`Kind::Undecided`] when a file is not what the journal knows of it: somebody has changed it since; [`Kind::Io`].
pub(super) fn finish(repo: &Repo, journal: &Journal, disk: &mut Disk<'_>) -> Result<()> {
    let (structure, floor) = (target(&repo.structure), Floor::path(&repo.structure));
    let mut files = vec![(&structure, &journal.structure), (&floor, &journal.floor)];
    if let Some((path, file)) = &journal.baseline {
        files.reverse();
        files.push((path, file));
    }
    let mut standings = Vec::with_capacity(files.len());
    for (path, file) in files {
        standings.push((path, replacement(repo, path, file)?));
    }
    let baseline = journal.baseline.as_ref().and_then(|_| standings.pop());
    let mut moves = Vec::with_capacity(journal.moves.len());
    for (moved, digest) in &journal.moves {
        moves.push((moved, standing(repo, moved, digest)?));
    }
    let io = |path: &Path| {
        let shown = repo.shown(path);
        move |error| Error::io("move", &shown, error)
    };
    for (path, standing) in standings {
        put(path, standing, disk).map_err(io(path))?;
    }
    let mut directories = BTreeSet::new();
    for (moved, standing) in moves {
        match standing {
            Standing::Done => {}
            Standing::ToDo => {
                disk.make_directory(parent(&moved.to)).map_err(io(&moved.to))?;
                disk.rename(&moved.from, &moved.to).map_err(io(&moved.from))?;
            }
            Standing::Twin => disk.remove(&moved.from).map_err(io(&moved.from))?,
        }
        directories.extend([parent(&moved.from).to_path_buf(), parent(&moved.to).to_path_buf()]);
    }
    if let Some((path, standing)) = baseline {
        put(path, standing, disk).map_err(io(path))?;
    }
    for lane in repo.migrations.iter().chain(&repo.manual_migrations) {
        tidy(lane, &directories, disk).map_err(io(lane))?;
    }
    for directory in directories.iter().filter(|directory| directory.is_dir()) {
        disk.sync(directory).map_err(io(directory))?;
    }
    let journal_path = journal_path(&repo.structure);
    disk.remove(&journal_path).map_err(io(&journal_path))?;
    disk.sync(parent(&journal_path)).map_err(io(&journal_path))
}

/// Puts a prepared file in its place.
fn put(path: &Path, standing: Standing, disk: &mut Disk<'_>) -> io::Result<()> {
    if standing == Standing::ToDo {
        disk.rename(&prepared(path), path)?;
    }
    disk.remove_if_there(&prepared(path))?;
    disk.sync(parent(path))
}

/// Removes folders of a lane that moves have emptied, and keeps the lane itself: git knows no empty directory, and
/// whoever configured this one, or builds `sqlx::migrate!` of it, needs it to be there.
fn tidy(lane: &Path, touched: &BTreeSet<PathBuf>, disk: &mut Disk<'_>) -> io::Result<()> {
    let is_empty = |path: &Path| std::fs::read_dir(path).is_ok_and(|mut listing| listing.next().is_none());
    for folder in touched.iter().rev().filter(|path| path.starts_with(lane) && *path != lane) {
        if is_empty(folder) {
            disk.remove(folder)?;
        }
    }
    if touched.iter().any(|path| path.starts_with(lane)) && is_empty(lane) {
        disk.write(&lane.join(KEEPER), b"")?;
    }
    Ok(())
}

fn replacement(repo: &Repo, path: &Path, file: &Replacement) -> Result<Standing> {
    let now = read(path, repo)?;
    if now.as_ref() == Some(&file.after) {
        return Ok(Standing::Done);
    }
    let waiting = prepared(path);
    if now != file.before {
        return Err(undecided(repo, format!("`{}` was changed since", repo.shown(path).display())));
    }
    if read(&waiting, repo)?.as_ref() != Some(&file.after) {
        let what =
            format!("`{}`, which should replace it, is gone or another", repo.shown(&waiting).display());
        return Err(undecided(repo, what));
    }
    Ok(Standing::ToDo)
}

fn standing(repo: &Repo, moved: &Move, digest: &str) -> Result<Standing> {
    let is_it = |found: &Option<String>| found.as_deref() == Some(digest);
    let (from, to) = (read(&moved.from, repo)?, read(&moved.to, repo)?);
    match (&from, &to) {
        (None, Some(_)) if is_it(&to) => Ok(Standing::Done),
        (Some(_), None) if is_it(&from) => Ok(Standing::ToDo),
        (Some(_), Some(_)) if is_it(&from) && is_it(&to) => Ok(Standing::Twin),
        (Some(_), Some(_)) => Err(occupied(repo, moved, Kind::Undecided)),
        (None, None) => Err(undecided(repo, format!("`{}` is gone", repo.shown(&moved.from).display()))),
        _ => {
            let path = if from.is_some() { &moved.from } else { &moved.to };
            Err(undecided(repo, format!("`{}` was changed since", repo.shown(path).display())))
        }
    }
}

fn undecided(repo: &Repo, what: String) -> Error {
    Error::new(Kind::Undecided, format!("the interrupted squash of `{}` cannot be finished: {what}", repo.name))
        .note("nothing has been done")
        .help(format!(
            "give it up, which puts every file back where it was: {}; or give that file its text back, and squash again",
            repo.command("squash --abort")
        ))
}
