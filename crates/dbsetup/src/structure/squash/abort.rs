//! Gives an interrupted squash up: every file goes back where the journal says that it was, in the opposite order, so
//! that each state in between is one that the way forward knows, too.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::apply::{is_own_file, leftovers, parent, prepared, read, target};
use super::disk::Disk;
use super::journal::{Journal, Replacement, journal_path};
use super::layout::Move;
use crate::error::{Error, Kind, Result};
use crate::repo::Repo;
use crate::structure::floor::Floor;

/// Puts the files back. Looks at every one of them before it touches one; a run that is killed is gone on with by the
/// next one.
///
/// # Errors
/// [`Kind::Undecided`] when somebody has changed a file so that going back would lose it; [`Kind::Io`].
pub(super) fn undo(repo: &Repo, journal: &Journal, disk: &mut Disk<'_>) -> Result<()> {
    let (structure, floor) = (target(&repo.structure), Floor::path(&repo.structure));
    let mut order = vec![(&floor, &journal.floor), (&structure, &journal.structure)];
    if journal.baseline.is_some() {
        order.reverse();
    }
    let mut files = Vec::new();
    for (path, file) in order {
        if is_replaced(repo, path, file)? {
            files.push((path, file));
        }
    }
    let mut baseline = journal.baseline.as_ref().map(|(path, file)| (path, file));
    if let Some((path, file)) = baseline
        && !is_replaced(repo, path, file)?
    {
        baseline = None;
    }
    let mut moves = Vec::new();
    for (moved, _) in journal.moves.iter().rev() {
        if is_moved(repo, moved)? {
            moves.push(moved);
        }
    }
    let io = |path: &Path| {
        let shown = repo.shown(path);
        move |error| Error::io("put back", &shown, error)
    };
    // It came last: the lane never holds it beside what it stands for.
    if let Some((path, file)) = baseline {
        restore(path, file, disk).map_err(io(path))?;
    }
    let mut touched = BTreeSet::new();
    for Move { from, to } in moves {
        disk.make_directory(parent(from)).map_err(io(from))?;
        disk.rename(to, from).map_err(io(from))?;
        touched.extend([parent(from).to_path_buf(), parent(to).to_path_buf()]);
    }
    for keeper in journal.keepers.iter().filter(|keeper| is_empty_file(keeper)) {
        disk.remove(keeper).map_err(io(keeper))?;
        touched.insert(parent(keeper).to_path_buf());
    }
    for directory in &touched {
        disk.sync(directory).map_err(io(directory))?;
    }
    for (path, file) in files {
        restore(path, file, disk).map_err(io(path))?;
    }
    if let Some((path, _)) = &journal.baseline {
        disk.remove_if_there(&prepared(path)).map_err(io(path))?;
    }
    clean(repo, journal.moves.iter().map(|(moved, _)| parent(&moved.to).to_path_buf()), disk)?;
    let journal_path = journal_path(&repo.structure);
    disk.remove(&journal_path).map_err(io(&journal_path))?;
    disk.sync(parent(&journal_path)).map_err(io(&journal_path))
}

/// Gives a file its former text, or takes it away.
fn restore(path: &Path, file: &Replacement, disk: &mut Disk<'_>) -> io::Result<()> {
    match &file.former {
        Some(text) => {
            disk.write(&prepared(path), text.as_bytes())?;
            disk.rename(&prepared(path), path)?;
        }
        None => disk.remove_if_there(path)?,
    }
    disk.sync(parent(path))
}

/// Removes what a run has left that was killed before there was a journal.
///
/// # Errors
/// [`Kind::Io`].
pub(super) fn tidy(repo: &Repo, disk: &mut Disk<'_>) -> Result<()> {
    let lanes = || repo.migrations.iter().chain(&repo.manual_migrations);
    let archived = lanes().filter_map(|lane| Some(repo.archive.first()?.join(lane.file_name()?)));
    let archived: Vec<PathBuf> = archived.collect();
    for directory in lanes().chain(&archived) {
        let probe = directory.join(".dbsetup-probe");
        disk.remove_if_there(&probe).map_err(|error| Error::io("remove", &repo.shown(&probe), error))?;
    }
    // A baseline waits in its lane.
    for entry in repo.migrations.iter().flat_map(std::fs::read_dir).flatten().flatten() {
        let path = entry.path();
        if is_own_file(&path) && path.extension().is_some_and(|end| end == "dbsetup-new") {
            disk.remove_if_there(&path).map_err(|error| Error::io("remove", &repo.shown(&path), error))?;
        }
    }
    clean(repo, archived, disk)
}

/// Removes prepared files, and directories of the archive that hold nothing.
fn clean(repo: &Repo, archived: impl IntoIterator<Item = PathBuf>, disk: &mut Disk<'_>) -> Result<()> {
    for path in leftovers(repo, None) {
        disk.remove_if_there(&path).map_err(|error| Error::io("remove", &repo.shown(&path), error))?;
    }
    let archives = &repo.archive;
    for folder in archived.into_iter().collect::<BTreeSet<_>>().iter().rev() {
        let ours =
            folder.ancestors().take_while(|path| archives.iter().any(|archive| path.starts_with(archive)));
        for path in ours {
            if !std::fs::read_dir(path).is_ok_and(|mut listing| listing.next().is_none()) {
                break;
            }
            disk.remove(path).map_err(|error| Error::io("remove", &repo.shown(path), error))?;
        }
    }
    Ok(())
}

fn is_empty_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0)
}

/// Whether a file is not what it was; an error where it is neither what it was nor what it became.
fn is_replaced(repo: &Repo, path: &Path, file: &Replacement) -> Result<bool> {
    let now = read(path, repo)?;
    if now == file.before {
        return Ok(false);
    }
    // What is gone can be put back: nothing is lost by it.
    if now.is_none() || now.as_ref() == Some(&file.after) {
        return Ok(true);
    }
    let shown = repo.shown(path);
    Err(undecided(repo, format!("`{}` was changed since", shown.display())).help(format!(
        "keep elsewhere what you need of it, remove `{}`, and give up again: {}",
        shown.display(),
        repo.command("squash --abort")
    )))
}

/// Whether a file is in the archive alone. What it says is not looked at: it is moved, whatever it says.
fn is_moved(repo: &Repo, moved: &Move) -> Result<bool> {
    let (from, to) = (repo.shown(&moved.from), repo.shown(&moved.to));
    match (read(&moved.from, repo)?, read(&moved.to, repo)?) {
        (None, Some(_)) => Ok(true),
        (Some(_), None) => Ok(false),
        (Some(one), Some(other)) if one == other => Ok(false),
        (Some(_), Some(_)) => {
            let what = format!("`{}` and `{}` are both there, and differ", from.display(), to.display());
            Err(undecided(repo, what).help(format!(
                "find out which of the two is right, remove the other, and give up again: {}",
                repo.command("squash --abort")
            )))
        }
        (None, None) => Err(undecided(repo, format!("`{}` is gone", from.display())).help(format!(
            "bring it back (`git restore {}`), and give up again: {}",
            from.display(),
            repo.command("squash --abort")
        ))),
    }
}

fn undecided(repo: &Repo, what: String) -> Error {
    let message = format!("the interrupted squash of `{}` cannot be given up: {what}", repo.name);
    Error::new(Kind::Undecided, message).note("nothing has been done")
}
